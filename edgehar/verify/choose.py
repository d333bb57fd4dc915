"""Which targets a run takes."""

from __future__ import annotations

import os

from edgehar.registry import resolve
from edgehar.verify import TARGETS

ROOT_VARIABLE = "EDGEHAR_ARM64_ROOT"


def choose_targets(text: str) -> list[str]:
    """Names from `a,b`, where `c:` means all that begin so; all targets for an empty text.

    Those of an emulated Linux with real aarch64 wheels join unasked only where EDGEHAR_ARM64_ROOT names one: making it
    takes minutes and root. Raises UsageError, with the nearest name, for one that is unknown.
    """
    if not text.strip():
        return [name for name in TARGETS if not name.startswith("cortex-") or ROOT_VARIABLE in os.environ]
    chosen: list[str] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        kind = [name for name in TARGETS if name.startswith(word)] if word.endswith(":") else []
        if not kind:
            resolve("targets", TARGETS, word)
        chosen += [name for name in kind or [word] if name not in chosen]
    return chosen
