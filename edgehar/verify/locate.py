"""Where two runs of one window part: the first tensor, step and element, and the operation that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.ops import constants_of
from edgehar.verify.target import Trace


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first value that differs, and the operation with its constants that makes it."""

    tensor: str
    step: int
    element: int
    found: float
    expected: float
    operation: str
    constants: tuple[str, ...]

    def __str__(self) -> str:
        made = f", made by {self.operation}" + (f" from {', '.join(self.constants)}" if self.constants else "")
        return (
            f"tensor '{self.tensor}' step {self.step} element {self.element} is {self.found:.9g}, "
            f"expected {self.expected:.9g}{made}"
        )


def first_divergence(
    graph: Graph | IntGraph, found: Trace, expected: Trace, tolerance: float = 0.0
) -> Divergence | None:
    """The earliest difference above tolerance max(1, largest |expected| of the tensor); None where the tensors agree.

    Recurrent models are searched step by step, in the order of the operations within a step; convolutional ones, whose
    tensors have rates of their own, operation by operation.
    """
    step_order = [name for op in graph.step for name in _made(op)]
    head_order = [name for op in graph.head for name in _made(op)]
    places = []
    for rank, name in enumerate(["x", *step_order, *head_order]):
        if name not in found or name not in expected:
            continue
        place = _first(np.asarray(found[name], np.float64), np.asarray(expected[name], np.float64), tolerance)
        if place is not None:
            late = name in head_order
            key = (late, place[0], rank) if graph.states else (late, rank, place[0])
            places.append((key, name, *place))
    if not places:
        return None
    _, name, step, element = min(places)
    operation, constants = maker(graph, name)
    value, wanted = float(found[name][step, element]), float(expected[name][step, element])
    return Divergence(name, step, element, value, wanted, operation, constants)


def maker(graph: Graph | IntGraph, tensor: str) -> tuple[str, tuple[str, ...]]:
    """The operation that writes `tensor`, and the names of its constants."""
    for op in (*graph.step, *graph.head):
        if tensor in _made(op):
            return type(op).__name__, tuple(c.name for c in constants_of(op))
    return "the input", ()


def _first(found: NDArray[Any], expected: NDArray[Any], tolerance: float) -> tuple[int, int] | None:
    rows = min(len(found), len(expected))
    reach = max(1.0, float(np.abs(expected).max(initial=0.0)))
    far = ~(np.abs(found[:rows] - expected[:rows]) <= tolerance * reach)
    if not far.any():
        return None
    step, element = np.argwhere(far)[0]
    return int(step), int(element)


def _made(op: object) -> tuple[str, ...]:
    """Tensors that an operation writes, the states of a neuron before its spikes."""
    names = (getattr(op, "current_out", ""), getattr(op, "potential_out", ""), getattr(op, "out", ""))
    return tuple(name for name in names if name)
