"""Constraints in the training loop: zeros stay zero in the weights, in their average, and in what is kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from edgehar.compress.iht import HardThresholding, support
from edgehar.compress.sparsity import Gradual, OneShot, Pruning, density, present
from edgehar.datasets.windowset import WindowSet
from edgehar.errors import UsageError
from edgehar.models import make_model
from edgehar.train.normalise import Normaliser
from edgehar.train.recipe import Recipe
from edgehar.train.supervised import fit

FULL = Recipe(epochs=4, batch=16, lr=0.01, ema=0.9, clip_norm=1.0, select="best-validation")


def windows(n=120, seed=0):
    """Three classes that differ in the mean of one axis of acceleration."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 16, 6)).astype(np.float32)
    x[np.arange(n), :, y] += 1.5
    who = np.array([f"s{i % 5}" for i in range(n)])
    channels = tuple(f"{s}_{a}" for s in ("acc", "gyro") for a in "xyz")
    return WindowSet(x, y, who, who, np.arange(n), ("a", "b", "c"), channels, ("1",) * 6, 50.0, 16, 8)


def model():
    return make_model("gru", channels=6, classes=3, window=16, seed=0, hidden=8, dropout=0.2)


def zeros(m):
    return {name: p.detach().numpy() == 0 for name, p in m.matrices().items()}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_pruned_weights_are_zero_after_training(optimizer):
    net = model()
    constraint = OneShot(Pruning(0.8).choose(net, 0.8))
    recipe = replace(FULL, optimizer=optimizer)
    result = fit(net, windows(), recipe, seed=0, validation=windows(60, 5), constraint=constraint)
    for name, zero in zeros(result.model).items():
        np.testing.assert_array_equal(zero, ~constraint.chosen[name])
    assert density(result.model) == pytest.approx(0.2, abs=0.01)


def test_the_average_of_a_weight_that_was_pruned_later_is_zero_too():
    class AfterTwo:
        settled = True

        pruned = False

        def after_step(self, m, step, steps):
            self.pruned = step == 2
            self.impose(m)

        def impose(self, m):
            if self.pruned:
                m.matrices()["fc_w"].data[:] = 0

    recipe = replace(FULL, epochs=1, batch=40, select="none")
    result = fit(model(), windows(), recipe, seed=0, constraint=AfterTwo())
    assert not result.model.matrices()["fc_w"].any()


def test_gradual_pruning_grows_and_ends_at_its_target():
    net, seen = model(), []
    constraint = Gradual(Pruning(0.9, "uniform"), start=0.0)
    chosen = Pruning.choose

    def watch(self, m, sparsity):
        seen.append((sparsity, zeros(m)))
        return chosen(self, m, sparsity)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pruning, "choose", watch)
        result = fit(net, windows(), replace(FULL, epochs=6), seed=0, validation=windows(60, 5), constraint=constraint)
    sparsities = [s for s, _ in seen]
    assert sparsities == sorted(sparsities)
    assert len(sparsities) > 3
    assert sparsities[-1] == 0.9
    for (_, before), (_, after) in pairwise(seen):
        assert all((before[name] <= after[name]).all() for name in before)
    assert density(result.model) == pytest.approx(0.1, abs=0.02)


def test_an_epoch_before_the_target_is_reached_is_never_selected():
    # The best epoch by validation is the first, when next to nothing is pruned.
    constraint = Gradual(Pruning(0.97), start=0.0)
    recipe = replace(FULL, epochs=5, lr=1e-6)
    trained = fit(model(), windows(), replace(FULL, epochs=12, lr=0.02), seed=0, validation=windows(60, 5)).model
    trained.requires_grad_(True)
    result = fit(trained, windows(), recipe, seed=0, validation=windows(60, 5), constraint=constraint)
    assert max(e.validation for e in result.history[:2]) > max(e.validation for e in result.history[3:])
    assert result.chosen_epoch >= 3
    assert density(result.model) == pytest.approx(0.03, abs=0.01)


def small_fastgrnn():
    return make_model("fastgrnn", channels=6, classes=3, window=16, seed=0, hidden=8, rank_w=3, rank_u=4)


def test_hard_thresholding_lets_a_weight_come_back_only_while_it_trims():
    net, constraint = small_fastgrnn(), HardThresholding({"W1": 0.5}, trim_every=4)
    w1 = net.matrices()["W1"].data

    def grow_and_step(step):
        """A zero weight gets a huge update; is it kept?"""
        at = tuple(torch.nonzero(w1 == 0)[0].tolist()) if (w1 == 0).any() else (0, 0)
        w1[at] = 100.0 + step
        constraint.after_step(net, step, 24)
        return bool(w1[at] != 0)

    assert all(grow_and_step(step) for step in range(8))
    assert not constraint.chosen  # phase I: everything trains
    came_back = {step: grow_and_step(step) for step in range(8, 24)}
    assert [step for step, back in came_back.items() if back] == [8, 12]
    assert constraint.settled
    assert (w1 != 0).float().mean() == 0.5


def test_hard_thresholding_ends_with_its_fractions_per_matrix():
    constraint = HardThresholding({"W1": 0.5, "U2": 0.25}, trim_every=3)
    recipe = replace(FULL, epochs=6, select="none")
    result = fit(small_fastgrnn(), windows(), recipe, seed=0, constraint=constraint)
    kept = {name: float((p != 0).float().mean()) for name, p in result.model.matrices().items()}
    assert kept == {"W1": 0.5, "W2": 1, "U1": 1, "U2": 0.25, "fc_w": 1}


def test_support_keeps_the_largest_and_at_least_one():
    mask = support(np.array([[3.0, -5.0], [0.1, 4.0]], np.float32), 0.5)
    assert mask.tolist() == [[False, True], [False, True]]
    assert support(np.ones((4, 4), np.float32), 1e-9).sum() == 1


def test_present_zeros_are_held():
    net = model()
    net.matrices()["w_hh"].data[::2] = 0
    held = present(net)
    assert not held["w_hh"][::2].any()
    assert held["fc_w"].all()
    result = fit(net, windows(), replace(FULL, select="none"), seed=0, constraint=OneShot(held))
    assert not result.model.matrices()["w_hh"][::2].any()


def test_a_constrained_training_keeps_no_checkpoint(tmp_path):
    net = model()
    with pytest.raises(UsageError, match="no checkpoint"):
        fit(
            net,
            windows(),
            replace(FULL, select="none"),
            seed=0,
            checkpoint=tmp_path / "c.safetensors",
            constraint=OneShot(present(net)),
        )


def test_a_given_normaliser_is_not_refitted():
    given = Normaliser(np.full(6, 5, np.float32), np.full(6, 2, np.float32), np.zeros(6, np.float32))
    result = fit(model(), windows(), replace(FULL, select="none"), seed=0, normaliser=given)
    assert result.normaliser is given
    torch.testing.assert_close(
        torch.from_numpy(result.logits(windows())),
        result.model(torch.from_numpy((windows().x - 5) / 2)).detach(),
    )
