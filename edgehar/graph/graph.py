"""A model as a graph: what runs for every sample, and what runs once at a window's end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgehar.graph.intops import IntOp
from edgehar.graph.ops import Constant, Op, constants_of


@dataclass(frozen=True, slots=True)
class State:
    """A vector carried from sample to sample, zero at a window's start: `name` before the sample, `next` after it."""

    name: str
    next: str
    size: int


@dataclass(frozen=True, slots=True)
class Quant:
    """How integers stand for real numbers: real = scale (q - zero_point). dtype is int8, int16 or int32."""

    dtype: str
    scale: float
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class _Common:
    """`x` [inputs] is a preprocessed sample; `sizes` holds every tensor's length (of one column, for a convnet).

    A recurrent model has states: `step` runs for every sample, `head` on the final states. A convnet has none: `step`
    holds its convolutions, which consume and give columns of time, and `head` begins with their mean over the window.
    """

    family: str
    inputs: int
    classes: int
    window: int
    hop: int
    sizes: Mapping[str, int]
    states: tuple[State, ...]
    output: str  # the tensor that holds the logits once step and head have run
    # The manifest's operations that make `x` from a sample of the contract's channels.
    preprocess: tuple[Mapping[str, Any], ...]
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph(_Common):
    """The float model."""

    step: tuple[Op, ...]
    head: tuple[Op, ...]

    def constants(self) -> dict[str, Constant]:
        """All constants by name."""
        return {c.name: c for op in (*self.step, *self.head) for c in constants_of(op)}


@dataclass(frozen=True, slots=True)
class IntGraph(_Common):
    """The integer model: the same tensors, `quants` says what their integers mean; `scheme` is int8 or int8x16."""

    step: tuple[IntOp, ...]
    head: tuple[IntOp, ...]
    quants: Mapping[str, Quant]
    scheme: str

    def constants(self) -> dict[str, Constant]:
        """All constants by name; tables that several operations share appear once."""
        return {c.name: c for op in (*self.step, *self.head) for c in constants_of(op)}
