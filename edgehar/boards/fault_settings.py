"""`--fault NAME=VALUE`: what goes wrong with a virtual device, as a dataclass of numbers and switches."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from typing import Any, TypeVar

from edgehar.errors import Reason, UsageError

Faults = TypeVar("Faults")
MOST = 1e6  # of a fault that says nothing else


def parse_settings(settings: Iterable[str], kind: type[Faults], ranges: Mapping[str, tuple[float, float]]) -> Faults:
    """`["bit_errors=1e-4", "csi_off"]` as a `kind`, whose fields all have defaults; UsageError names what it may be.

    ranges: least and greatest value of the numbers that may not be anything from 0 to MOST.
    """
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    given: dict[str, float | int | bool] = {}
    for setting in settings:
        name, equals, typed = setting.partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"there is no fault '{name}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"did you mean {near[0]}?" if near else f"choose from: {', '.join(known)}",
            )
        default = known[name].default
        if isinstance(default, bool):
            if equals:
                raise UsageError(f"fault '{setting}'", reason=Reason.FORMAT, hint=f"it takes no value: {name}")
            given[name] = True
        else:
            given[name] = _number(setting, typed, ranges.get(name, (0.0, MOST)), whole=isinstance(default, int))
    return kind(**given)


def _number(setting: str, typed: str, low_high: tuple[float, float], *, whole: bool) -> float:
    low, high = low_high
    try:
        value = int(typed) if whole else float(typed)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise UsageError(
            f"fault '{setting}'",
            reason=Reason.VALUE,
            hint=f"write {setting.partition('=')[0]}= and {kind} from {low:g} to {high:g}",
        )
    return value
