"""A TFLite model in memory: tensors, operators, subgraphs, signatures. `writer.write_tflite` makes bytes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.export.tflite.schema import OPERATORS, OPTIONS, TENSOR_TYPES


@dataclass(frozen=True, slots=True)
class TensorQuant:
    """real = scale (q - zero_point): one pair for the whole tensor, or one for each index along `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...] = (0,)
    axis: int = 0

    def __post_init__(self) -> None:
        if len(self.zero_point) != len(self.scale) or not all(s > 0 for s in self.scale):
            raise _refuse(f"{len(self.scale)} scales above 0 and {len(self.zero_point)} zero points must be as many")


@dataclass(frozen=True, slots=True, eq=False)
class TfliteTensor:
    """`value` is given for constants. Shapes are static; a batch of one is written out."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    value: NDArray[np.generic] | None = None
    quant: TensorQuant | None = None

    def __post_init__(self) -> None:
        if self.dtype not in TENSOR_TYPES:
            raise _refuse(f"tensor {self.name} is {self.dtype}, the writer has {', '.join(map(str, TENSOR_TYPES))}")
        if self.value is not None and (self.value.shape != self.shape or self.value.dtype != self.dtype):
            raise _refuse(
                f"tensor {self.name} is {self.dtype} {self.shape}, its value {self.value.dtype} {self.value.shape}"
            )


@dataclass(frozen=True, slots=True)
class TfliteOp:
    """One operator. An input may be None where the operator allows one to be absent, such as a bias."""

    kind: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in OPERATORS:
            raise _refuse(f"operator {self.kind} is not one of {', '.join(sorted(OPERATORS))}")
        known = OPTIONS[self.kind].fields if self.kind in OPTIONS else {}
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            raise _refuse(f"{self.kind} has no option {', '.join(unknown)}")


@dataclass(slots=True)
class Subgraph:
    """Tensors by name, operators in the order of execution. Inputs and outputs are positional, as WHILE counts them."""

    name: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tensors: dict[str, TfliteTensor] = field(default_factory=dict)
    ops: list[TfliteOp] = field(default_factory=list)

    def add_tensor(self, tensor: TfliteTensor) -> str:
        """Register `tensor`; returns its name."""
        if tensor.name in self.tensors:
            raise _refuse(f"subgraph {self.name} has two tensors called {tensor.name}")
        self.tensors[tensor.name] = tensor
        return tensor.name

    def add_op(self, kind: str, inputs: Sequence[str | None], outputs: Sequence[str], **options: Any) -> None:
        """Append an operator on registered tensors."""
        for name in (*inputs, *outputs):
            if name is not None and name not in self.tensors:
                raise _refuse(f"{kind} in subgraph {self.name} names the unknown tensor {name}")
        self.ops.append(TfliteOp(kind, tuple(inputs), tuple(outputs), options))


@dataclass(frozen=True, slots=True)
class Signature:
    """A named entry: subgraph `subgraph` (index), called with and returning tensors under these public names."""

    key: str
    subgraph: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def _refuse(what: str) -> InputError:
    return InputError(
        f"TFLite: {what}",
        reason=Reason.VALUE,
        hint="export another form or dtype of this bundle (edgehar export --help)",
    )
