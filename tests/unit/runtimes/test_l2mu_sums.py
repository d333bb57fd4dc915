"""What an L2MU hears from spikes: integers that cannot overflow, close enough to the weights, the same in any order."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.runtimes.cells.l2mu import on_grid

RNG = np.random.default_rng(4)


def matrices(scale: float) -> list[np.ndarray]:
    return [(scale * RNG.standard_normal((6, k))).astype(np.float32) for k in (80, 64)]


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_all_weights_of_a_neuron_together_fit_in_31_bits(scale: float) -> None:
    integers, unit = on_grid(*matrices(scale))
    most = sum(np.abs(part).sum(axis=1) for part in integers)
    assert (most < 2**31).all()
    assert (most > 2**28).all(), "a grid that is coarser than it has to be"
    assert (np.frexp(unit)[0] == 0.5).all()


def test_weights_lose_at_most_half_a_unit() -> None:
    given = matrices(1.0)
    integers, unit = on_grid(*given)
    for part, weights in zip(integers, given, strict=True):
        assert np.abs(part * unit[:, None].astype(np.float64) - weights).max() <= unit.max() / 2
    assert unit.max() < 2e-7


def test_one_neurons_large_weight_does_not_coarsen_another() -> None:
    small = np.full((2, 5), 0.1, np.float32)
    small[1, 0] = 1e6
    _, unit = on_grid(small)
    assert unit[0] < 1e-9 < unit[1]


def test_a_silent_neuron_and_one_without_a_number() -> None:
    weights = np.array([[0, 0], [np.nan, 1], [np.inf, 1], [1, 2]], np.float32)
    (integers,), unit = on_grid(weights)
    assert np.isfinite(integers).all()
    assert integers[0].tolist() == [0, 0]
    assert np.isnan(unit).tolist() == [False, True, True, False]
