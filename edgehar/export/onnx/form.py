"""The two forms of a file: a whole window in one call, or one sample with the states as inputs and outputs.

A recurrent window is a Scan over time. What a step computes from the sample alone (W x) is taken out of the loop and
computed for all samples at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import Any, Protocol

import onnx
from onnx import helper

from edgehar.export.onnx.builder import Builder, Dim, value_info
from edgehar.export.onnx.preprocess import emit_preprocess
from edgehar.export.preprocess import Entry
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.ops import TENSOR_X, Accumulate, Expand, Linear, Op
from edgehar.runtimes.onnx_file import INPUT_CHANNELS, SCOPE_PREPROCESS

OUTPUT_LOGITS = "logits"
SCOPE_STEP, SCOPE_HEAD = "step/", "head/"


class Emitter(Protocol):
    """Turns a graph's operations into nodes; `tensors` maps the graph's names to those of the file."""

    tensors: dict[str, str]

    def emit(self, op: Any) -> None:
        """Append one operation, whose inputs are in `tensors`."""
        ...

    def columns(self, name: str) -> str:
        """A convnet's tensor as columns; those of the samples are kept as SAMPLES_AS_COLUMNS."""
        ...


MakeEmitter = Callable[[Builder, Builder], Emitter]
"""Makes the emitter of a graph from its builder and from the one that holds the weights (other than it in a Scan)."""

AnyGraph = Graph | IntGraph


@dataclass(frozen=True, slots=True)
class Made:
    """A graph, and the name of its tensor that the preprocessing ends in."""

    graph: onnx.GraphProto
    samples: str


def window_form(graph: AnyGraph, make: MakeEmitter, entry: Entry) -> Made:
    """From channels [windows, window, channels] to logits [windows, classes]."""
    b = Builder()
    x = enter(b, entry)
    emitter = make(b, b)
    emitter.tensors[TENSOR_X] = x
    if isinstance(graph, Graph) and graph.states:
        _scan(b, emitter, graph, make)
    else:
        b.scope = SCOPE_STEP
        for op in graph.step:
            emitter.emit(op)
    shape: list[Dim] = ["windows", graph.window]
    channels = value_info(INPUT_CHANNELS, [*shape, len(entry.channels)])
    return finish(b, emitter, graph, [channels], [], x, [*shape, graph.inputs])


def step_form(graph: Graph, make: MakeEmitter, entry: Entry) -> Made:
    """From channels [streams, channels] and every state to logits [streams, classes] and every next state."""
    b = Builder()
    x = enter(b, entry)
    emitter = make(b, b)
    emitter.tensors[TENSOR_X] = x
    b.scope = SCOPE_STEP
    for state in graph.states:
        emitter.tensors[state.name] = b.free(state.name)
    for op in graph.step:
        emitter.emit(op)
    for state in graph.states:  # what the head reads is the state after the sample
        emitter.tensors[state.name] = emitter.tensors[state.next]
    channels = value_info(INPUT_CHANNELS, ["streams", len(entry.channels)])
    states = [value_info(state.name, ["streams", state.size]) for state in graph.states]
    after = [value_info(state.next, ["streams", state.size]) for state in graph.states]
    return finish(b, emitter, graph, [channels, *states], after, x, ["streams", graph.inputs])


def enter(b: Builder, entry: Entry) -> str:
    """The input and the preprocessing behind it; returns what that ends in."""
    b.scope = SCOPE_PREPROCESS
    return emit_preprocess(b, entry.inside, entry.channels, b.free(INPUT_CHANNELS))


def finish(
    b: Builder,
    emitter: Emitter,
    graph: AnyGraph,
    inputs: list[onnx.ValueInfoProto],
    states: list[onnx.ValueInfoProto],
    samples: str,
    shape: list[Dim],
) -> Made:
    """The head, and the whole graph: its logits come before the next `states`; `samples` has this `shape`."""
    b.scope = SCOPE_HEAD
    for op in graph.head:
        emitter.emit(op)
    logits = emitter.tensors[graph.output]
    if logits != OUTPUT_LOGITS:
        logits = b.op("Identity", [logits], OUTPUT_LOGITS)
    outputs = [value_info(logits, [shape[0], graph.classes]), *states]
    b.drop_unread([output.name for output in outputs])
    inner = [] if samples == INPUT_CHANNELS else [value_info(samples, shape)]
    name = f"{graph.family}_window" if shape[0] == "windows" else f"{graph.family}_step"
    made = helper.make_graph(b.nodes, name, inputs, outputs, list(b.constants.values()), value_info=inner)
    return Made(made, samples)


def _scan(b: Builder, emitter: Emitter, graph: Graph, make: MakeEmitter) -> None:
    """Run the step for every sample; binds the last states."""
    b.scope = "samples/"
    left, read = _before_loop(emitter, graph)
    body = Builder(b)
    body.scope = SCOPE_STEP
    inner = make(body, b)
    for name in (*(state.name for state in graph.states), *read):
        inner.tensors[name] = body.free(f"{name}_t" if name in read else name)
    for op in left:
        inner.emit(op)
    body.drop_unread([inner.tensors[state.next] for state in graph.states])
    start = _zeros(b, graph, emitter.tensors[TENSOR_X])
    carried = {state.name: state.size for state in graph.states}
    loop = helper.make_graph(
        body.nodes,
        f"{graph.family}_step",
        [value_info(inner.tensors[name], ["windows", size]) for name, size in {**carried, **read}.items()],
        [value_info(inner.tensors[state.next], ["windows", state.size]) for state in graph.states],
        b.give_away(body),
    )
    ends = b.ops(
        "Scan",
        [*start, *(emitter.tensors[name] for name in read)],
        [f"{state.name}_end" for state in graph.states],
        body=loop,
        num_scan_inputs=len(read),
        scan_input_axes=[1] * len(read),
    )
    for state, end in zip(graph.states, ends, strict=True):
        emitter.tensors[state.name] = emitter.tensors[state.next] = end


def _before_loop(emitter: Emitter, graph: Graph) -> tuple[list[Op], dict[str, int]]:
    """Emit what depends on the samples alone; returns what stays in the loop and the sizes of what it reads."""
    known = {TENSOR_X: graph.inputs}
    left: list[Op] = []
    read: dict[str, int] = {}
    for op in graph.step:
        terms = op.terms if isinstance(op, Linear) else ()
        if (terms and all(term.x in known for term in terms)) or (isinstance(op, Expand) and op.x in known):
            emitter.emit(op)
            known[op.out] = graph.sizes[op.out]
            continue
        stay: tuple[Op, ...] = (op,)
        if isinstance(op, Linear) and any(term.x in known for term in terms):
            first, second = f"{op.out}_from_x", f"{op.out}_from_states"
            emitter.emit(replace(op, out=first, terms=tuple(term for term in terms if term.x in known)))
            known[first] = graph.sizes[op.out]
            held = Linear(second, tuple(term for term in terms if term.x not in known))
            stay = (held, Accumulate(op.out, first, second))
        for part in stay:
            fields = [getattr(part, field.name) for field in dataclass_fields(part)]
            read |= {name: known[name] for name in fields if isinstance(name, str) and name in known}
        left += stay
    return left, read


def _zeros(b: Builder, graph: Graph, x: str) -> list[str]:
    """The states at a window's start, one row for each window."""
    windows = b.op("Shape", [x], end=1)
    found: dict[int, str] = {}
    for state in graph.states:
        if state.size not in found:
            shape = b.op("Concat", [windows, b.ints([state.size])], axis=0)
            found[state.size] = b.op("ConstantOfShape", [shape])
    return [found[state.size] for state in graph.states]
