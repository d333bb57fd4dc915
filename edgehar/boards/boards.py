"""The board table: what runs on each board, how much room it has, how C is built for it. Source: `boards.toml`."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from edgehar.errors import InputError, Reason, UsageError

FORMATS = ("tflite", "onnx", "c")
DTYPES = ("float32", "dynamic", "int8", "int8x16")


@dataclass(frozen=True, slots=True)
class Energy:
    """What an instruction costs there. A figure without its source and conditions does not load."""

    nj_per_instruction: float
    source: str
    conditions: str


@dataclass(frozen=True, slots=True)
class Board:
    """One table of `boards.toml`, which explains the fields. `flash_bytes` None: a model file is mapped into RAM."""

    name: str
    title: str
    cpu: str
    clock_hz: int
    formats: Mapping[str, tuple[str, ...]]
    flash_bytes: int | None
    ram_bytes: int
    model_flash_bytes: int | None
    model_ram_bytes: int
    source: str
    compiler: str
    flags: tuple[str, ...]
    dsp: bool
    target: str | None
    energy: Energy | None

    def json(self) -> dict[str, Any]:
        """Plain JSON types."""
        told = {name: getattr(self, name) for name in self.__slots__}
        energy = None if self.energy is None else {n: getattr(self.energy, n) for n in Energy.__slots__}
        formats = {name: list(dtypes) for name, dtypes in self.formats.items()}
        return {**told, "formats": formats, "flags": list(self.flags), "energy": energy}


@cache
def load_boards() -> Mapping[str, Board]:
    """Every board by its short name, in the file's order."""
    text = resources.files("edgehar.boards").joinpath("boards.toml").read_text(encoding="utf-8")
    return parse_boards(text, "boards.toml")


def board(name: str) -> Board:
    """The board called `name`; UsageError with the nearest name otherwise."""
    boards = load_boards()
    if name not in boards:
        near = difflib.get_close_matches(name.lower(), boards, n=1, cutoff=0.5)
        raise UsageError(
            f"no board is called '{name}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"did you mean '{near[0]}'?" if near else f"choose one of: {', '.join(boards)}",
        )
    return boards[name]


def parse_boards(text: str, source: str) -> dict[str, Board]:
    """Boards from TOML. Raises InputError naming `source`, board and field."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: {error}", reason=Reason.FORMAT, hint="mend the file at that line") from None
    return {name: _board(name, table, source) for name, table in tables.items()}


def _board(name: str, table: Any, source: str) -> Board:
    fields = _Table(table, f"{source}: [{name}]")
    flash, model_flash = fields.size("flash_bytes", None), fields.size("model_flash_bytes", None)
    ram, model_ram = fields.size("ram_bytes"), fields.size("model_ram_bytes")
    if (flash is None) != (model_flash is None) or model_ram > ram or (flash or 0) < (model_flash or 0):
        raise fields.refuse("model_flash_bytes, model_ram_bytes", "within flash_bytes and ram_bytes, both or none")
    board = Board(
        name=name,
        title=fields.text("title"),
        cpu=fields.text("cpu"),
        clock_hz=fields.size("clock_hz"),
        formats=_formats(fields),
        flash_bytes=flash,
        ram_bytes=ram,
        model_flash_bytes=model_flash,
        model_ram_bytes=model_ram,
        source=fields.text("source"),
        compiler=fields.text("compiler"),
        flags=tuple(fields.take("flags", list)),
        dsp=fields.take("dsp", bool),
        target=fields.text("target") if "target" in fields.left else None,
        energy=_energy(fields),
    )
    fields.finish()
    return board


def _formats(fields: _Table) -> dict[str, tuple[str, ...]]:
    formats: dict[str, list[str]] = fields.take("formats", dict)
    for name, dtypes in formats.items():
        if name not in FORMATS or not dtypes or not set(dtypes) <= set(DTYPES):
            raise fields.refuse("formats", f"of {', '.join(FORMATS)} = a list of {', '.join(DTYPES)}")
    return {name: tuple(dtypes) for name, dtypes in formats.items()}


def _energy(fields: _Table) -> Energy | None:
    if "energy" not in fields.left:
        return None
    inner = _Table(fields.take("energy", dict), f"{fields.where} energy")
    energy = Energy(inner.take("nj_per_instruction", float), inner.text("source"), inner.text("conditions"))
    inner.finish()
    return energy


class _Table:
    """Takes a TOML table apart, refusing what is missing, of the wrong type or unknown."""

    def __init__(self, table: Any, where: str) -> None:
        self.where = where
        if not isinstance(table, dict):
            raise self.refuse("it", "a table")
        self.left = dict(table)

    def take(self, name: str, kind: type) -> Any:
        value = self.left.pop(name, None)
        if type(value) is not kind:
            raise self.refuse(name, f"a {kind.__name__}, is {value!r}")
        return value

    def text(self, name: str) -> str:
        value: str = self.take(name, str)
        if not value:
            raise self.refuse(name, "a text")
        return value

    def size(self, name: str, *default: int | None) -> Any:
        if default and name not in self.left:
            return default[0]
        value: int = self.take(name, int)
        if value <= 0:
            raise self.refuse(name, f"above 0, is {value}")
        return value

    def finish(self) -> None:
        if self.left:
            raise self.refuse(", ".join(sorted(self.left)), "absent (unknown field)")

    def refuse(self, name: str, allowed: str) -> InputError:
        return InputError(
            f"{self.where}: {name} must be {allowed}",
            reason=Reason.VALUE,
            hint="the head of edgehar/boards/boards.toml explains the fields",
        )
