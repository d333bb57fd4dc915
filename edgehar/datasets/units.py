"""Units as other programs write them, and as edgehar does: a stream in `m/s^2` must match a model's `mps2`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SPELLED: Mapping[str, str] = MappingProxyType(
    {
        **{unit: unit for unit in ("g", "mps2", "radps", "dps", "uT", "1")},
        **dict.fromkeys(("m/s^2", "m/s2", "m/s²", "m/s/s"), "mps2"),
        "rad/s": "radps",
        **dict.fromkeys(("deg/s", "°/s"), "dps"),
        **dict.fromkeys(("µT", "μT"), "uT"),
    }
)
KNOWN = ("g", "m/s^2", "rad/s", "deg/s", "uT", "1")
"""One spelling of each, for messages."""
