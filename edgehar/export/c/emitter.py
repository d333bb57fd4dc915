"""What the float and the integer emitter share: where tensors live, and which operations there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from edgehar.errors import Reason, UsageError
from edgehar.export.c.products import Options, event_product, product
from edgehar.export.c.unit import Unit, Vector
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.ops import TENSOR_X, Constant


class Emitter:
    """Appends a graph's operations to a unit.

    `suffix` names the kernels' type, `vector_type` is that of vectors within a step, `sum_type` that of products.
    """

    suffix: ClassVar[str]
    vector_type: ClassVar[str]
    sum_type: ClassVar[str]
    operations: ClassVar[Mapping[type, Callable[[Any, Any], None]]]

    def __init__(self, unit: Unit, graph: Graph | IntGraph, options: Options, spiking: Iterable[str]) -> None:
        self.unit, self.graph, self.options = unit, graph, options
        self.sizes = graph.sizes
        self.spikes = {name for out in spiking for name in (out, out.removesuffix("_next"))}
        self.vectors: dict[str, Vector] = {}

    def ctype(self, name: str) -> str:
        """The type in which a state or column is kept."""
        raise NotImplementedError

    def temporary_type(self, _: str) -> str:
        """The type of a vector within a step."""
        return self.vector_type

    def place_input(self) -> Vector:
        """The sample behind the preprocessing."""
        self.vectors[TENSOR_X] = self.unit.temporary(TENSOR_X, self.vector_type, self.graph.inputs)
        return self.vectors[TENSOR_X]

    def place_state(self, name: str, following: str, size: int) -> None:
        """A state and its next value share a place; `check_in_place` has made sure that they may."""
        if self.is_events(name):
            found = self.unit.events(name, size, carried=True)
        else:
            found = self.unit.carried(name, self.ctype(name), size)
        self.vectors[name] = self.vectors[following] = found

    def place(self, name: str) -> Vector:
        """The vector of a tensor that an operation is about to write."""
        if name not in self.vectors:
            size = self.sizes[name]
            if self.is_events(name):
                self.vectors[name] = self.unit.events(name, size, carried=False)
            else:
                self.vectors[name] = self.unit.temporary(name, self.temporary_type(name), size)
        return self.vectors[name]

    def is_events(self, name: str) -> bool:
        """Whether a tensor is a list of the neurons that fired."""
        return self.options.events and name in self.spikes

    def emit(self, op: Any) -> None:
        """Append one operation; raises UsageError for one that C lacks."""
        if type(op) not in self.operations:
            raise UsageError(
                f"the C emitter has no operation {type(op).__name__} (it makes '{op.out}')",
                reason=Reason.VALUE,
                hint="export to another format: --target tflite or --target onnx",
            )
        self.unit.line("", f"/* {op.out} */")
        self.operations[type(op)](self, op)

    def accumulate(self, op: Any) -> None:
        """Append out = total + x."""
        out, x = self.place(op.out), self.vectors[op.x]
        if x.is_events:
            self.unit.loop("i", x.count, [f"{out.expr}[{x.expr}[i]] += 1;"])
        else:
            self.unit.loop("i", out.size, [f"{out.expr}[i] += {x.expr}[i];"])
        self.unit.trace(op.out, out)

    def products(self, op: Any) -> list[str]:
        """The sums of a `Linear`'s terms, as arrays."""
        sums = []
        for i, term in enumerate(op.terms):
            w = term.w.value
            acc = self.unit.room(f"acc{i}", self.sum_type, -(-len(w) // 4) * 4)
            x = self.vectors[term.x]
            if x.is_events:
                event_product(self.unit, self.options, term.w.name, w, x, acc, self.suffix)
            else:
                product(self.unit, self.options, term.w.name, w, self.operand(x), acc, self.suffix)
            sums.append(acc)
        return sums

    def operand(self, x: Vector) -> str:
        """An array that the kernels of products take."""
        return x.expr

    def spike(self, out: Vector, threshold: str, one: str) -> list[str]:
        """Lines within a loop over neurons i: those whose potential `u` is above the threshold fire."""
        if out.is_events:
            return [f"if (u > {threshold}) {{", f"    {out.expr}[{out.count}++] = (uint16_t)i;", "}"]
        return [f"{out.expr}[i] = u > {threshold} ? {one} : 0;"]

    def array(self, c: Constant) -> str:
        """A constant as an array."""
        return self.unit.constant(c.name, c.value)

    def scalar(self, c: Constant, index: str) -> str:
        """The one value of a constant, or its element `index`."""
        return self.unit.indexed(c.name, np.asarray(c.value), index)
