"""Adds tensors and operators to a subgraph under names that nobody has to invent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgehar.export.tflite.model import Subgraph, TensorQuant, TfliteTensor

FLOAT32, INT32, INT16, INT8, BOOL = (np.dtype(t) for t in (np.float32, np.int32, np.int16, np.int8, np.bool_))
Shape = tuple[int, ...]


class Builder:
    """One subgraph under construction. Every method returns the name of the tensor that it adds."""

    def __init__(self, name: str) -> None:
        self.graph = Subgraph(name)

    def input(self, name: str, shape: Shape, dtype: np.dtype[Any] = FLOAT32, quant: TensorQuant | None = None) -> str:
        """The next positional input."""
        self.graph.inputs.append(name)
        return self.graph.add_tensor(TfliteTensor(name, shape, dtype, None, quant))

    def output(self, name: str) -> None:
        """The next positional output: a tensor that exists."""
        self.graph.outputs.append(name)

    def const(self, name: str, value: NDArray[Any], quant: TensorQuant | None = None) -> str:
        """A constant; one that is already there under this name is used again."""
        if name not in self.graph.tensors:
            self.graph.add_tensor(TfliteTensor(name, value.shape, value.dtype, value, quant))
        return name

    def floats(self, name: str, value: ArrayLike) -> str:
        """A float32 constant."""
        return self.const(name, np.asarray(value, np.float32))

    def ints(self, name: str, value: ArrayLike) -> str:
        """An int32 constant: shapes, axes, indices."""
        return self.const(name, np.asarray(value, np.int32))

    def op(
        self,
        kind: str,
        inputs: Sequence[str | None],
        shape: Shape | None = None,
        *,
        dtype: np.dtype[Any] | None = None,
        quant: TensorQuant | None = None,
        name: str = "",
        **options: Any,
    ) -> str:
        """One operator with one output, which is like the first input where shape or dtype are not given."""
        first = self.graph.tensors[str(inputs[0])]
        name = name or f"{kind.lower()}_{len(self.graph.ops)}"
        shape = first.shape if shape is None else shape
        self.graph.add_tensor(TfliteTensor(name, shape, dtype or first.dtype, None, quant))
        self.graph.add_op(kind, inputs, [name], **options)
        return name

    def reshape(self, x: str, shape: Shape, name: str = "") -> str:
        """The same values in another shape; x itself where it has that shape already."""
        if self.shape(x) == shape and not name:
            return x
        wanted = self.ints(f"shape_{'x'.join(map(str, shape))}", shape)
        return self.op("RESHAPE", [x, wanted], shape, quant=self.quant(x), name=name)

    def like(self, x: str, name: str) -> str:
        """A tensor that an operator with several outputs will write, of x's shape, type and meaning."""
        return self.graph.add_tensor(TfliteTensor(name, self.shape(x), self.dtype(x), None, self.quant(x)))

    def called(self, x: str, name: str) -> str:
        """Show x under `name` in the file; an input keeps its own. Returns x."""
        if x not in self.graph.inputs:
            self.graph.tensors[x] = replace(self.graph.tensors[x], name=name)
        return x

    def shape(self, name: str) -> Shape:
        return self.graph.tensors[name].shape

    def dtype(self, name: str) -> np.dtype[Any]:
        return self.graph.tensors[name].dtype

    def quant(self, name: str) -> TensorQuant | None:
        return self.graph.tensors[name].quant
