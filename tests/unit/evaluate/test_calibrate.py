"""Temperature fitting."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.errors import InputError
from edgehar.evaluate.calibrate import fit_temperature, negative_log_likelihood


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_finds_the_temperature_that_labels_were_drawn_with(true):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((20_000, 4)) * 2
    noisy = z + rng.gumbel(size=z.shape)  # argmax of z + Gumbel noise is a draw from softmax(z)
    found = fit_temperature((z * true).astype(np.float32), noisy.argmax(1))
    assert found == pytest.approx(true, rel=0.05)


def test_no_temperature_beside_it_is_better():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((300, 3)) * 4
    y = (z / 2.5 + rng.gumbel(size=z.shape)).argmax(1)
    best = fit_temperature(z, y)
    here = negative_log_likelihood(z, y, best)
    assert all(here <= negative_log_likelihood(z, y, best * f) for f in (0.9, 0.99, 1.01, 1.1))


def test_always_right_or_always_wrong_stops_at_the_bounds():
    z = np.eye(3)[[0, 1, 2]] * 5
    assert fit_temperature(z, np.array([0, 1, 2])) == pytest.approx(0.05, rel=1e-3)
    assert fit_temperature(z, np.array([1, 2, 0])) == pytest.approx(20.0, rel=1e-3)


def test_refuses_shapes_that_do_not_fit():
    with pytest.raises(InputError, match="fit_temperature"):
        fit_temperature(np.zeros((3, 2)), np.zeros(2, int))
