"""Which of an emitter's functions makes an operation of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgehar.errors import Reason, UsageError

Emit = Callable[[Any, Any], None]


def emit_of(emitters: Mapping[Any, Emit], op: Any, what: str) -> Emit:
    """The function of `emitters`, by type, that appends `op`; UsageError names one that the emitter `what` lacks."""
    if type(op) not in emitters:
        raise UsageError(
            f"the {what} emitter has no operation {type(op).__name__} (it makes '{op.out}')",
            reason=Reason.VALUE,
            hint=f"it has {', '.join(sorted(kind.__name__ for kind in emitters))}; export to another format: --target",
        )
    return emitters[type(op)]
