"""How a convnet runs as a step: only new columns are computed, and the window's logits come out.

One step takes as many samples as the strides multiply to, so that every layer gains whole columns. Between steps each
convolution keeps the last columns of its input (`tail_NAME`), a skip those that its sum still needs (`skip_NAME`), and
the mean the columns of one window (`columns`). What they hold at first is gone after one window.

Let n be a tensor's new columns in a step, and d by how many columns it is behind: after m steps it has n m - d. A
convolution of kernel k and stride s keeps t columns, k - s <= t < k, with d + t a multiple of s; its out is (d + t) / s
behind. A skip is cropped by its lag and keeps what lies between: d of out - lag - d of the skip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from edgehar.errors import Reason, UsageError
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.ops import TENSOR_X


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """`samples` of a step; `fresh[tensor]`: its new columns; `tails`, `skips`: columns kept, by convolution."""

    samples: int
    fresh: dict[str, int]
    tails: dict[str, int]
    skips: dict[str, int]
    window_columns: int


def plan_stream(graph: Graph | IntGraph) -> StreamPlan:
    """How the convolutions stream; raises UsageError naming what does not."""
    convs: Sequence[Any] = graph.step
    samples = prod(op.stride for op in convs)
    if graph.window % samples:
        raise _refuse(
            graph, f"its window of {graph.window} samples is not a multiple of its strides' product {samples}"
        )
    fresh, behind = {TENSOR_X: samples}, {TENSOR_X: 0}
    tails: dict[str, int] = {}
    skips: dict[str, int] = {}
    for op in convs:
        if op.kernel < op.stride:
            raise _refuse(graph, f"its layer '{op.out}' skips samples (kernel {op.kernel}, stride {op.stride})")
        least = op.kernel - op.stride
        tails[op.out] = least + -(behind[op.x] + least) % op.stride
        fresh[op.out] = fresh[op.x] // op.stride
        behind[op.out] = (behind[op.x] + tails[op.out]) // op.stride
        if op.skip:
            skips[op.out] = behind[op.out] - op.skip_lag - behind[op.skip]
    return StreamPlan(samples, fresh, tails, skips, graph.head[0].columns)  # type: ignore[union-attr]


def streams(graph: Graph | IntGraph) -> bool:
    """Whether there is a plan."""
    try:
        plan_stream(graph)
    except UsageError:
        return False
    return True


def _refuse(graph: Graph | IntGraph, why: str) -> UsageError:
    return UsageError(
        f"this {graph.family} has no step form: {why}",
        reason=Reason.VALUE,
        hint="export the whole window: --form window",
    )
