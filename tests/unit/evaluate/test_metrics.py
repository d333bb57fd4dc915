"""Metrics against scikit-learn and against values worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from edgehar.evaluate.metrics import (
    accuracy,
    calibration_error,
    confusion_matrix,
    macro_f1,
    mean_std,
    per_class,
    summarise,
)


@pytest.fixture
def decisions():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 4, 500)
    predicted = np.where(rng.random(500) < 0.7, truth, rng.integers(0, 4, 500))
    return truth, predicted


def test_agrees_with_sklearn(decisions):
    from sklearn import metrics

    truth, predicted = decisions
    confusion = confusion_matrix(truth, predicted, 4)
    np.testing.assert_array_equal(confusion, metrics.confusion_matrix(truth, predicted))
    assert accuracy(confusion) == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert macro_f1(confusion) == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    np.testing.assert_allclose(
        per_class(confusion), metrics.precision_recall_fscore_support(truth, predicted)[:3], rtol=1e-12
    )


def test_absent_class_does_not_lower_macro_f1():
    confusion = confusion_matrix(np.array([0, 1]), np.array([0, 1]), 3)
    assert macro_f1(confusion) == 1.0


def test_no_windows_is_nan_not_a_crash():
    empty = np.zeros(0, np.int64)
    assert math.isnan(accuracy(confusion_matrix(empty, empty, 3)))
    assert math.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_calibration_error_by_hand():
    # Bin of 0.9: three windows, two right: |2.7 - 2|; bin of 0.3: one window, right: |0.3 - 1|.
    confidence = np.array([0.9, 0.9, 0.9, 0.3])
    right = np.array([True, True, False, True])
    assert calibration_error(confidence, right) == pytest.approx((0.7 + 0.7) / 4)
    assert calibration_error(np.ones(5), np.ones(5, bool)) == 0


def test_summary_is_json_in_percent(decisions):
    truth, predicted = decisions
    subject = np.array(["ann", "bob"])[np.arange(500) % 2]
    table = summarise(truth, predicted, "abcd", subject=subject, confidence=np.full(500, 0.7))
    assert json.loads(json.dumps(table)) == table
    assert table["accuracy"] == pytest.approx(100 * (truth == predicted).mean(), abs=1e-3)
    assert table["per_subject"]["ann"] == pytest.approx(100 * (truth == predicted)[::2].mean(), abs=1e-3)
    people = list(table["per_subject"].values())
    assert table["subject_spread"]["std"] == pytest.approx(np.std(people, ddof=1), abs=1e-3)
    assert table["subject_spread"]["worst"] == min(table["per_subject"].values())
    assert sum(c["windows"] for c in table["per_class"].values()) == table["windows"] == 500


def test_mean_std():
    assert mean_std([1.0, 3.0]) == {"mean": 2.0, "std": pytest.approx(math.sqrt(2), abs=1e-3), "n": 2}
    assert mean_std([5.0]) == {"mean": 5.0, "std": 0.0, "n": 1}
