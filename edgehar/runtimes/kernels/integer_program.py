"""Recurrent models in integers: from the graph to the rows that `integer_recurrent` interprets, and their engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgehar.graph.graph import IntGraph
from edgehar.graph.intexecute import LIMITS
from edgehar.graph.intops import (
    IntAccumulate,
    IntExpand,
    IntGatedUpdate,
    IntGruUpdate,
    IntLegendre,
    IntLif,
    IntLinear,
    IntOp,
)
from edgehar.graph.ops import TENSOR_X, Constant
from edgehar.runtimes.kernels.compiler import Engine
from edgehar.runtimes.kernels.integer_arena import Arena
from edgehar.runtimes.kernels.integer_borders import Borders
from edgehar.runtimes.kernels.integer_recurrent import (
    ACCUMULATE,
    COLUMNS,
    EXPAND,
    FINISH,
    FIRE,
    GATED,
    GRU,
    LEAK,
    LEGENDRE,
    PRODUCT,
    advance,
)
from edgehar.runtimes.kernels.integer_types import Int32Array
from edgehar.types import IntArray

Row = tuple[int, ...]


class Program(NamedTuple):
    """What a recurrent engine runs; `places` says where a tensor lies in a lane's row of `size`."""

    step: IntArray
    head: IntArray
    weights: NDArray[np.int8]
    numbers: Int32Array
    places: Mapping[str, int]
    size: int
    states: int
    widest: int
    populations: tuple[str, ...]


def translate(graph: IntGraph) -> Program:
    """The program of a model with states."""
    return _Translator(graph).run()


class _Translator:
    """Translates operations to rows of `edgehar.runtimes.kernels.integer_recurrent`."""

    def __init__(self, graph: IntGraph) -> None:
        self.graph = graph
        self.weights, self.numbers = Arena(np.int8), Arena(np.int32)
        self.places: dict[str, int] = {}
        self.size = 0
        self.populations: list[str] = []
        for name in (*(s.name for s in graph.states), *(s.next for s in graph.states)):
            self.place(name)
        self.states = self.size // 2
        for name in graph.sizes:
            self.place(name)

    def place(self, name: str) -> None:
        if name not in self.places:
            self.places[name] = self.size
            self.size += self.graph.sizes[name]

    def run(self) -> Program:
        graph = self.graph
        step = self.rows(graph.step)
        head = self.rows(graph.head)
        return Program(
            step=step,
            head=head,
            weights=self.weights.array(),
            numbers=self.numbers.array(),
            places=self.places,
            size=self.size,
            states=self.states,
            widest=max(graph.sizes.values()),
            populations=tuple(self.populations),
        )

    def rows(self, ops: Sequence[IntOp]) -> IntArray:
        found = [row for op in ops for row in self.translate(op)]
        table = np.zeros((len(found), COLUMNS), np.int64)
        for line, row in zip(table, found, strict=True):
            line[: len(row)] = row
        return table

    def at(self, name: str) -> int:
        return self.places[name]

    def number(self, constant: Constant | None) -> tuple[int, int]:
        """Place and length among the numbers; (0, 0) for none."""
        return (0, 0) if constant is None else (self.numbers.put(constant.name, constant.value), constant.value.size)

    def limits(self, name: str) -> tuple[int, int]:
        return LIMITS[self.graph.quants[name].dtype]

    def translate(self, op: IntOp) -> list[Row]:
        return TRANSLATE[type(op)](self, op)

    def linear(self, op: IntLinear) -> list[Row]:
        rows, n = [], self.graph.sizes[op.out]
        for term in op.terms:
            w = self.weights.put(term.w.name, term.w.value.T)
            x = self.at(term.x), self.graph.sizes[term.x]
            rows.append((PRODUCT, w, n, *x, *self.number(term.multiplier)))
        return [*rows, (FINISH, self.at(op.out), n, *self.number(op.bias), op.shift, *self.limits(op.out))]

    def gated(self, op: IntGatedUpdate) -> list[Row]:
        biases = [self.number(c)[0] for c in (op.b_z, op.b_h)]
        gains = self.numbers.put("zeta nu", np.concatenate([op.zeta.value, op.nu.value]))
        out, pre, h = self.at(op.out), self.at(op.pre), self.at(op.h)
        limit = self.limits(op.out)[1]
        row = (GATED, out, self.graph.sizes[op.out], pre, h, *biases, *self.number(op.table))
        return [(*row, gains, op.unit, limit)]

    def gru(self, op: IntGruUpdate) -> list[Row]:
        tensors = self.at(op.from_x), self.at(op.from_h), self.at(op.h)
        n, limit = self.graph.sizes[op.out], self.limits(op.out)[1]
        return [(GRU, self.at(op.out), n, *tensors, *self.number(op.table), op.unit, limit)]

    def lif(self, op: IntLif) -> list[Row]:
        rows: list[Row] = []
        n, drive = self.graph.sizes[op.out], self.at(op.drive)
        if op.alpha is not None:
            current = self.at(op.current_out), n, self.at(op.current), drive
            rows.append((LEAK, *current, *self.number(op.alpha), self.limits(op.current_out)[1]))
        potentials = self.at(op.potential_out), self.at(op.potential)
        constants = *self.number(op.beta), *self.number(op.threshold)
        limit, number = self.limits(op.potential_out)[1], len(self.populations)
        self.populations.append(op.out)
        rows.append((FIRE, self.at(op.out), n, *potentials, drive, *constants, limit, number))
        return rows

    def expand(self, op: IntExpand) -> list[Row]:
        x = self.at(op.x), self.graph.sizes[op.x]
        constants = [self.number(c)[0] for c in (op.w, op.b, op.multiplier)]
        return [(EXPAND, self.at(op.out), self.graph.sizes[op.out], *x, *constants, op.shift)]

    def legendre(self, op: IntLegendre) -> list[Row]:
        tensors = self.at(op.x), self.at(op.u), self.graph.sizes[op.u]
        constants = self.number(op.a)[0], self.number(op.b)[0], *self.number(op.multiplier)
        return [(LEGENDRE, self.at(op.out), self.graph.sizes[op.out], *tensors, *constants, op.shift)]

    def accumulate(self, op: IntAccumulate) -> list[Row]:
        n = self.graph.sizes[op.out]
        return [(ACCUMULATE, self.at(op.out), n, self.at(op.total), self.at(op.x))]


