"""What addresses of sources and of meters share: a locator and `?key=value&...`, read key by key."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import unquote

from edgehar.errors import Reason, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`text` as typed. `locator` and the query values are percent-decoded. `of`: what it is the address of."""

    of: ClassVar[str] = "source"

    text: str
    locator: str
    query: Mapping[str, str]

    def only(self, *allowed: str) -> None:
        """Refuse a key that is not `allowed`, naming those that are."""
        for key in self.query:
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1)
                known = f"allowed: {', '.join(allowed)}" if allowed else "it takes none"
                raise UsageError(
                    f"{self.of} '{self.text}': unknown key '{key}'",
                    reason=Reason.UNKNOWN_NAME,
                    hint=f"did you mean '{near[0]}'? ({known})" if near else known,
                )

    def number(self, key: str, default: float, *, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number from `low` to `high`."""
        typed = self.query.get(key)
        if typed is None:
            return default
        try:
            value = float(typed)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            raise self._refuse(key, typed, f"a number from {low:g} to {high:g}")
        return value

    def integer(self, key: str, default: int, *, low: int = 0) -> int:
        """A whole number not below `low`."""
        typed = self.query.get(key)
        if typed is None:
            return default
        if not re.fullmatch(r"[+-]?\d{1,18}", typed) or int(typed) < low:
            raise self._refuse(key, typed, f"a whole number, {low} or more")
        return int(typed)

    def word(self, key: str, default: str) -> str:
        """Text as typed."""
        return self.query.get(key, default)

    def _refuse(self, key: str, typed: str, wanted: str) -> UsageError:
        return UsageError(
            f"{self.of} '{self.text}': {key}='{typed}' is not {wanted}", reason=Reason.VALUE, hint=f"give {wanted}"
        )


def split_query(tail: str, of: str, text: str) -> tuple[str, dict[str, str]]:
    """The locator and the query of `LOCATOR?key=value&...`; `text` is the whole address, for the error."""
    locator, _, query = tail.partition("?")
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        if not equals or not key or key in found:
            why = f"key '{key}' is given twice" if key in found else f"'{pair}' is not key=value"
            raise UsageError(
                f"{of} '{text}': {why}", reason=Reason.FORMAT, hint="write ?key=value&key=value, each key once"
            )
        found[unquote(key)] = unquote(value)
    return unquote(locator), found
