"""Source addresses: `[NAME=]SCHEME:LOCATOR[?key=value&...]`, the same string in run, record and doctor."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from edgehar.errors import Reason, UsageError

NAMED = re.compile(r"([A-Za-z_][\w-]*)=(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SourceUri:
    """A parsed address. `locator` and the query values are percent-decoded.

    >>> uri = SourceUri.parse("wrist=virtual:imu?seed=1&loss=0.1")
    >>> uri.name, uri.scheme, uri.locator, uri.number("loss", 0.0)
    ('wrist', 'virtual', 'imu', 0.1)
    """

    text: str
    name: str
    scheme: str
    locator: str
    query: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> SourceUri:
        """Split at the first colon; what stands before an equals sign in front of it is the stream's name."""
        head, colon, tail = text.partition(":")
        if not colon or not head:
            raise UsageError(
                f"source '{text}' has no scheme",
                reason=Reason.FORMAT,
                hint="write SCHEME:LOCATOR, for example replay:walk.mcap or virtual:imu?seed=1",
            )
        named = NAMED.fullmatch(head)
        name, scheme = (named[1], named[2]) if named else ("", head)
        locator, _, query = tail.partition("?")
        return cls(text, name, scheme, unquote(locator), _parse_query(query, text))

    def only(self, *allowed: str) -> None:
        """Refuse a key that this scheme does not know, naming those that it does."""
        for key in self.query:
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1)
                known = f"allowed: {', '.join(allowed)}" if allowed else "it takes none"
                raise UsageError(
                    f"source '{self.text}': unknown key '{key}'",
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

    def having(self, **query: str) -> SourceUri:
        """The same address with keys added or replaced."""
        return replace(self, query={**self.query, **query})

    def _refuse(self, key: str, typed: str, wanted: str) -> UsageError:
        return UsageError(
            f"source '{self.text}': {key}='{typed}' is not {wanted}", reason=Reason.VALUE, hint=f"give {wanted}"
        )


def _parse_query(query: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        if not equals or not key or key in found:
            why = f"key '{key}' is given twice" if key in found else f"'{pair}' is not key=value"
            raise UsageError(
                f"source '{text}': {why}", reason=Reason.FORMAT, hint="write ?key=value&key=value, each key once"
            )
        found[unquote(key)] = unquote(value)
    return found
