"""Logits to verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.decide import NOTHING, Decider, Verdict, softmax
from edgehar.manifest import Decision
from edgehar.types import Status

LABELS = ("sit", "walk", "run")


def logits(*z: float) -> np.ndarray:
    return np.array(z, np.float32)


def test_softmax_is_stable_and_sums_to_one():
    p = softmax(logits(1000.0, 999.0, -1000.0))
    assert p.sum() == pytest.approx(1.0)
    assert p[0] / p[1] == pytest.approx(np.e)
    assert softmax(logits(2.0, 0.0), temperature=2.0)[0] == pytest.approx(1 / (1 + np.exp(-1.0)))


def test_the_best_label_and_its_probability():
    verdict = Decider(LABELS, Decision()).push(logits(0.0, 2.0, 1.0), 1.0)
    assert (verdict.label, verdict.status) == ("walk", Status.OK)
    assert verdict.p == pytest.approx(np.exp(2) / (1 + np.exp(2) + np.exp(1)))


def test_temperature_softens():
    sharp = Decider(LABELS, Decision()).push(logits(0.0, 2.0, 1.0), 1.0)
    soft = Decider(LABELS, Decision(temperature=3.0)).push(logits(0.0, 2.0, 1.0), 1.0)
    assert soft.p < sharp.p


def test_unsure_still_names_its_guess():
    verdict = Decider(LABELS, Decision(abstain_below=0.9)).push(logits(0.0, 2.0, 1.0), 1.0)
    assert (verdict.label, verdict.status) == ("walk", Status.UNSURE)


def test_smoothing_is_the_mean_of_the_last_windows():
    decider = Decider(LABELS, Decision(smooth=3))
    zs = [logits(4.0, 0.0, 0.0), logits(0.0, 3.0, 0.0), logits(0.0, 3.0, 0.0), logits(0.0, 0.0, 2.0)]
    verdicts = [decider.push(z, 1.0) for z in zs]
    for i, verdict in enumerate(verdicts):
        mean = np.mean([softmax(z) for z in zs[max(0, i - 2) : i + 1]], axis=0)
        assert verdict.label == LABELS[int(mean.argmax())]
        assert verdict.p == pytest.approx(mean.max(), rel=1e-12)
    decider.reset()
    assert decider.push(zs[3], 1.0).label == "run"


def test_too_few_real_samples_count_for_nothing():
    decider = Decider(LABELS, Decision(smooth=2, min_coverage=0.5))
    assert decider.push(logits(9.0, 0.0, 0.0), 0.49) == NOTHING
    assert decider.push(logits(0.0, 1.0, 0.0), 0.5).label == "walk"
    assert (NOTHING.label, NOTHING.p, NOTHING.status) == ("", 0.0, Status.NO_DATA)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_model_that_overflowed_decides_nothing_and_spoils_nothing(broken):
    decider = Decider(LABELS, Decision(smooth=3))
    assert decider.push(logits(1.0, broken, 0.0), 1.0) == Verdict("", 0.0, Status.OUT_OF_CONTRACT)
    verdict = decider.push(logits(0.0, 1.0, 0.0), 1.0)
    assert (verdict.label, verdict.status) == ("walk", Status.OK)


def test_out_of_contract_comes_first():
    decider = Decider(LABELS, Decision(abstain_below=1.0))
    assert decider.push(logits(0.0, 1.0, 0.0), 1.0, in_contract=False).status == Status.OUT_OF_CONTRACT
    assert decider.push(logits(0.0, 1.0, 0.0), 0.0, in_contract=False).status == Status.OUT_OF_CONTRACT


@pytest.mark.parametrize("classes", [2, 6, 19])
@pytest.mark.parametrize("smooth", [1, 3, 5])
def test_a_probability_has_the_bits_of_numpys_mean(classes: int, smooth: int):
    labels = tuple(f"class_{i}" for i in range(classes))
    decider = Decider(labels, Decision(temperature=1.3, smooth=smooth))
    windows = (3 * np.random.default_rng(classes).standard_normal((20, classes))).astype(np.float32)
    for n in range(len(windows)):
        verdict = decider.push(windows[n], 1.0)
        z = windows[max(0, n + 1 - smooth) : n + 1].astype(np.float64) / 1.3
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = np.mean(e / e.sum(axis=1, keepdims=True), axis=0)
        assert (verdict.label, verdict.p) == (labels[int(p.argmax())], float(p.max()))
