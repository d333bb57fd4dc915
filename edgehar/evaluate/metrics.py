"""Classification metrics in plain NumPy. Functions return fractions; `summarise` returns a JSON table in percent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.types import IntArray

CALIBRATION_BINS = 15


def confusion_matrix(truth: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """Counts [k, k]: row = true class, column = predicted class.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes).astype(np.int64)


def accuracy(confusion: IntArray) -> float:
    """Fraction of windows that are right; nan without windows."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def per_class(confusion: IntArray) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F1 [k]; 0 where a class was never predicted or never occurred."""
    hits = np.diag(confusion).astype(np.float64)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    precision = np.divide(hits, predicted, out=np.zeros_like(hits), where=predicted > 0)
    recall = np.divide(hits, true, out=np.zeros_like(hits), where=true > 0)
    f1 = np.divide(2 * hits, predicted + true, out=np.zeros_like(hits), where=predicted + true > 0)
    return precision, recall, f1


def macro_f1(confusion: IntArray) -> float:
    """Mean F1 over the classes that occur in the truth or the predictions; nan without windows."""
    present = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
    return float(per_class(confusion)[2][present].mean()) if present.any() else float("nan")


def calibration_error(confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> float:
    """Expected calibration error (Guo et al., ICML 2017): the mean gap between confidence [n] and accuracy.

    Bins are equally wide; each counts by its share of the windows. nan without windows.
    """
    n = len(confidence)
    if n == 0:
        return float("nan")
    which = np.minimum((np.asarray(confidence) * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gap = np.bincount(which, weights=confidence, minlength=CALIBRATION_BINS) - np.bincount(
        which, weights=right, minlength=CALIBRATION_BINS
    )
    return float(np.abs(gap).sum() / n)


def per_subject(truth: IntArray, predicted: IntArray, subject: NDArray[np.str_]) -> dict[str, float]:
    """Accuracy of each subject's windows."""
    right = truth == predicted
    return {str(name): float(right[subject == name].mean()) for name in np.unique(subject)}


def summarise_confusion(confusion: IntArray, labels: Sequence[str]) -> dict[str, Any]:
    """Counts, accuracy, macro F1 and per-class figures of a confusion matrix, in percent."""
    precision, recall, f1 = per_class(confusion)
    return {
        "windows": int(confusion.sum()),
        "accuracy": _percent(accuracy(confusion)),
        "macro_f1": _percent(macro_f1(confusion)),
        "per_class": {
            label: {
                "windows": int(confusion[i].sum()),
                "precision": _percent(precision[i]),
                "recall": _percent(recall[i]),
                "f1": _percent(f1[i]),
            }
            for i, label in enumerate(labels)
        },
        "labels": list(labels),
        "confusion": confusion.tolist(),
    }


def summarise(
    truth: IntArray,
    predicted: IntArray,
    labels: Sequence[str],
    *,
    subject: NDArray[np.str_] | None = None,
    confidence: NDArray[np.floating[Any]] | None = None,
) -> dict[str, Any]:
    """Everything a report shows about one set of decisions, in percent, as a table that JSON can hold."""
    table = summarise_confusion(confusion_matrix(truth, predicted, len(labels)), labels)
    if subject is not None:
        scores = {name: _percent(value) for name, value in per_subject(truth, predicted, subject).items()}
        table["per_subject"] = scores
        table["subject_spread"] = {**mean_std(list(scores.values())), "worst": min(scores.values(), default=None)}
    if confidence is not None:
        table["calibration_error"] = _percent(calibration_error(confidence, truth == predicted))
    return table


def mean_std(values: Sequence[float]) -> dict[str, float]:
    """Mean and sample standard deviation (0 for one value) as a table."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": _rounded(np.mean(values)), "std": _rounded(spread), "n": len(values)}


def _percent(fraction: float) -> float:
    return _rounded(100 * float(fraction))


def _rounded(value: float | np.floating[Any]) -> float:
    return round(float(value), 3)
