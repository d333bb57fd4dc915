"""Which part of a bundle's preprocessing an exported file holds: whatever has no memory, from as early as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from edgehar.dsp.graph import Preprocess
from edgehar.errors import Reason, UsageError

Operation = Mapping[str, Any]
Emit = TypeVar("Emit")
STATEFUL = ("median3", "minus_lowpass", "sos")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a file's input lies in the preprocessing: `channels` go in, `outside` has run before, `inside` follows."""

    channels: tuple[str, ...]
    outside: tuple[Operation, ...]
    inside: tuple[Operation, ...]


def entry_of(ops: Sequence[Operation], channels: Sequence[str]) -> Entry:
    """The earliest entry from which no operation has a memory; InputError where the operations do not fit together."""
    channels_after(ops, channels)
    first = 1 + max((i for i, op in enumerate(ops) if is_stateful(op)), default=-1)
    return Entry(channels_after(ops[:first], channels), tuple(ops[:first]), tuple(ops[first:]))


def channels_after(ops: Sequence[Operation], channels: Sequence[str]) -> tuple[str, ...]:
    """Names of the channels behind `ops`."""
    return Preprocess(ops, channels).channels_out


def is_stateful(op: Operation) -> bool:
    """Whether a sample's result depends on other samples."""
    return op["op"] in STATEFUL or any(is_stateful(inner) for part in op.get("parts", ()) for inner in part)


def emitter_of(emitters: Mapping[str, Emit], op: Operation, what: str, also: str = "") -> Emit:
    """The function of `emitters` that appends `op`; UsageError names an operation that the emitter `what` lacks."""
    name = str(op["op"])
    if name not in emitters:
        raise UsageError(
            f"the {what} emitter has no preprocessing operation '{name}'",
            reason=Reason.VALUE,
            hint=f"it has {', '.join(sorted(emitters))}{also}",
        )
    return emitters[name]
