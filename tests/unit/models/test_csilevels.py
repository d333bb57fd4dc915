"""csicnn on levels of motion: a louder take is the same curve moved up; what is exported is what was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import random_bundle

from edgehar.errors import UsageError
from edgehar.models import make_model, restore_model
from edgehar.models.csilevels import levels
from edgehar.runtimes import make_runtime
from edgehar.train.supervised import predict

WINDOW, HOP, CHANNELS, LAGS = 120, 20, 12, (1, 2, 4, 8)


def front(floor=1e-3, modes=2):
    """The levels of windows [b, modes, t] as one function."""
    units, outputs = levels(modes, LAGS, smooth=10, stride=5, floor=floor)
    assert outputs == len(LAGS)
    return torch.nn.Sequential(*units).eval()


def trained(**options):
    torch.manual_seed(0)
    options = {"modes": 3, "edge": 1, "lags": LAGS, "width": 8, **options}
    model = make_model("csicnn", channels=CHANNELS, classes=3, window=WINDOW, seed=0, **options)
    for _ in range(3):
        model.train()
        model(torch.randn(32, WINDOW, CHANNELS))
    return model.eval()


def test_white_noise_has_the_same_level_at_every_lag():
    level = torch.exp2(front()(torch.randn(1, 2, 20_000))).mean(dim=2) * 1e-3
    torch.testing.assert_close(level, torch.full((1, len(LAGS)), 0.798), rtol=0.05, atol=0)


def test_a_take_twice_as_loud_is_the_same_curve_one_octave_up():
    take = torch.randn(3, 2, WINDOW)
    raised = front(floor=0.01)(2 * take) - front(floor=0.01)(take)
    assert (raised - 1).abs().max() < 0.1  # the logarithm is exact at its knots only


def test_what_is_below_the_floor_counts_as_still():
    assert front(floor=1.0)(0.01 * torch.randn(3, 2, WINDOW)).max() < 0.05
    assert front()(torch.randn(3, 2, 1).expand(-1, -1, WINDOW)).abs().max() < 1e-3


@pytest.mark.parametrize("runtime", ["reference", "numba"])
def test_the_exported_layers_are_the_trained_network(runtime):
    model = trained()
    table, tensors = model.export()
    random = random_bundle("cnn", channels=CHANNELS, classes=3)
    bundle = replace(random, manifest=replace(random.manifest, window=WINDOW, hop=HOP, model=table), weights=tensors)
    x = np.random.default_rng(0).standard_normal((6, WINDOW, CHANNELS)).astype(np.float32)
    logits = np.array([make_runtime(runtime, bundle).window(one) for one in x])
    np.testing.assert_allclose(logits, predict(model, x), rtol=1e-4, atol=1e-4)
    restored = restore_model(bundle.manifest, bundle.weights)
    np.testing.assert_allclose(predict(restored, x), logits, rtol=1e-4, atol=1e-4)


def test_edge_subcarriers_and_what_stands_still_have_no_part():
    model, x = trained(), torch.randn(4, WINDOW, CHANNELS)
    other = x + 5 * torch.randn(4, 1, CHANNELS)
    other[:, :, [0, -1]] = torch.randn(4, WINDOW, 2)
    with torch.no_grad():
        torch.testing.assert_close(model(other), model(x), rtol=1e-3, atol=1e-3)


def test_the_front_end_is_not_learned():
    model = trained()
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    layers = 8 * 5 * len(LAGS) + 2 * 8 * 8 * 5
    assert learned == layers + 3 * 2 * 8 + 8 * 3 + 3
    assert {name for name in model.matrices() if name != "fc.w"} == {"l5.w", "l6.w", "l7.w"}


@pytest.mark.parametrize(
    "options", [{"lags": [0]}, {"smooth": 0}, {"level_stride": 0}, {"floor": 0.0}, {"edge": 6}, {"edge": -1}]
)
def test_options_that_make_no_front_end_are_refused(options):
    with pytest.raises(UsageError, match=str(next(iter(options.values()))).strip("[]")):
        trained(**options)
