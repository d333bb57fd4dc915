"""What a quantised model's integers stand for, chosen on windows of training people: ranges, and gains of neurons.

Every candidate is run in integers and the one whose logits are nearest to the float model's is taken. True extremes
keep every value; percentiles clip outliers and leave a finer step to the rest, which suits states with long tails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason, UsageError
from edgehar.graph.calibrate import calibrate, check_windows
from edgehar.graph.equalise import equalise, scalable
from edgehar.graph.execute import run_graph
from edgehar.graph.graph import Graph
from edgehar.graph.intexecute import run_int_graph
from edgehar.graph.ops import Lif, float_of
from edgehar.graph.quantise import quantise
from edgehar.types import FloatArray

MINMAX, PERCENTILE, SEARCH = "minmax", "percentile", "search"
PERCENTILES = (100.0, 99.99, 99.9)
"""Tried by `search`, in this order; of equal ones the first is taken."""
REACHES = (1.0, 1.5, 2.0, 3.0)
"""Tried for spiking models: how far a potential may reach before it saturates, in units of threshold + largest drive.

What lies beyond is a neuron held back for many samples, or one that fires at every sample: neither needs a fine step.
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """A manifest's `quant` object and its root mean square error of the logits on the calibration windows."""

    quant: Mapping[str, Any]
    rmse: float


def choose(graph: Graph, x: FloatArray, scheme: str, calibration: str, per_channel: str) -> Choice:
    """The best `quant` for preprocessed windows x [n, window, inputs] of training people.

    calibration: "minmax", "percentile:99.99" or "search". Raises InputError for windows that do not fit or are not
    finite, and where no candidate can be run in integers.
    """
    check_windows(graph, x)
    expected = run_graph(graph, x)
    best: Choice | None = None
    refused: InputError | None = None
    for ranges, gains, how in _candidates(graph, x, percentiles_of(calibration)):
        quant: dict[str, Any] = {"scheme": scheme, "per_channel": per_channel, "ranges": ranges}
        quant |= {"calibration": f"{how}, {len(x)} windows", **({"gains": gains} if gains else {})}
        try:
            found = run_int_graph(quantise(graph, quant), x)
        except InputError as error:
            refused = error
            continue
        rmse = float(np.sqrt(np.mean(np.square(found - expected, dtype=np.float64))))
        if best is None or rmse < best.rmse:
            best = Choice(quant, rmse)
    if best is None:
        raise refused or InputError("nothing to calibrate on", reason=Reason.VALUE, hint="give calibration windows")
    return best


def percentiles_of(calibration: str) -> tuple[float, ...]:
    """The percentiles that a calibration's name asks for.

    >>> percentiles_of("percentile:99.9")
    (99.9,)
    """
    name, _, value = calibration.partition(":")
    if name == PERCENTILE:
        try:
            percentile = float(value)
        except ValueError:
            percentile = 0.0
        if 50 < percentile <= 100:
            return (percentile,)
    elif not value and name in (MINMAX, SEARCH):
        return (100.0,) if name == MINMAX else PERCENTILES
    raise UsageError(
        f"no calibration is called '{calibration}'",
        reason=Reason.UNKNOWN_NAME,
        hint="choose minmax, percentile:99.99 (any number above 50, up to 100) or search",
    )


Ranges = dict[str, list[float]]
Gains = dict[str, list[float]]


def _candidates(graph: Graph, x: FloatArray, percentiles: tuple[float, ...]) -> Iterator[tuple[Ranges, Gains, str]]:
    """Ranges, gains, and their name in the manifest."""
    populations = scalable(graph)
    if not populations:
        for percentile in percentiles:
            yield _listed(calibrate(graph, x, percentile)), {}, _name(percentile)
        return
    gains = neuron_gains(graph, x, populations)
    equalised = equalise(graph, gains)
    for percentile in percentiles[:1]:
        ranges = _listed(calibrate(equalised, x, percentile))
        for reach in REACHES:
            yield clipped(equalised, ranges, populations, reach), gains, f"{_name(percentile)}, reach {reach:g}"


def neuron_gains(graph: Graph, x: FloatArray, populations: list[str]) -> Gains:
    """1 / (threshold + largest |drive|) of every neuron of these drives; a synaptic neuron is driven by its current."""
    largest: dict[str, NDArray[Any]] = {}

    def watch(values: Mapping[str, NDArray[Any]]) -> None:
        for op in spiking:
            seen = np.abs(values[op.current_out or op.drive]).max(axis=0)
            largest[op.drive] = np.maximum(largest.get(op.drive, seen), seen)

    spiking = [op for op in graph.step if isinstance(op, Lif) and op.drive in populations]
    run_graph(graph, x, watch)
    gains = {op.drive: 1.0 / np.maximum(float_of(op.threshold) + largest[op.drive], 1e-6) for op in spiking}
    return {drive: [float(np.float32(gain)) for gain in values] for drive, values in gains.items()}


def clipped(graph: Graph, ranges: Ranges, populations: list[str], reach: float) -> Ranges:
    """The ranges with the potentials of these populations, and their currents, within +-reach."""
    found = dict(ranges)
    for op in graph.step:
        if isinstance(op, Lif) and op.drive in populations:
            for name in filter(None, (op.potential, op.potential_out, op.current, op.current_out)):
                found[name] = [min(max(end, -reach), reach) for end in ranges[name]]
    return found


def _listed(ranges: Mapping[str, tuple[float, float]]) -> Ranges:
    return {name: list(ends) for name, ends in ranges.items()}


def _name(percentile: float) -> str:
    return MINMAX if percentile == 100 else f"{PERCENTILE} {percentile:g}"
