"""Python values as C99 text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "float32": "float",
}
LINE = 118
_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"
)
KEYWORDS = frozenset(_KEYWORDS.split())


def number(value: Any) -> str:
    """A literal of an integer, or of a float32 with all of its bits."""
    if isinstance(value, float | np.floating):
        text = np.format_float_scientific(np.float32(value), unique=True, trim="0")
        return f"{text}f"
    if int(value) == -(1 << 31):
        return "INT32_MIN"
    return str(int(value))


def array(values: NDArray[Any]) -> str:
    """`{...}` over lines of at most LINE characters."""
    return "{\n" + "\n".join(_lines(number(v) for v in values.ravel())) + "\n}"


def text(value: str) -> str:
    """A string literal; whatever is not plain ASCII becomes octal escapes of its UTF-8 bytes."""
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in value.encode())
    return f'"{"".join(plain)}"'


def comment(value: str) -> str:
    """Text that cannot end the comment that it stands in."""
    return "".join(c if 32 <= ord(c) < 127 else "?" for c in value).replace("*/", "* /").replace("/*", "/ *")


def identifiers(names: Sequence[str]) -> dict[str, str]:
    """A distinct C identifier for each name, the name itself where it is one."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in names:
        base = re.sub(r"[^A-Za-z0-9_]", "_", name)
        base = f"t_{base}" if not base or base[0].isdigit() or base[0] == "_" or base in KEYWORDS else base
        choice, count = base, 1
        while choice in taken:
            count += 1
            choice = f"{base}_{count}"
        taken.add(choice)
        found[name] = choice
    return found


def _lines(words: Iterable[str]) -> Iterable[str]:
    line = "   "
    for word in words:
        if len(line) + len(word) + 2 > LINE:
            yield line
            line = "   "
        line += f" {word},"
    yield line
