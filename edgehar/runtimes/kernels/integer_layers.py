"""Convnets in integers: from the graph to the tables that `integer_conv` runs, and their engine."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgehar.graph.graph import IntGraph
from edgehar.graph.intops import IntConv, IntLinear, IntMean
from edgehar.graph.ops import TENSOR_X
from edgehar.runtimes.kernels.compiler import Engine
from edgehar.runtimes.kernels.integer_arena import Arena
from edgehar.runtimes.kernels.integer_borders import Borders
from edgehar.runtimes.kernels.integer_conv import COLUMNS, INPUTS, LENGTH, RING, advance
from edgehar.runtimes.kernels.integer_types import Int32Array
from edgehar.types import FloatArray, IntArray


class Layers(NamedTuple):
    """Arguments of `integer_conv.advance`; `rings` and `widest` are the sizes of an engine's buffers."""

    table: IntArray
    weights: NDArray[np.int8]
    numbers: Int32Array
    mean_plan: IntArray
    fc_w: NDArray[np.int8]
    fc_b: Int32Array
    rings: int
    widest: int


def pack_layers(graph: IntGraph) -> Layers:
    """The tables of a model without states: convolutions, a mean, a classifier."""
    convs = [op for op in graph.step if isinstance(op, IntConv)]
    mean, classifier = _head(graph)
    names = [TENSOR_X, *(op.out for op in convs)]
    kept = [*(max([op.kernel, *_lags(convs, name)]) for op, name in zip(convs, names, strict=False)), mean.columns]
    table = np.zeros((len(names), COLUMNS), np.int64)
    weights, numbers = Arena(np.int8), Arena(np.int32)
    ring = 0
    for i, name in enumerate(names):
        width = graph.sizes[name]
        if i < len(convs):
            op = convs[i]
            # [out, inputs / groups, kernel] -> [kernel, inputs / groups, out]
            constants = weights.put(op.w.name, op.w.value.transpose(2, 1, 0)), numbers.put(op.b.name, op.b.value)
            multiplier = numbers.put(op.multiplier.name, op.multiplier.value), op.multiplier.value.size
            skip = names.index(op.skip) if op.skip else -1
            shape = width, graph.sizes[op.out], op.kernel, op.stride, op.groups
            rounding = op.shift, op.low, op.high, op.offset
            table[i, :RING] = (*shape, *constants, *multiplier, *rounding, skip, op.skip_lag, op.skip_multiplier)
        table[i, [INPUTS, RING, LENGTH]] = width, ring, kept[i]
        ring += 2 * kept[i] * width
    return Layers(
        table=table,
        weights=weights.array(),
        numbers=numbers.array(),
        mean_plan=np.array([mean.zero_point, int(mean.multiplier.value[0]), mean.shift], np.int64),
        fc_w=np.ascontiguousarray(classifier.terms[0].w.value.T, np.int8).ravel(),
        fc_b=_bias(classifier, graph.classes),
        rings=ring,
        widest=max(*(graph.sizes[name] for name in names), graph.classes),
    )


def _head(graph: IntGraph) -> tuple[IntMean, IntLinear]:
    mean, classifier = graph.head
    if not isinstance(mean, IntMean) or not isinstance(classifier, IntLinear):
        raise TypeError(f"a convnet's head is a mean and a linear layer, not {graph.head}")
    return mean, classifier


def _lags(convs: list[IntConv], name: str) -> list[int]:
    """Columns of this tensor that its skips need."""
    return [op.skip_lag + 1 for op in convs if op.skip == name]


def _bias(classifier: IntLinear, classes: int) -> Int32Array:
    bias = np.zeros(classes) if classifier.bias is None else classifier.bias.value
    return np.ascontiguousarray(bias, np.int32)


class IntegerConvnetEngine(Engine):
    """A ring of columns for every layer."""

    def __init__(self, layers: Layers, graph: IntGraph, hop: int) -> None:
        self._layers, self._window, self._hop = layers, graph.window, hop
        borders = Borders(graph)
        self._borders = borders.limit, borders.inverse, borders.scale
        self._rings = np.zeros(layers.rings, np.int32)
        self._seen = np.zeros(len(layers.table), np.int64)
        self._scratch = np.zeros(layers.widest, np.int32), np.zeros(len(layers.fc_w) // graph.classes, np.int32)

    def run(self, x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
        p = self._layers
        buffers = self._rings, self._seen, *self._scratch
        head = p.mean_plan, p.fc_w, p.fc_b, *self._borders
        schedule = x, t, self._window, self._hop
        advance(*schedule, p.table, p.weights, p.numbers, *buffers, *head, ends, logits)

    def clear(self) -> None:
        self._seen[:] = 0
