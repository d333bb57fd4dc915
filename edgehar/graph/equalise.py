"""Rescale spiking neurons one by one, so that a whole population can share one integer scale; the spikes stay.

A leaky neuron's drive, potential and threshold may be multiplied by any positive gain without changing its spikes.
Trained thresholds and drives differ by orders of magnitude within a population. What is accumulated as the score must
keep its units, those of the logits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgehar.errors import InputError, Reason
from edgehar.graph.graph import Graph
from edgehar.graph.ops import Accumulate, Constant, Expand, Legendre, Lif, Linear, Op, Term, float_of
from edgehar.types import FloatArray


def equalise(graph: Graph, gains: Mapping[str, Sequence[float]]) -> Graph:
    """The graph with the neurons of each named drive (`drive_u`, ...) scaled by its gains [n] > 0.

    Raises InputError for a drive that is not there, or whose potentials are the score.
    """
    found = {name: np.asarray(gain, np.float32) for name, gain in gains.items()}
    allowed = set(scalable(graph))
    for name, gain in found.items():
        if name not in allowed or gain.shape != (graph.sizes[name],) or not (gain > 0).all():
            raise InputError(
                f"manifest.json: quant.gains.{name[:40]} must be one number above 0 for each neuron of a population",
                reason=Reason.VALUE,
                hint=f"the drives that can be scaled are: {', '.join(sorted(allowed)) or 'none'}",
            )
    return replace(graph, step=tuple(_scaled(op, found) for op in graph.step)) if found else graph


def scalable(graph: Graph) -> list[str]:
    """Drives of the populations whose potentials nothing but their own threshold reads."""
    summed = {op.x for op in graph.step if isinstance(op, Accumulate)}
    return [op.drive for op in graph.step if isinstance(op, Lif) and op.potential_out not in summed]


def _scaled(op: Op, gains: Mapping[str, FloatArray]) -> Op:
    if isinstance(op, Lif) and op.drive in gains:
        return replace(op, threshold=_times(op.threshold, gains[op.drive]))
    if op.out not in gains:
        return op
    gain = gains[op.out]
    if isinstance(op, Linear):
        terms = tuple(Term(t.x, _times(t.w, gain[:, None])) for t in op.terms)
        return replace(op, terms=terms, bias=None if op.bias is None else _times(op.bias, gain))
    if isinstance(op, Expand):
        shaped = gain.reshape(op.w.value.shape)
        return replace(op, w=_times(op.w, shaped), b=_times(op.b, shaped))
    if isinstance(op, Legendre):
        return replace(op, gain=Constant(f"{op.a.name}.gain", gain))
    return op


def _times(constant: Constant, gain: FloatArray) -> Constant:
    return Constant(constant.name, float_of(constant) * gain)
