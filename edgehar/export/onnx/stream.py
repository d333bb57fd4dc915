"""A convnet as a step: the newest samples in, logits of the window that they end out (`edgehar.export.stream`).

Columns are [streams, channels, time]; the states are float32, those of an int8 file with values on its grid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgehar.export.onnx.builder import Builder, Dim, value_info
from edgehar.export.onnx.columns import SAMPLES_AS_COLUMNS, between
from edgehar.export.onnx.form import SCOPE_STEP, AnyGraph, Emitter, Made, MakeEmitter, enter, finish
from edgehar.export.preprocess import Entry
from edgehar.export.stream import plan_stream
from edgehar.graph.ops import TENSOR_X
from edgehar.runtimes.onnx_file import INPUT_CHANNELS


def stream_form(graph: AnyGraph, make: MakeEmitter, entry: Entry) -> Made:
    """From channels [streams, samples, channels] and every tail to logits [streams, classes] and every next tail."""
    plan = plan_stream(graph)
    b = Builder()
    x = enter(b, entry)
    emitter = make(b, b)
    emitter.tensors[TENSOR_X] = x
    b.scope = SCOPE_STEP
    keeper = _Keeper(b, emitter, graph)
    for op in graph.step:
        keeper.convolve(op, plan.fresh, plan.tails[op.out], plan.skips.get(op.out, 0))
    mean: Any = graph.head[0]
    kept = plan.window_columns - plan.fresh[mean.x]
    emitter.tensors[mean.x] = keeper.joined(mean.x, emitter.tensors[mean.x], "columns", kept, plan.fresh[mean.x])
    inputs = [value_info(name, shape) for name, _, shape in keeper.states]
    outputs = [value_info(following, shape) for _, following, shape in keeper.states]
    shape: list[Dim] = ["streams", plan.samples]
    channels = value_info(INPUT_CHANNELS, [*shape, len(entry.channels)])
    return finish(b, emitter, graph, [channels, *inputs], outputs, x, [*shape, graph.inputs])


class _Keeper:
    """Puts what a step keeps before what arrives. `states`: name before, name after, shape."""

    def __init__(self, b: Builder, emitter: Emitter, graph: AnyGraph) -> None:
        self.b, self.emitter, self.graph = b, emitter, graph
        self.states: list[tuple[str, str, list[Dim]]] = []

    def convolve(self, op: Any, fresh: dict[str, int], tail: int, skip: int) -> None:
        """One convolution on its tail and its new columns."""
        tensors = self.emitter.tensors
        # The samples, as columns, have a name of their own.
        arrived = self.emitter.columns(op.x)
        held = {name: tensors[name] for name in (op.x, SAMPLES_AS_COLUMNS) if name in tensors}
        at = SAMPLES_AS_COLUMNS if op.x == TENSOR_X else op.x
        if op.skip:
            older = self.joined(op.skip, self.emitter.columns(op.skip), f"skip_{op.out}", skip, fresh[op.skip])
            op = replace(op, skip=f"skip of {op.out}", skip_lag=0)
            tensors[op.skip] = between(self.b, older, 0, fresh[op.out]) if skip else older
        tensors[at] = self.joined(op.x, arrived, f"tail_{op.out}", tail, fresh[op.x])
        self.emitter.emit(op)
        tensors |= held

    def joined(self, tensor: str, new: str, name: str, columns: int, fresh: int) -> str:
        """`columns` kept columns before the `fresh` new ones of the graph's `tensor`; the last of both are kept on."""
        if columns == 0:
            return new
        before = self.b.free(name)
        whole = self.b.op("Concat", [before, new], axis=2)
        after = between(self.b, whole, fresh, fresh + columns, f"{name}_next")
        self.states.append((before, after, ["streams", self.graph.sizes[tensor], columns]))
        return whole
