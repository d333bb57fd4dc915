"""The operations of a model's graph, each with its equation. A tensor is a vector per sample, called by its name.

A graph is lowered from a bundle once (`edgehar.graph.lower`), executed in NumPy (`edgehar.graph.execute`), quantised
(`edgehar.graph.quantise`) and turned into TFLite, ONNX and C by emitters, which refuse an operation they lack by name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.types import FloatArray

TENSOR_X = "x"
TENSOR_LOGITS = "logits"


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A named array that belongs to the model: float32 as trained, or integers once quantised."""

    name: str
    value: NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Term:
    """One product w x of a `Linear`: w [rows, columns], x [columns]."""

    x: str
    w: Constant


@dataclass(frozen=True, slots=True)
class Linear:
    """out = sum over terms of w x, + bias [rows]."""

    out: str
    terms: tuple[Term, ...]
    bias: Constant | None = None


@dataclass(frozen=True, slots=True)
class Expand:
    """out[i pop + j] = w[i, j] x[i] + b[i, j]: every channel i drives its own `pop` neurons; w, b [channels, pop]."""

    out: str
    x: str
    w: Constant
    b: Constant


@dataclass(frozen=True, slots=True)
class Legendre:
    """out[i d + j] = gain[i d + j] (sum_k a[j, k] x[i d + k] + b[j] u[i]): `memory` rows of order d; a [d, d], b [d].

    u [memory]; gain [memory d] is 1 where it is absent.
    """

    out: str
    x: str
    u: str
    a: Constant
    b: Constant
    gain: Constant | None = None


@dataclass(frozen=True, slots=True)
class GatedUpdate:
    """FastGRNN: z = sigmoid(pre + b_z); g = tanh(pre + b_h); out = (zeta (1 - z) + nu) g + z h; zeta, nu [1]."""

    out: str
    pre: str
    h: str
    b_z: Constant
    b_h: Constant
    zeta: Constant
    nu: Constant


@dataclass(frozen=True, slots=True)
class GruUpdate:
    """GRU, from_x and from_h [3 H] in the order r, z, n.

    r = sigmoid(x_r + h_r); z = sigmoid(x_z + h_z); n = tanh(x_n + r h_n); out = (1 - z) n + z h.
    """

    out: str
    from_x: str
    from_h: str
    h: str


@dataclass(frozen=True, slots=True)
class Lif:
    """A population of leaky neurons, or synaptic ones where alpha is given; reset by subtraction, one sample late.

    current_out = alpha current + drive (synaptic; else the drive itself)
    potential_out = beta potential + current_out - [potential > threshold] threshold
    out = [potential_out > threshold], 0 or 1

    beta, threshold, alpha are [1] or [n], beta and alpha already within 0 to 1.
    """

    out: str
    potential_out: str
    drive: str
    potential: str
    beta: Constant
    threshold: Constant
    current: str = ""
    current_out: str = ""
    alpha: Constant | None = None


@dataclass(frozen=True, slots=True)
class Accumulate:
    """out = total + x: the score that a spiking model's readout sums over the window."""

    out: str
    total: str
    x: str


@dataclass(frozen=True, slots=True)
class Conv:
    """Valid convolution over time; column t of the output:

    out[t] = b + sum_k w[:, :, k] x[t stride + k]  (+ skip[t + skip_lag])  (relu)

    w [out, in / groups, kernel]. `skip` names an earlier tensor of the same rate, cropped by `skip_lag` at each side.
    """

    out: str
    x: str
    w: Constant
    b: Constant
    stride: int
    groups: int
    relu: bool
    skip: str = ""
    skip_lag: int = 0

    @property
    def kernel(self) -> int:
        return int(self.w.value.shape[2])


@dataclass(frozen=True, slots=True)
class Mean:
    """out = mean over the `columns` columns of x that one window has."""

    out: str
    x: str
    columns: int


Op = Linear | Expand | Legendre | GatedUpdate | GruUpdate | Lif | Accumulate | Conv | Mean


def constants_of(op: object) -> tuple[Constant, ...]:
    """Every constant of an operation, float or integer, in the order of its fields."""
    found: list[Constant] = []
    for name in op.__dataclass_fields__:  # type: ignore[attr-defined]
        value = getattr(op, name)
        if isinstance(value, Constant):
            found.append(value)
        elif isinstance(value, tuple):
            found += [
                constant for part in value if hasattr(part, "__dataclass_fields__") for constant in _of_term(part)
            ]
    return tuple(found)


def _of_term(term: object) -> list[Constant]:
    fields = term.__dataclass_fields__  # type: ignore[attr-defined]
    return [value for name in fields if isinstance(value := getattr(term, name), Constant)]


def float_of(constant: Constant) -> FloatArray:
    """The value as float32, for operations on a float graph."""
    return np.asarray(constant.value, np.float32)
