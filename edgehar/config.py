"""`edgehar.toml`: what `edgehar run` does when the command line is silent; errors name file, key and allowed values.

[run]
bundle = "kitchen.edgehar"        # relative to the file
source = "replay:walk.mcap"       # files in addresses: relative to where edgehar runs
# sources = ["wrist=ble:WRIST", "leg=ble:LEG"]    # instead, for a bundle with several sensors
# base = ["wrist=12ms"]           # as --base; also align = "tap" and wait = "300ms"
sinks = ["console", "jsonl:decisions.jsonl"]
runtime = "numba"
speed = 1.0
record = "today.mcap"             # relative to the file
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgehar.errors import InputError, MissingError, Reason


class RunSettings(BaseModel):
    """Defaults of `edgehar run`; every field has the meaning of the option of the same name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    bundle: str | None = None
    source: str | None = None
    sources: tuple[str, ...] = Field(default=(), strict=False)
    base: tuple[str, ...] = Field(default=(), strict=False)
    align: str | None = None
    wait: str | None = None
    sinks: tuple[str, ...] = Field(default=(), strict=False)
    runtime: str | None = None
    speed: Annotated[float, Field(ge=0, strict=False)] | None = None
    record: str | None = None


class Settings(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    run: RunSettings = RunSettings()


def load_settings(path: Path) -> Settings:
    """Read and check `path`; `bundle` and `record` are resolved against its directory.

    Raises MissingError if there is no such file, InputError naming file, key, value and what is allowed.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingError(
            f"no settings file {path}", reason=Reason.NOT_FOUND, hint="write one (docs/run.md), or leave --config out"
        ) from None
    except OSError as error:
        raise MissingError(
            f"settings file {path} cannot be read: {error.strerror}",
            reason=Reason.PERMISSION,
            hint="name a TOML file that this user may read",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}", reason=Reason.FORMAT, hint="mend the TOML at that place") from None
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise _explain(path, error) from None
    base = path.parent
    placed = {
        name: str(base / value) for name in ("bundle", "record") if (value := getattr(settings.run, name)) is not None
    }
    return settings.model_copy(update={"run": settings.run.model_copy(update=placed)})


def _explain(path: Path, error: ValidationError) -> InputError:
    """The first problem, as one sentence."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list(RunSettings.model_fields) if len(first["loc"]) > 1 else list(Settings.model_fields)
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        return InputError(
            f"{path}: there is no setting '{key}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"did you mean '{near[0]}'?" if near else f"the settings are: {', '.join(known)}",
        )
    return InputError(
        f"{path}: {key} is {first['input']!r}", reason=Reason.VALUE, hint=first["msg"][0].lower() + first["msg"][1:]
    )
