"""A convnet as a step: the newest samples in, logits of the window that they end out; only new columns are computed.

One step takes as many samples as the strides multiply to, so that every layer gains whole columns. Between steps each
convolution keeps the last columns of its input (`tail_NAME`), a skip those that its sum still needs (`skip_NAME`), and
the mean the columns of one window (`columns`). What they hold at first is gone after one window.

Let n be a tensor's new columns in a step, and d by how many columns it is behind: after m steps it has n m - d. A
convolution of kernel k and stride s keeps t columns, k - s <= t < k, with d + t a multiple of s; its out is (d + t) / s
behind. A skip is cropped by its lag and keeps what lies between: d of out - lag - d of the skip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from edgehar.errors import Reason, UsageError
from edgehar.export.tflite.builder import Builder
from edgehar.export.tflite.form import Door, Emitter, MakeEmitter, enter, finish, signature_of
from edgehar.export.tflite.model import Signature, Subgraph
from edgehar.graph.graph import Graph, IntGraph, State
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


def stream_form(
    graph: Graph | IntGraph, make: MakeEmitter, doors: Sequence[Door]
) -> tuple[list[Subgraph], list[Signature]]:
    """`form.step_form` for convnets."""
    plan = plan_stream(graph)
    subgraphs, signatures = [], []
    for i, door in enumerate(doors):
        b = Builder(door.key)
        x = enter(b, door, graph, rows=plan.samples)
        emitter = make(b)
        emitter.bind_sample(b.reshape(x, (1, 1, plan.samples, graph.inputs)))
        kept = [state for op in graph.step for state in _conv(b, emitter, op, plan)]
        mean: Any = graph.head[0]
        columns, state = _joined(b, emitter.tensors[mean.x], "columns", plan.window_columns - plan.fresh[mean.x])
        emitter.tensors[mean.x] = columns
        finish(b, emitter, graph)
        states = [*kept, *state]
        for each in states:
            b.output(each.next)
        subgraphs.append(b.graph)
        signatures.append(signature_of(b, door, i, states))
    return subgraphs, signatures


def _conv(b: Builder, emitter: Emitter, op: Any, plan: StreamPlan) -> list[State]:
    """One convolution on its tail and its new columns; the states that it keeps."""
    arrived = emitter.tensors[op.x]
    joined, states = _joined(b, arrived, f"tail_{op.out}", plan.tails[op.out])
    if op.skip:
        held, more = _joined(b, emitter.tensors[op.skip], f"skip_{op.out}", plan.skips[op.out])
        op = replace(op, skip=f"skip of {op.out}")  # it may be the same tensor as x, with other columns
        emitter.tensors[op.skip] = _cut(b, held, 0, plan.fresh[op.out])
        states += more
    emitter.tensors[op.x] = joined
    emitter.emit(op)
    emitter.tensors[op.x] = arrived
    return states


def _joined(b: Builder, new: str, name: str, columns: int) -> tuple[str, list[State]]:
    """`columns` kept columns before the new ones, and the state that keeps the last of both."""
    if columns == 0:
        return new, []
    _, _, fresh, size = b.shape(new)
    tail = b.input(name, (1, 1, columns, size), b.dtype(new), b.quant(new))
    joined = b.op("CONCATENATION", [tail, new], (1, 1, columns + fresh, size), quant=b.quant(new), axis=2)
    state = State(name, f"{name}_next", columns * size)
    _cut(b, joined, fresh, columns, state.next)
    return joined, [state]


def _cut(b: Builder, x: str, first: int, columns: int, name: str = "") -> str:
    """Columns first to first + columns; x itself where those are all."""
    size = b.shape(x)[3]
    if b.shape(x)[2] == columns and not name:
        return x
    begin, extent = b.ints(f"column_{first}", [0, 0, first, 0]), b.ints(f"take_{columns}x{size}", [1, 1, columns, size])
    return b.op("SLICE", [x, begin, extent], (1, 1, columns, size), quant=b.quant(x), name=name)


def _refuse(graph: Graph | IntGraph, why: str) -> UsageError:
    return UsageError(
        f"this {graph.family} has no step form: {why}",
        reason=Reason.VALUE,
        hint="export the whole window: --form window",
    )
