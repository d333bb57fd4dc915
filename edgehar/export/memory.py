"""How much RAM a model needs while it runs, estimated from its graph: states, and the tensors that live together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from edgehar.export.stream import plan_stream
from edgehar.graph.convplan import plan_convnet
from edgehar.graph.graph import Graph
from edgehar.graph.ops import TENSOR_X, Conv, GatedUpdate, GruUpdate, Lif, Linear, Op

BYTES = {"float32": 4, "dynamic": 4, "int8": 1, "int8x16": 2}
"""Of one value in a tensor between operations, and in a state."""
FLOAT_BYTES = ACCUMULATOR_BYTES = 4
STREAM_BYTES = 1024
"""Filters, the stream's counters, smoothing and stack of a C module; `edgehar verify` measures them."""

INTERPRETER_BYTES = 24 * 1024
"""What an interpreter keeps about a file's tensors and nodes: tflite-micro's most, on a 64-bit machine."""
POPULATION_BYTES = {"float32": 4608, "dynamic": 4608, "int8": 9216, "int8x16": 9216}
"""The same for each population of a spiking model, by dtype: integers take more nodes."""


def window_ram_bytes(graph: Graph, channels: int, dtype: str) -> int:
    """A whole window at once, as an interpreter runs it: its float32 input, and the most that lives beside it."""
    arriving = _interpreter_bytes(graph, dtype) + FLOAT_BYTES * graph.window * (channels + graph.inputs)
    width = BYTES[dtype]
    if graph.states:
        states = 2 * sum(state.size for state in graph.states)
        return arriving + width * (states + sum(graph.sizes[op.out] for op in graph.step))
    return arriving + width * _largest_chain(graph)


def step_ram_bytes(graph: Graph, channels: int, dtype: str) -> int:
    """One call of a step: its float32 input, the tensors of a step, and the states before and after it."""
    if graph.states:
        samples = 1
        values = 2 * sum(state.size for state in graph.states) + sum(graph.sizes[op.out] for op in graph.step)
    else:
        plan = plan_stream(graph)
        samples, last = plan.samples, graph.step[-1].out
        values = _kept(plan.window_columns - plan.fresh[last], plan.fresh[last]) * graph.sizes[last]
        for op in graph.step:
            if isinstance(op, Conv):
                values += _kept(plan.tails[op.out], plan.fresh[op.x]) * graph.sizes[op.x]
                values += plan.fresh[op.out] * graph.sizes[op.out]
                if op.skip:
                    values += _kept(plan.skips[op.out], plan.fresh[op.skip]) * graph.sizes[op.skip]
    return _interpreter_bytes(graph, dtype) + FLOAT_BYTES * samples * (channels + graph.inputs) + BYTES[dtype] * values


def has_rounding(graph: Graph, dtype: str) -> bool:
    """Whether a TFLite file's integers can be rounded in two ways: in gates, and in a residual block's sum."""
    return dtype == "int8" and any(isinstance(op, GatedUpdate | GruUpdate) or _ends_block(op) for op in graph.step)


def exact_bytes(graph: Graph) -> int:
    """What exact rounding adds to an int8 file's memory: weights unpacked for good, float32 tensors of a step or block.

    Between its operations a gated step keeps about a dozen vectors of the state's size.
    """
    if graph.states:
        linear = [term.w.value.size for op in (*graph.step, *graph.head) if isinstance(op, Linear) for term in op.terms]
        return FLOAT_BYTES * (sum(linear) + 12 * sum(graph.sizes[op.out] for op in graph.step))
    columns = _columns(graph)
    ends = [op for op in graph.step if isinstance(op, Conv) and _ends_block(op)]
    kernels = sum(op.w.value.size for op in ends)
    blocks = [columns[op.x] * graph.sizes[op.x] + 3 * columns[op.out] * graph.sizes[op.out] for op in ends]
    return FLOAT_BYTES * (kernels + max(blocks, default=0))


def _ends_block(op: Op) -> bool:
    return isinstance(op, Conv) and bool(op.skip)


def _interpreter_bytes(graph: Graph, dtype: str) -> int:
    populations = sum(isinstance(op, Lif) for op in graph.step)
    return max(INTERPRETER_BYTES, POPULATION_BYTES[dtype] * populations)


def _kept(columns: int, fresh: int) -> int:
    """Columns of a state before and after a step, and of what it is joined to."""
    return 3 * columns + fresh


def stream_ram_bytes(graph: Graph, dtype: str, model: Mapping[str, Any]) -> int:
    """Sample by sample over overlapping windows, as the C module runs: states of every window that is open.

    A convnet keeps the columns that its next ones need, and those of one window before the mean.
    """
    width = BYTES[dtype]
    accumulators = max(ACCUMULATOR_BYTES * _accumulators(op) for op in (*graph.step, *graph.head))
    if graph.states:
        lanes = -(-graph.window // graph.hop)
        tensors = sum(graph.sizes[op.out] for op in (*graph.step, *graph.head))
        values = graph.inputs + lanes * sum(state.size for state in graph.states) + tensors
    else:
        plan = plan_convnet(model, graph.window)
        sizes = [graph.inputs, *(conv.out for conv in plan.convs)]
        values = sum(kept * size for kept, size in zip(plan.kept, sizes, strict=True))
    return width * values + accumulators + STREAM_BYTES


def _accumulators(op: Op) -> int:
    """Sums and operands that one operation keeps beside its tensors."""
    if isinstance(op, Linear):
        return len(op.terms) * len(op.terms[0].w.value)
    return int(op.w.value[0].size) + len(op.w.value) if isinstance(op, Conv) else 0


def _largest_chain(graph: Graph) -> int:
    """Most values that convolutions over a whole window keep at one time."""
    columns = _columns(graph)
    last_use = {name: i for i, op in enumerate(graph.step) for name in _reads(op)}
    largest = 0
    for i, op in enumerate(graph.step):
        made = {TENSOR_X, *(earlier.out for earlier in graph.step[:i])}
        live = {op.out, *(name for name in made if last_use.get(name, -1) >= i)}
        largest = max(largest, sum(graph.sizes[name] * columns.get(name, 1) for name in live))
    return largest


def _columns(graph: Graph) -> dict[str, int]:
    """Columns of time that a whole window gives each tensor of a convnet."""
    columns = {TENSOR_X: graph.window}
    for op in graph.step:
        if isinstance(op, Conv):
            columns[op.out] = (columns[op.x] - op.kernel) // op.stride + 1
    return columns


def _reads(op: Op) -> list[str]:
    if isinstance(op, Linear):
        return [term.x for term in op.terms]
    values = [getattr(op, field.name) for field in fields(op) if field.name != "out"]
    return [value for value in values if isinstance(value, str) and value]
