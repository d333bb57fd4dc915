"""A convnet as a step: the newest samples in, logits of the window that they end out (`edgehar.export.stream`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgehar.export.stream import StreamPlan, plan_stream
from edgehar.export.tflite.builder import Builder
from edgehar.export.tflite.form import Door, Emitter, MakeEmitter, enter, finish, signature_of
from edgehar.export.tflite.model import Signature, Subgraph
from edgehar.graph.graph import Graph, IntGraph, State


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
