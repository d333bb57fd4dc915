"""The two forms of a file: one step with explicit states, or a whole window in one call.

A recurrent window is a WHILE over the step: `cond` and `body` are subgraphs that every entry shares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from edgehar.export.preprocess import Entry
from edgehar.export.tflite.builder import BOOL, INT32, Builder
from edgehar.export.tflite.model import Signature, Subgraph, TensorQuant
from edgehar.export.tflite.preprocess import emit_preprocess
from edgehar.graph.graph import Graph, IntGraph, State

INPUT_CHANNELS, INPUT_SAMPLES, OUTPUT_LOGITS = "channels", "x", "logits"


class Emitter(Protocol):
    """Turns a graph's operations into a subgraph's; `tensors` maps the graph's names to those of the subgraph."""

    tensors: dict[str, str]

    def state_type(self, state: State) -> tuple[np.dtype[Any], TensorQuant | None]:
        """Type of a state's tensor, the same before and after a step."""
        ...

    def before_loop(self, x: str) -> str:
        """What a loop over the rows of the float32 window x [window, inputs] carries."""
        ...

    def bind_sample(self, x: str) -> None:
        """Take x, float32 or a row of what `before_loop` gave, as the graph's input."""
        ...

    def emit(self, op: Any) -> None:
        """Append one operation, whose inputs have been emitted or bound."""
        ...

    def next_state(self, state: State) -> str:
        """The tensor of the state after the step, of `state_type`."""
        ...

    def logits(self, name: str) -> str:
        """The graph's tensor `name` as float32."""
        ...


MakeEmitter = Callable[[Builder], Emitter]


@dataclass(frozen=True, slots=True)
class Door:
    """One way into a file: public name of its input, and what runs between that input and the model's samples."""

    key: str
    input: str
    entry: Entry | None  # None: preprocessed samples


def step_form(
    graph: Graph | IntGraph, make: MakeEmitter, doors: Sequence[Door]
) -> tuple[list[Subgraph], list[Signature]]:
    """One sample in, logits and next states out; each door has a subgraph of its own."""
    subgraphs, signatures = [], []
    for i, door in enumerate(doors):
        b = Builder(door.key)
        x = enter(b, door, graph, rows=1)
        emitter = make(b)
        _bind_states(b, emitter, graph.states)
        emitter.bind_sample(x)
        _run_step(emitter, graph)
        for state in graph.states:  # what the head reads is the state after the sample
            emitter.tensors[state.name] = emitter.tensors[state.next]
        finish(b, emitter, graph)
        for state in graph.states:
            b.output(b.called(emitter.next_state(state), state.next))
        subgraphs.append(b.graph)
        signatures.append(signature_of(b, door, i, graph.states))
    return subgraphs, signatures


def window_form(
    graph: Graph | IntGraph, make: MakeEmitter, doors: Sequence[Door]
) -> tuple[list[Subgraph], list[Signature]]:
    """A whole window in, logits out."""
    subgraphs, signatures = [], []
    for i, door in enumerate(doors):
        b = Builder(door.key)
        x = enter(b, door, graph, rows=graph.window)
        emitter = make(b)
        if graph.states:
            _loop(b, emitter, graph, x, cond=len(doors))
        else:
            emitter.bind_sample(b.reshape(x, (1, 1, graph.window, graph.inputs)))
            _run_step(emitter, graph)
        finish(b, emitter, graph)
        subgraphs.append(b.graph)
        signatures.append(signature_of(b, door, i, ()))
    if graph.states:
        subgraphs += [_cond(graph, make), _body(graph, make)]
    return subgraphs, signatures


def enter(b: Builder, door: Door, graph: Graph | IntGraph, rows: int) -> str:
    """A subgraph's input and the preprocessing behind it; the samples [rows, inputs]."""
    if door.entry is None:
        return b.input(door.input, (rows, graph.inputs))
    x = b.input(door.input, (rows, len(door.entry.channels)))
    return emit_preprocess(b, door.entry.inside, door.entry.channels, x)


def _bind_states(b: Builder, emitter: Emitter, states: Sequence[State]) -> None:
    for state in states:
        dtype, quant = emitter.state_type(state)
        emitter.tensors[state.name] = b.input(state.name, (1, state.size), dtype, quant)


def _run_step(emitter: Emitter, graph: Graph | IntGraph) -> None:
    for op in graph.step:
        emitter.emit(op)


def finish(b: Builder, emitter: Emitter, graph: Graph | IntGraph) -> None:
    """The head, and the logits as the first output."""
    for op in graph.head:
        emitter.emit(op)
    logits = emitter.logits(graph.output)
    if logits in (emitter.tensors[state.next] for state in graph.states):
        logits = b.reshape(logits, b.shape(logits), f"{OUTPUT_LOGITS}_copy")  # no tensor is two outputs
    b.output(b.called(logits, OUTPUT_LOGITS))


def _loop(b: Builder, emitter: Emitter, graph: Graph | IntGraph, x: str, cond: int) -> None:
    """Run the body for every row of x; binds the last states."""
    carried = emitter.before_loop(x)
    inputs = [b.ints("first", [0]), carried]
    for state in graph.states:
        dtype, quant = emitter.state_type(state)
        inputs.append(b.const(f"{state.name}_start", np.zeros((1, state.size), dtype), quant))
    outputs = [b.like(name, f"{name}_end") for name in inputs]
    b.graph.add_op("WHILE", inputs, outputs, cond_subgraph=cond, body_subgraph=cond + 1)
    for state, name in zip(graph.states, outputs[2:], strict=True):
        emitter.tensors[state.name] = emitter.tensors[state.next] = name


def _carried(graph: Graph | IntGraph, make: MakeEmitter, name: str) -> tuple[Builder, Emitter, str, str]:
    """A subgraph with the loop's inputs: counter, window, states."""
    outside = Builder("outside")
    window = outside.input(INPUT_SAMPLES, (graph.window, graph.inputs))
    carried = make(outside).before_loop(window)
    b = Builder(name)
    counter = b.input("i", (1,), INT32)
    x = b.input("window", (graph.window, graph.inputs), outside.dtype(carried), outside.quant(carried))
    emitter = make(b)
    _bind_states(b, emitter, graph.states)
    return b, emitter, counter, x


def _cond(graph: Graph | IntGraph, make: MakeEmitter) -> Subgraph:
    b, _, counter, _ = _carried(graph, make, "cond")
    b.output(b.op("LESS", [counter, b.ints("samples", [graph.window])], dtype=BOOL))
    return b.graph


def _body(graph: Graph | IntGraph, make: MakeEmitter) -> Subgraph:
    b, emitter, counter, x = _carried(graph, make, "body")
    emitter.bind_sample(b.op("GATHER", [x, counter], (1, graph.inputs), quant=b.quant(x), axis=0))
    _run_step(emitter, graph)
    b.output(b.op("ADD", [counter, b.ints("one_sample", [1])]))
    b.output(x)
    for state in graph.states:
        b.output(b.called(emitter.next_state(state), state.next))
    return b.graph


def signature_of(b: Builder, door: Door, subgraph: int, states: Sequence[State]) -> Signature:
    """Public names for a subgraph's inputs and outputs."""
    names = b.graph.outputs
    inputs = dict(zip((door.input, *(s.name for s in states)), b.graph.inputs, strict=True))
    outputs = dict(zip((OUTPUT_LOGITS, *(s.next for s in states)), names, strict=True))
    return Signature(door.key, subgraph, inputs, outputs)