TRANSLATE: Mapping[type[IntOp], Callable[[_Translator, Any], list[Row]]] = {
    IntLinear: _Translator.linear,
    IntGatedUpdate: _Translator.gated,
    IntGruUpdate: _Translator.gru,
    IntLif: _Translator.lif,
    IntExpand: _Translator.expand,
    IntLegendre: _Translator.legendre,
    IntAccumulate: _Translator.accumulate,
}


class IntegerRecurrentEngine(Engine):
    """A state for every lane."""

    def __init__(self, program: Program, graph: IntGraph, hop: int) -> None:
        self._populations = program.populations
        borders, lanes = Borders(graph), -(-graph.window // hop)
        tensors = np.zeros((lanes, program.size), np.int32)
        input_at = program.places[TENSOR_X], borders.limit, borders.inverse
        borders_at = program.states, *input_at, program.places[graph.output], borders.scale
        scratch = np.zeros(program.widest, np.int32), np.zeros(program.widest, np.int64)
        self._fired = np.zeros(len(program.populations) + 1, np.int64)
        self.counters = (self._fired,)
        self._sizes = [graph.sizes[name] for name in program.populations]
        numbers = program.weights, program.numbers, *scratch, self._fired, np.zeros(lanes, np.int64)
        self.kernel, self.state = advance, (tensors,)
        self.arguments = graph.window, hop, program.step, program.head, tensors, *borders_at, *numbers

    def spikes(self) -> dict[str, tuple[int, int]]:
        steps = int(self._fired[-1])
        names = [name.removeprefix("S_").removesuffix("_next") for name in self._populations]
        counted = zip(names, self._fired.tolist(), self._sizes, strict=False)
        return {name: (fired, steps * size) for name, fired, size in counted}
