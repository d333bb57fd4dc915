"""The range of every tensor of a graph on real windows: true extremes, or percentiles that leave outliers out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.graph.execute import run_graph
from edgehar.graph.graph import Graph
from edgehar.types import FloatArray

BATCH = 64
KEPT = 1 << 15
"""Values kept for each tensor and batch when percentiles are asked for, evenly spread."""


def calibrate(graph: Graph, x: FloatArray, percentile: float = 100.0) -> dict[str, tuple[float, float]]:
    """{tensor: (low, high)} on preprocessed windows x [n, window, inputs].

    percentile 100 takes the true minimum and maximum; 99.9 the range that holds all but 0.1 % at each end. Raises
    InputError for windows of another shape or with values that are not finite.
    """
    check_windows(graph, x)
    if not 50 < percentile <= 100:
        raise InputError(
            f"calibration percentile is {percentile:g}", reason=Reason.VALUE, hint="give one above 50, up to 100"
        )
    found: dict[str, list[tuple[float, float]]] = {}
    kept: dict[str, list[NDArray[Any]]] = {}
    for first in range(0, len(x), BATCH):
        part: dict[str, list[NDArray[Any]]] = {}

        def watch(values: Mapping[str, NDArray[Any]], part: dict[str, list[NDArray[Any]]] = part) -> None:
            for name, value in values.items():
                found.setdefault(name, []).append((float(value.min()), float(value.max())))
                if percentile < 100:
                    part.setdefault(name, []).append(value.ravel())

        run_graph(graph, x[first : first + BATCH], watch)
        for name, values in part.items():
            flat = np.concatenate(values)
            kept.setdefault(name, []).append(flat[:: max(1, len(flat) // KEPT)])
    ranges: dict[str, tuple[float, float]] = {}
    for name, seen in found.items():
        if percentile < 100:
            low, high = np.percentile(np.concatenate(kept[name]), (100 - percentile, percentile))
        else:
            low, high = min(s[0] for s in seen), max(s[1] for s in seen)
        ranges[name] = (float(low), float(high))
    return ranges


def check_windows(graph: Graph, x: FloatArray) -> None:
    """Raise InputError for windows x of another shape than [n, window, inputs], or with values that are not finite."""
    if x.ndim != 3 or x.shape[1:] != (graph.window, graph.inputs) or len(x) == 0:
        raise InputError(
            f"calibration windows have shape {list(x.shape)}, the model takes [n, {graph.window}, {graph.inputs}]",
            reason=Reason.SHAPE,
            hint="calibrate on the dataset that the model was trained on: --dataset DIR",
        )
    if not np.isfinite(x).all():
        window, sample, channel = (int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InputError(
            f"calibration window {window} holds {x[window, sample, channel]} at sample {sample}, channel {channel}",
            reason=Reason.VALUE,
            hint="leave windows with gaps out of the calibration set, or mend the recording: edgehar data DIR",
        )
