"""Holds an .npz file to its layout before anything of it is used: kinds, and dimensions that members share by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.npz_file import NpzFile

WHOLE, NUMBERS, TEXT = "whole numbers", "numbers", "texts"
_KINDS: Mapping[str, str] = MappingProxyType({WHOLE: "iu", NUMBERS: "iuf", TEXT: "U"})


@dataclass(frozen=True, slots=True)
class Member:
    """What one member must be. A dimension is a size, or a name whose first member sets the size for all others."""

    kind: str
    dimensions: tuple[str | int, ...] = ()
    optional: bool = False


Layout = Mapping[str, Member]


def check_layout(file: NpzFile, layout: Layout) -> dict[str, int]:
    """The sizes of the named dimensions. Raises InputError naming the member, what it is and what it must be."""
    sizes: dict[str, int] = {}
    set_by: dict[str, str] = {}
    for name, member in layout.items():
        if member.optional and name not in file:
            continue
        found = file[name]
        if found.dtype.kind not in _KINDS[member.kind]:
            raise file.refuse(f"its member '{name}' is of type {found.dtype}, not {member.kind}")
        if found.ndim != len(member.dimensions):
            wanted = " x ".join(map(str, member.dimensions)) or "one value"
            raise file.refuse(f"its member '{name}' has the shape {_shape(found)}; it must be {wanted}")
        for dimension, size in zip(member.dimensions, found.shape, strict=True):
            wanted_size = dimension if isinstance(dimension, int) else sizes.setdefault(dimension, size)
            by = set_by.setdefault(str(dimension), name)
            if size != wanted_size:
                why = "" if by == name else f", because '{by}' has {wanted_size} {dimension}"
                raise file.refuse(f"its member '{name}' has the shape {_shape(found)}, not {wanted_size}{why}")
        if member.kind == NUMBERS and not np.isfinite(found).all():
            raise file.refuse(f"its member '{name}' holds a NaN or an infinity")
    return sizes


def check_range(file: NpzFile, name: str, low: int, high: int, *, but: int | None = None) -> None:
    """Hold every value of member `name` to [low, high), or to `but`; InputError names the first outside."""
    values = file[name].astype(np.int64)
    wrong = (values < low) | (values >= high)
    if but is not None:
        wrong &= values != but
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        besides = "" if but is None else f", or {but}"
        raise file.refuse(f"{name}[{at}] is {values[at]}; it must be from {low} to {high - 1}{besides}")


def rate_of(file: NpzFile) -> float:
    """Member `fs`, in Hz, above 0."""
    rate_hz = float(file["fs"])
    if not rate_hz > 0:
        raise file.refuse(f"fs is {rate_hz:g} Hz; it must be above 0")
    return rate_hz


def _shape(array: NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape)) or "of one value"
