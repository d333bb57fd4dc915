"""The classes of a training: labels of the dataset, some of them, or labels merged into fewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgehar.bundle import Bundle
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.uniform import UniformStream, first_spec
from edgehar.datasets.windows import cut
from edgehar.datasets.windowset import WindowSet
from edgehar.datasets.worn import parse_sensors
from edgehar.dsp.view import KIND
from edgehar.errors import Reason, UsageError

Classes = Sequence[str] | Mapping[str, Sequence[str]]
"""Labels to keep, in this order (none: all); or new label -> the dataset's labels that it stands for."""


def parse_classes(text: str) -> Classes:
    """Read `a,b,c` or `new=a+b,other=c+d` from the command line.

    >>> parse_classes("still=sit+stand,moving=walk")
    {'still': ['sit', 'stand'], 'moving': ['walk']}
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not any("=" in part for part in parts):
        twice = [part for part in parts if parts.count(part) > 1]
        if len(parts) == 1 or twice:
            what = f"'{twice[0]}' is named twice" if twice else f"'{parts[0]}' alone leaves nothing to tell apart"
            raise UsageError(f"--classes: {what}", reason=Reason.VALUE, hint="name two classes or more, each once")
        return parts
    merged = {}
    for part in parts:
        new, equals, old = part.partition("=")
        if not equals or not old:
            raise UsageError(f"--classes: '{part}'", reason=Reason.VALUE, hint="write NEW=OLD+OLD for every class")
        merged[new.strip()] = [name.strip() for name in old.split("+")]
    members = [old for olds in merged.values() for old in olds]
    if len(merged) < 2 or len(merged) < len(parts) or len(set(members)) < len(members):
        raise UsageError(
            f"--classes: '{text}'",
            reason=Reason.VALUE,
            hint="name two new classes or more, and every label of the dataset in at most one of them",
        )
    return merged


def cut_classes(
    dataset: Dataset, *, window: int, hop: int, classes: Classes = (), stream: UniformStream | None = None
) -> WindowSet:
    """`cut`, then merge. A window must lie within one of the dataset's own labels, also where those are merged."""
    if not isinstance(classes, Mapping):
        return cut(dataset, window=window, hop=hop, classes=classes or None, stream=stream)
    members = [old for merged in classes.values() for old in merged]
    windows = cut(dataset, window=window, hop=hop, classes=members, stream=stream)
    new_code = np.repeat(np.arange(len(classes)), [len(merged) for merged in classes.values()])
    return replace(windows, y=new_code[windows.y], labels=tuple(classes))


def class_table(classes: Classes, labels: Sequence[str]) -> dict[str, list[str]]:
    """New label -> the dataset's labels that it stands for; what a bundle's provenance records."""
    if isinstance(classes, Mapping):
        return {new: list(old) for new, old in classes.items()}
    return {label: [label] for label in classes or labels}


def bundle_stream(bundle: Bundle, dataset: Dataset) -> UniformStream | None:
    """How a dataset's recordings are seen at a bundle's rate and by its sensors, if that is not how they are."""
    rate_hz = bundle.manifest.contract.rate_hz
    sensors = parse_sensors(bundle.manifest.provenance.get("sensors", ""))
    return UniformStream.of(dataset, rate_hz, sensors) if sensors or first_spec(dataset).kind == KIND else None
