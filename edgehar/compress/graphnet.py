"""A bundle's graph as a torch network that computes, in floats, what its integers will: for training with them in view.

Its parameters are the bundle's tensors under their own names. Every weight and every tensor that is stored as int8 or
int16 is put on its grid; what the integer program keeps in 32 bits, and its table of tanh, are left in float.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgehar.compress.fakequant import on_grid, weights_on_grid
from edgehar.errors import Reason, UsageError
from edgehar.graph.graph import Graph, Quant
from edgehar.graph.lower import lower
from edgehar.graph.ops import TENSOR_X, Constant, Conv, GatedUpdate, GruUpdate, Linear, Mean, Op
from edgehar.graph.quantise import quantise
from edgehar.models.base import Array, Model, Tensors

FAMILIES = ("cnn", "csicnn", "csieffnet", "dscnn", "fastgrnn", "gru")
SHARES = ("zeta", "nu")
"""Parameters that stay within 0 to 1."""
Values = dict[str, Tensor]


class GraphNet(Model):
    """[b, w, c] -> logits [b, k], every stored number on its grid. Recurrent values are [b, n], columns [b, n, t]."""

    family: ClassVar[str] = "graph"

    def __init__(
        self, table: Mapping[str, Any], tensors: Mapping[str, Array], window: int, quant: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.table, self.quant = dict(table), dict(quant)
        self.graph: Graph = lower(table, tensors, window=window, hop=window)
        self.quants: Mapping[str, Quant] = quantise(self.graph, quant).quants
        self.tensors = nn.ParameterDict({_key(n): nn.Parameter(torch.tensor(t)) for n, t in tensors.items()})
        constants = self.graph.constants()
        # The inner factor of a low-rank pair is applied transposed.
        self.transposed = {n for n, t in tensors.items() if not np.array_equal(constants[n].value, t)}

    @classmethod
    def build(cls, *, channels: int, classes: int, window: int) -> Self:
        raise UsageError(
            f"a new network of {channels} channels, {classes} classes and {window} samples has no ranges yet",
            reason=Reason.VALUE,
            hint="train a model first, then restore it with its ranges",
        )

    @classmethod
    def restore(
        cls,
        table: Mapping[str, Any],
        tensors: Mapping[str, Array],
        *,
        window: int,
        quant: Mapping[str, Any] | None = None,
    ) -> Self:
        """`quant` as in a manifest, for these tensors."""
        if quant is None or table["family"] not in FAMILIES:
            raise UsageError(
                f"{table['family']} cannot be trained in view of its integers",
                reason=Reason.VALUE,
                hint=f"families: {', '.join(FAMILIES)}; a spiking model is quantised as it is: --quant int8",
            )
        return cls(table, tensors, window, quant)

    def export(self) -> tuple[dict[str, Any], Tensors]:
        return self.table, {
            name: np.ascontiguousarray(p.detach().numpy(), np.float32) for name, p in self.named_tensors().items()
        }

    def matrices(self) -> dict[str, Tensor]:
        return {name: p for name, p in self.named_tensors().items() if p.ndim > 1}

    def named_tensors(self) -> dict[str, nn.Parameter]:
        """The bundle's tensors."""
        return {_name(key): p for key, p in self.tensors.items()}

    @torch.no_grad()
    def after_step(self) -> None:
        for name in SHARES:
            if name in self.tensors:
                self.tensors[name].clamp_(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        used = self._constants()
        v: Values = {}
        if self.graph.states:
            v |= {state.name: x.new_zeros(len(x), state.size) for state in self.graph.states}
            for sample in on_grid(x, self.quants[TENSOR_X]).unbind(1):
                v[TENSOR_X] = sample
                self._run(self.graph.step, v, used)
                v |= {state.name: v[state.next] for state in self.graph.states}
        else:
            v[TENSOR_X] = on_grid(x, self.quants[TENSOR_X]).transpose(1, 2)
            self._run(self.graph.step, v, used)
        self._run(self.graph.head, v, used)
        return v[self.graph.output]

    def _run(self, ops: tuple[Op, ...], v: Values, used: Values) -> None:
        for op in ops:
            v[op.out] = on_grid(EQUATIONS[type(op)](op, v, used), self.quants[op.out])

    def _constants(self) -> Values:
        """Every constant as the graph applies it, matrices on their grids."""
        per_channel = self.quant["per_channel"]
        kernels = {op.w.name for op in self.graph.step if isinstance(op, Conv)}
        classifiers = {term.w.name for op in self.graph.head if isinstance(op, Linear) for term in op.terms}
        used: Values = {}
        for name, parameter in self.named_tensors().items():
            value = parameter.t() if name in self.transposed else parameter
            if value.ndim > 1:
                rows = per_channel == "all" or (per_channel == "conv" and name in kernels)
                value = weights_on_grid(value, per_row=rows and name not in classifiers)
            used[name] = value
        return used


def _key(name: str) -> str:
    return name.replace(".", "/")  # torch keeps dots for submodules


def _name(key: str) -> str:
    return key.replace("/", ".")


def _of(used: Values, constant: Constant) -> Tensor:
    return used[constant.name]


def _linear(op: Linear, v: Values, used: Values) -> Tensor:
    total = sum((F.linear(v[t.x], _of(used, t.w)) for t in op.terms), torch.zeros(()))
    return total if op.bias is None else total + _of(used, op.bias)


def _gated(op: GatedUpdate, v: Values, used: Values) -> Tensor:
    z = torch.sigmoid(v[op.pre] + _of(used, op.b_z))
    g = torch.tanh(v[op.pre] + _of(used, op.b_h))
    return (_of(used, op.zeta) * (1 - z) + _of(used, op.nu)) * g + z * v[op.h]


def _gru(op: GruUpdate, v: Values, _: Values) -> Tensor:
    x_r, x_z, x_n = v[op.from_x].chunk(3, dim=1)
    h_r, h_z, h_n = v[op.from_h].chunk(3, dim=1)
    z = torch.sigmoid(x_z + h_z)
    return (1 - z) * torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n) + z * v[op.h]


def _conv(op: Conv, v: Values, used: Values) -> Tensor:
    y = F.conv1d(v[op.x], _of(used, op.w), _of(used, op.b), stride=op.stride, groups=op.groups)
    if op.skip:
        y = y + v[op.skip][:, :, op.skip_lag : op.skip_lag + y.shape[2]]
    return torch.relu(y) if op.relu else y


def _mean(op: Mean, v: Values, _: Values) -> Tensor:
    return v[op.x].mean(dim=2)


EQUATIONS: Mapping[type[Any], Any] = {
    Linear: _linear,
    GatedUpdate: _gated,
    GruUpdate: _gru,
    Conv: _conv,
    Mean: _mean,
}
