"""The wire's messages as messages.toml describes them: names, types, sizes and ranges, for codec and generators."""

from __future__ import annotations

import re
import struct
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

import numpy as np

BYTES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i8": 1, "i16": 2}
_NUMPY = {"u8": "u1", "u16": "<u2", "u32": "<u4", "u64": "<u8", "i8": "i1", "i16": "<i2"}
_STRUCT = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i16": "h"}
_ARRAY = re.compile(r"(char|u8)\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message; min and max are inclusive and None where any value of the type will do."""

    name: str
    type: str
    doc: str
    min: int | None = None
    max: int | None = None

    @property
    def array(self) -> tuple[str, int] | None:
        """(element, count) of `char[N]` and `u8[N]`; None for a single number."""
        found = _ARRAY.fullmatch(self.type)
        return (found[1], int(found[2])) if found else None

    @property
    def size_bytes(self) -> int:
        return self.array[1] if self.array else BYTES[self.type]

    @property
    def numpy(self) -> str:
        if self.array is None:
            return _NUMPY[self.type]
        element, count = self.array
        return f"S{count}" if element == "char" else f"({count},)u1"


@dataclass(frozen=True)
class Kind:
    """One kind of message: a head of fixed size, then `tail`, if any, to the end of the payload."""

    name: str
    id: int
    doc: str
    fields: tuple[Field, ...]
    tail: str | None

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """The head as a packed NumPy record."""
        return np.dtype([(field.name, field.numpy) for field in self.fields])

    @cached_property
    def struct(self) -> struct.Struct:
        """The head for one message at a time; arrays are bytes."""
        return struct.Struct("<" + "".join(f"{f.size_bytes}s" if f.array else _STRUCT[f.type] for f in self.fields))

    @cached_property
    def head_bytes(self) -> int:
        return sum(field.size_bytes for field in self.fields)

    def offsets(self) -> Iterator[tuple[Field, int]]:
        """Each field with its place in the payload, in bytes."""
        at = 0
        for field in self.fields:
            yield field, at
            at += field.size_bytes

    @cached_property
    def ranges(self) -> tuple[tuple[int, int, int], ...]:
        """(index among the fields, min, max) of the fields that not every value of their type suits."""
        return tuple(
            (i, -(2**63) if field.min is None else field.min, 2**64 if field.max is None else field.max)
            for i, field in enumerate(self.fields)
            if field.min is not None or field.max is not None
        )


@dataclass(frozen=True, slots=True)
class Command:
    """One command: a number within `number` if it takes one, one of `among` if that is not empty; then one of `words`.

    `devices` are the kinds of board that know it.
    """

    name: str
    doc: str
    number: tuple[int, int] | None
    among: tuple[int, ...]
    words: tuple[str, ...]
    devices: tuple[str, ...]

    def takes(self, number: int) -> bool:
        """Whether `number` may be its argument."""
        low, high = self.number or (1, 0)
        return low <= number <= high and (not self.among or number in self.among)


@dataclass(frozen=True, slots=True)
class Schema:
    """All of messages.toml."""

    version: int
    max_payload_bytes: int
    counters: tuple[Field, ...]
    kinds: Mapping[str, Kind]
    flags: Mapping[str, Mapping[str, int]]
    commands: Mapping[str, Command]
    devices: Mapping[str, int]
    max_command_bytes: int
    axes: tuple[str, ...]
    chips: Mapping[str, str]


@cache
def schema() -> Schema:
    """The schema that this package speaks."""
    table = tomllib.loads(resources.files("edgehar.wire").joinpath("messages.toml").read_text(encoding="utf-8"))
    counters = _fields(table["counters"])
    kinds = {
        name: Kind(
            name, row["id"], row["doc"], _fields(row) + (counters if row.get("counters") else ()), row.get("tail")
        )
        for name, row in table["kinds"].items()
    }
    devices = table["commands"]["devices"]
    return Schema(
        table["version"],
        table["max_payload_bytes"],
        counters,
        kinds,
        table["flags"],
        {row["name"]: _command(row, devices) for row in table["commands"]["list"]},
        devices,
        table["commands"]["max_bytes"],
        tuple(table["axes"]["rows"]),
        table["chips"],
    )


def _fields(row: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(Field(**field) for field in row["fields"])


def _command(row: Mapping[str, Any], devices: Mapping[str, int]) -> Command:
    low_high = row.get("number")
    number = (int(low_high[0]), int(low_high[1])) if low_high else None
    among, words = tuple(row.get("among", ())), tuple(row.get("words", ()))
    return Command(row["name"], row["doc"], number, among, words, tuple(row.get("devices", devices)))
