"""What a verification target is, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from edgehar.bundle import Bundle
from edgehar.errors import EdgeHarError
from edgehar.graph.execute import run_graph, trace
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes.lowered import graph_of, int_graph_of
from edgehar.types import FloatArray

Trace = Mapping[str, NDArray[Any]]
"""Tensor of the graph -> [steps, n] for one window; integers where the target computes in integers."""


class UnsupportedError(EdgeHarError):
    """The model does not exist for a target, by nature of the target: neither a failure nor something to install."""


@dataclass(frozen=True)
class Subject:
    """The bundle under test and, where given, the directory with exported files to test instead of fresh ones."""

    bundle: Bundle
    exported: Path | None = None

    @cached_property
    def graph(self) -> Graph | IntGraph:
        """What the model computes: the integer graph of a quantised bundle, else the float graph."""
        return int_graph_of(self.bundle) if self.quantised else graph_of(self.bundle)

    @property
    def scheme(self) -> str | None:
        """Of a quantised bundle: int8 or int8x16."""
        quant = self.bundle.manifest.quant
        return None if quant is None else str(quant["scheme"])

    @property
    def quantised(self) -> bool:
        return self.scheme is not None

    @property
    def spiking(self) -> bool:
        return bool(self.bundle.manifest.model["family"] == "l2mu")

    @property
    def logit_step(self) -> float | None:
        """What one unit of our own integer logits is worth; None for a float model."""
        return self.graph.quants[self.graph.output].scale if isinstance(self.graph, IntGraph) else None

    def expected_trace(self, x: FloatArray) -> Trace:
        """Every tensor of window x [window, inputs] as NumPy computes it."""
        return trace(run_int_graph if self.quantised else run_graph, self.graph, x)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the model takes there. None where the target has no such figure; instructions are not cycles."""

    text_bytes: int | None = None
    rodata_bytes: int | None = None
    ram_bytes: int | None = None
    stack_bytes: int | None = None
    instructions_per_step: float | None = None
    instructions_per_decision: float | None = None
    file_bytes: int | None = None


class Target(Protocol):
    """Constructed as `Target(name, subject)`; raises UnsupportedError where the model does not exist for it."""

    own_arithmetic: bool
    """Ours: integers must agree to the bit. Otherwise another runtime's rounding, which may differ."""

    def missing(self) -> str | None:
        """The command that installs what the target needs here; None when it can run."""
        ...

    def logits(self, x: FloatArray) -> FloatArray:
        """Logits [n, classes] of preprocessed windows x [n, window, inputs], each from a fresh start."""
        ...

    def streamed(self, x: FloatArray) -> FloatArray | None:
        """Logits [m, classes] of the stream x [samples, inputs] at window, window + hop, ...; None: cannot stream."""
        ...

    def trace(self, x: FloatArray, /) -> Trace:
        """The tensors of one window that the target can show, for finding where it goes astray; {} for none."""
        ...

    def faults(self) -> list[str]:
        """Constants that are not what the bundle was made with, each named with where it differs."""
        ...

    def logit_step(self) -> float | None:
        """What one unit of its integer logits is worth; None where it makes real numbers of them, or none at all."""
        ...

    def footprint(self) -> Footprint:
        """Sizes and instruction counts, measured while the logits were computed."""
        ...
