"""CSI buffer layouts: which subcarrier each pair of a frame belongs to. The table is `layouts.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from edgehar.errors import InputError, Reason, UsageError

FIELDS = ("lltf", "htltf", "stbc", "heltf")
SECONDARY = ("none", "above", "below")  # by the chip's own number
NON_HT = 0  # sig_mode
INVALID_PAIRS = 2  # the four bytes of an invalid first word


@dataclass(frozen=True, slots=True)
class Field:
    """One training field: pair `first_pair + i` is subcarrier `order[i]`; `valid` are those that carry a signal."""

    first_pair: int
    order: tuple[int, ...]
    valid: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)  # one object a row of the table: equal where identical
class Layout:
    """One table of `layouts.toml`, which explains the keys; a frame holds `values` numbers."""

    id: int
    name: str
    chips: str
    secondary: str
    signal: str
    bandwidth_mhz: int
    stbc: bool
    values: int
    bits: int
    only_by_name: bool
    evidence: str
    fields: Mapping[str, Field]

    def subcarriers(self, field: str, *, first_word_invalid: bool) -> tuple[int, ...]:
        """The valid subcarriers of `field`, ascending; without those that an invalid first word takes."""
        found = self.field(field)
        lost = set(found.order[: max(0, INVALID_PAIRS - found.first_pair)]) if first_word_invalid else set()
        return tuple(subcarrier for subcarrier in found.valid if subcarrier not in lost)

    def field(self, name: str) -> Field:
        """The named field; a UsageError names those that the layout has."""
        if name not in self.fields:
            raise UsageError(
                f"layout {self.name} has no field {name}; it has {', '.join(self.fields)}",
                reason=Reason.UNKNOWN_NAME,
                hint=f"choose field={next(iter(self.fields))}, or field=auto",
            )
        return self.fields[name]


def layout_named(name: str) -> Layout:
    """The layout of that name; a UsageError lists them."""
    found = load_layouts().get(name)
    if found is None:
        raise UsageError(
            f"there is no CSI layout {name}",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose one of: {', '.join(load_layouts())}",
        )
    return found


def layout_numbered(number: int) -> Layout | None:
    """The layout with that id, as a binary frame carries it; None where this version knows none."""
    return _by_number().get(number)


@cache
def layout_of(
    chips: str,
    values: int,
    *,
    secondary: int | None = None,
    sig_mode: int | None = None,
    bandwidth: int | None = None,
    stbc: int | None = None,
) -> Layout | None:
    """What a frame of `values` numbers is, by what its receiver said; None for what is unknown or no row fits.

    secondary, sig_mode, bandwidth and stbc are the chip's own numbers, as in `FRAME`; None: the receiver did not say,
    and the first row of that length holds. A frame of 128 values is LLTF on a classic chip, whatever its packet was.
    """
    for layout in load_layouts().values():
        fits = layout.chips == chips and layout.values == values and not layout.only_by_name
        if fits and layout.secondary != "any" and secondary is not None:
            fits = layout.secondary == SECONDARY[secondary] if secondary < len(SECONDARY) else False
        if fits and layout.signal != "any":
            fits = (
                (sig_mode is None or sig_mode != NON_HT)
                and (bandwidth is None or layout.bandwidth_mhz == (40 if bandwidth else 20))
                and (stbc is None or layout.stbc == bool(stbc))
            )
        if fits:
            return layout
    return None


@cache
def load_layouts() -> Mapping[str, Layout]:
    """Every layout by its name, in the file's order."""
    text = resources.files("edgehar.wire").joinpath("layouts.toml").read_text(encoding="utf-8")
    return parse_layouts(text, "layouts.toml")


@cache
def _by_number() -> Mapping[int, Layout]:
    return MappingProxyType({layout.id: layout for layout in load_layouts().values()})


def parse_layouts(text: str, where: str) -> Mapping[str, Layout]:
    """The layouts of a text in `layouts.toml`'s form; an InputError names the table that does not add up."""
    layouts: dict[str, Layout] = {}
    numbers: set[int] = set()
    for table in tomllib.loads(text)["layout"]:
        layout = _layout(table)
        problem = _problem(layout)
        if layout.name in layouts or layout.id in numbers:
            problem = "its name or id is taken"
        if problem:
            raise InputError(f"{where}, layout {layout.name}: {problem}", reason=Reason.VALUE, hint="mend the table")
        layouts[layout.name] = layout
        numbers.add(layout.id)
    return MappingProxyType(layouts)


def _layout(table: Mapping[str, Any]) -> Layout:
    fields = {
        name: Field(int(field["first_pair"]), _numbers(field["order"]), _numbers(field["valid"]))
        for name, field in table["fields"].items()
    }
    return Layout(
        id=int(table["id"]),
        name=str(table["name"]),
        chips=str(table["chips"]),
        secondary=str(table["secondary"]),
        signal=str(table["signal"]),
        bandwidth_mhz=int(table["bandwidth_mhz"]),
        stbc=bool(table["stbc"]),
        values=int(table["values"]),
        bits=int(table.get("bits", 8)),
        only_by_name=bool(table.get("only_by_name", False)),
        evidence=str(table["evidence"]),
        fields=MappingProxyType(fields),
    )


def _numbers(ranges: str) -> tuple[int, ...]:
    """`0..2,-2..-1` as (0, 1, 2, -2, -1)."""
    numbers: list[int] = []
    for part in ranges.split(","):
        first, _, last = part.partition("..")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(numbers)


def _problem(layout: Layout) -> str:
    """Why the layout cannot be, or nothing."""
    if not 0 < layout.id < 256 or not layout.fields or not set(layout.fields) <= set(FIELDS):
        return f"its id is 1 to 255, its fields are some of {', '.join(FIELDS)}"
    pair = 0
    for name, field in layout.fields.items():
        if field.first_pair != pair or len(set(field.order)) != len(field.order):
            return f"{name} does not begin where the field before it ends, or repeats a subcarrier"
        if not set(field.valid) <= set(field.order) or list(field.valid) != sorted(field.valid):
            return f"valid subcarriers of {name} are not among its subcarriers, or not ascending"
        pair += len(field.order)
    return "" if 2 * pair == layout.values else f"its fields hold {2 * pair} values, not {layout.values}"
