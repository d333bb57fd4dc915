"""A model's options together with its recipe: the defaults of each family, TOML files, and single changes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.train.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Settings:
    """How to build a model and how to train it."""

    options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, where: str) -> Settings:
        """Read a table with `options` and `recipe` tables in it, both of which may be left out."""
        unknown = sorted(set(table) - {"options", "recipe"})
        if unknown:
            raise InputError(
                f"{where}: there is no table '{unknown[0]}'",
                reason=Reason.UNKNOWN_NAME,
                hint="the tables are: options, recipe",
            )
        for name, inner in table.items():
            if not isinstance(inner, Mapping):
                raise InputError(f"{where}: {name} is {inner!r}", reason=Reason.FORMAT, hint=f"write a table: [{name}]")
        return cls(dict(table.get("options", {})), Recipe.from_dict(table.get("recipe", {}), where=where))

    def to_dict(self) -> dict[str, Any]:
        """A table that `from_dict` reads back."""
        return {"options": dict(self.options), "recipe": self.recipe.to_dict()}

    def changed(self, changes: Sequence[str]) -> Settings:
        """With `options.NAME=VALUE`, `recipe.NAME=VALUE`, `recipe.augment.NAME=VALUE` put in; values are TOML.

        >>> Settings().changed(["options.hidden=80", "recipe.lr=0.01"]).recipe.lr
        0.01
        """
        table = self.to_dict()
        places = {
            "options": table["options"],
            "recipe": table["recipe"],
            "recipe.augment": table["recipe"]["augment"],
        }
        for change in changes:
            name, _, text = change.partition("=")
            place, _, key = name.strip().rpartition(".")
            try:
                places[place][key] = tomllib.loads(f"value = {text}")["value"]
            except (KeyError, tomllib.TOMLDecodeError):
                raise UsageError(
                    f"cannot set '{change}'",
                    reason=Reason.VALUE,
                    hint="write options.NAME=VALUE or recipe.NAME=VALUE, a text in quotes: recipe.optimizer='\"sgd\"'",
                ) from None
        return Settings.from_dict(table, where="--set")


def default_settings(model: str) -> Settings:
    """What edgehar/train/recipes/MODEL.toml says; the plain recipe for a model that has no file there."""
    file = resources.files("edgehar.train") / "recipes" / f"{model}.toml"
    if not file.is_file():
        return Settings()
    return Settings.from_dict(tomllib.loads(file.read_text(encoding="utf-8")), where=f"recipes/{model}.toml")


def load_settings(path: Path) -> Settings:
    """Read a TOML file with the tables [options] and [recipe]."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingError(
            f"no recipe file {path}", reason=Reason.NOT_FOUND, hint="leave --recipe out to use the model's default"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}", reason=Reason.FORMAT, hint="mend the TOML at that line") from None
    return Settings.from_dict(table, where=str(path))
