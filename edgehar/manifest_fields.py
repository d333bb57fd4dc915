"""Reads decoded JSON field by field and refuses what is wrong by its path, its value and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edgehar.errors import InputError, Reason

LARGEST = 1e12  # number in a manifest


def refuse(path: str, value: Any, allowed: str) -> InputError:
    """The one shape of message for a bad field of the manifest."""
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return InputError(
        f"manifest.json: {path} is {shown}, must be {allowed}",
        reason=Reason.VALUE,
        hint="write the bundle again (edgehar train), or fetch it again if it came from elsewhere",
    )


class Fields:
    """Reads one JSON object field by field, refusing what is missing, of the wrong type, out of range or unknown."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise refuse(path.rstrip(".") or "the document", value, "an object")
        self.mapping: Mapping[str, Any] = value
        self._path = path
        self._read: set[str] = set()

    def take(self, name: str) -> Any:
        self._read.add(name)
        if name not in self.mapping:
            raise refuse(self._path + name, None, "present")
        return self.mapping[name]

    def text(self, name: str, *, empty: bool = False) -> str:
        value = self.take(name)
        if not isinstance(value, str) or not (value or empty):
            raise refuse(self._path + name, value, "a text")
        return value

    def texts(self, name: str, *, least: int = 1) -> tuple[str, ...]:
        value = list_of(self.take(name), self._path + name)
        if len(value) < least or not all(isinstance(v, str) and v for v in value):
            raise refuse(self._path + name, value, f"a list of at least {least} texts")
        return tuple(value)

    def choice(self, name: str, allowed: Iterable[str]) -> str:
        value = self.take(name)
        if value not in allowed:
            raise refuse(self._path + name, value, f"one of {', '.join(allowed)}")
        return str(value)

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise refuse(self._path + name, value, "true or false")
        return value

    def integer(self, name: str, *, low: int, high: int = 1 << 24) -> int:
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise refuse(self._path + name, value, f"a whole number from {low} to {high}")
        return value

    def number(self, name: str, *, low: float, high: float = LARGEST, above: bool = False) -> float:
        value = self.take(name)
        if not is_number(value) or not low <= value <= high or (above and value == low):
            raise refuse(self._path + name, value, f"a number {'above' if above else 'from'} {low:g} to {high:g}")
        return float(value)

    def finish(self) -> None:
        """Refuse fields that nobody asked for: a typing error, or a newer edgehar's."""
        for name in sorted(set(self.mapping) - self._read):
            raise refuse(self._path + name, self.mapping[name], "absent (unknown field)")


def is_number(value: Any) -> bool:
    """A finite JSON number that a float can hold; compared, not converted: an int may have any number of digits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def list_of(value: Any, path: str) -> list[Any]:
    """The value, refused by its path where it is no list."""
    if not isinstance(value, list):
        raise refuse(path, value, "a list")
    return value
