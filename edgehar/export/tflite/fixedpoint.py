"""Fixed-point arithmetic in TFLite operators: what the integer operations of a graph are put together from.

Weights are int8 and states int8 or int16, as in the integer graph; sums of products and gates, which the graph holds in
int32, are int16 here, with a scale for which they cannot overflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.export.tflite.builder import FLOAT32, INT8, INT16, INT32, Builder
from edgehar.export.tflite.model import TensorQuant
from edgehar.export.tflite.schema import TENSOR_TYPES
from edgehar.graph.graph import IntGraph

LARGEST16 = 32767
Q15 = 2.0**-15
Real = NDArray[np.float64]


class FixedPoint:
    """A subgraph on integers; `tensors` maps the graph's names to those of the subgraph.

    `float_sums`: what an int8 convnet's block adds to its input is added in float32, not in int8.
    """

    def __init__(self, b: Builder, tensors: dict[str, str], graph: IntGraph, *, float_sums: bool) -> None:
        self.b, self.tensors, self.graph, self.float_sums = b, tensors, graph, float_sums
        self._wide: dict[str, str] = {}
        # Real value of the integer 0 of tensors whose zero point TFLite does not know of.
        self.origin: dict[str, float] = {}

    def scale(self, name: str) -> float:
        """Of the graph's tensor `name`."""
        return self.graph.quants[name].scale

    def scale_here(self, tensor: str) -> float:
        """Of a tensor of the subgraph."""
        quant = self.b.quant(tensor)
        return 1.0 if quant is None else quant.scale[0]

    def narrow(self, name: str) -> bool:
        """Whether the graph's tensor is int8."""
        return self.graph.quants[name].dtype == "int8"

    def fine(self, name: str) -> float:
        """The int16 scale in which values of `name` are computed before they are rounded to its own type."""
        return self.scale(name) / 256 if self.narrow(name) else self.scale(name)

    def quant_of(self, name: str) -> TensorQuant:
        """What a tensor of the graph's type and scale carries."""
        quant = self.graph.quants[name]
        return TensorQuant((quant.scale,), (quant.zero_point,))

    def stored(self, name: str) -> tuple[np.dtype[Any], TensorQuant | None]:
        """Type and meaning of the bytes of the graph's tensor `name`; tflite-micro adds plain int32 only."""
        dtype = np.dtype(self.graph.quants[name].dtype)
        return dtype, None if dtype == INT32 else self.quant_of(name)

    def largest(self, name: str) -> float:
        """No value of the graph's tensor `name` is larger in magnitude."""
        quant = self.graph.quants[name]
        if quant.scale == 1.0 and quant.dtype == "int8":
            return 1.0  # spikes
        return quant.scale * (128 if quant.dtype == "int8" else 1 << 15)

    # --- operators ----------------------------------------------------------------------------------------------

    def cast(self, x: str, dtype: np.dtype[Any], quant: TensorQuant | None = None) -> str:
        """The same integers in another type."""
        if self.b.dtype(x) == dtype:
            return x
        source, target = TENSOR_TYPES[self.b.dtype(x)], TENSOR_TYPES[dtype]
        return self.b.op("CAST", [x], dtype=dtype, quant=quant, in_type=source, out_type=target)

    def wide(self, name: str) -> str:
        """The graph's tensor `name` in int16: the same integers with the same scale."""
        x = self.tensors[name]
        if x not in self._wide:
            self._wide[x] = self.cast(x, INT16, self.b.quant(x))
        return self._wide[x]

    def const16(self, name: str, real: Real, scale: float | None = None) -> str:
        """An int16 constant [1, n] (or of `real`'s own two axes); its scale from its largest value unless given."""
        real = real if real.ndim == 2 else real.reshape(1, -1)
        scale = max(float(np.abs(real).max()), 1e-9) / LARGEST16 if scale is None else scale
        ints = np.rint(real / scale).clip(-LARGEST16, LARGEST16).astype(np.int16)
        return self.b.const(name, ints, TensorQuant((scale,)))

    def add(self, x: str, y: str, scale: float) -> str:
        """The sum x + y in int16."""
        return self.b.op("ADD", [x, y], quant=TensorQuant((scale,)), pot_scale_int16=0)

    def sub(self, x: str, y: str, scale: float) -> str:
        """The difference x - y in int16."""
        return self.b.op("SUB", [x, y], quant=TensorQuant((scale,)), pot_scale_int16=0)

    def mul(self, x: str, y: str, scale: float, shape: tuple[int, ...] | None = None) -> str:
        """The product x y in int16, broadcast."""
        return self.b.op("MUL", [x, y], shape, quant=TensorQuant((scale,)))

    def gate(self, kind: str, x: str) -> str:
        """LOGISTIC or TANH in Q15."""
        return self.b.op(kind, [x], quant=TensorQuant((Q15,)))

    def settle(self, x: str, name: str) -> str:
        """Round int16 x, computed at `fine(name)`, to the type of the graph's tensor `name`."""
        return self.b.op("QUANTIZE", [x], dtype=INT8, quant=self.quant_of(name)) if self.narrow(name) else x

    def product(
        self,
        x: str,
        name: str,
        w: NDArray[np.int8],
        scales: Real,
        bias: Real | None,
        scale: float,
        *,
        narrow: bool = False,
    ) -> str:
        """The product w x, + bias, in int16: x [rows, n], w int8 [m, n] with 1 or m scales.

        `narrow`: x and the result are int8.
        """
        matrix = self.b.const(name, w, TensorQuant(tuple(scales.tolist()), (0,) * len(scales), 0))
        units = self.scale_here(x) * scales
        added = None
        if bias is not None:
            dtype = np.int32 if narrow else np.int64
            quant = TensorQuant(tuple(units.tolist()), (0,) * len(units), 0)
            added = self.b.const(f"{name}.bias", np.rint(bias / units).astype(dtype), quant)
        shape = (self.b.shape(x)[0], len(w))
        return self.b.op("FULLY_CONNECTED", [x, matrix, added], shape, quant=TensorQuant((scale,)))

    def to_float(self, name: str) -> str:
        """Real values of the graph's tensor `name`, which is int16 with a scale of its own, or int32."""
        x = self.tensors[name]
        if self.b.dtype(x) == INT16:
            return self.b.op("DEQUANTIZE", [x], dtype=FLOAT32)
        scale = self.b.floats(f"{name}_scale", [[self.scale(name)]])
        return self.b.op("MUL", [self.cast(x, FLOAT32), scale])
