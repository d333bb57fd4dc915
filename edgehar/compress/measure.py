"""What a report says about one bundle: accuracy on people it never saw, bytes, operations, non-zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from edgehar.bundle import Bundle
from edgehar.compress.cost import Rates, cost, tensor_counts
from edgehar.compress.data import Data
from edgehar.contract import of_head
from edgehar.datasets.windowset import WindowSet
from edgehar.decide import softmax
from edgehar.evaluate.metrics import summarise
from edgehar.models import restore_model
from edgehar.models.l2mu import L2MU
from edgehar.runtimes.intwindows import int_logits
from edgehar.train.supervised import predict
from edgehar.types import FloatArray

RATE_WINDOWS = 512
"""Spike rates are averaged over at most this many test windows."""


def logits_of(bundle: Bundle, x: FloatArray) -> FloatArray:
    """Logits [n, k] of preprocessed windows: by torch, or by the integer program of a quantised bundle."""
    if bundle.manifest.quant is None:
        return predict(restore_model(bundle.manifest, bundle.weights), x)
    return int_logits(bundle, x)


def test_table(bundle: Bundle, data: Data) -> dict[str, Any]:
    """The `summarise` table on the test people."""
    return _table(bundle, data, data.test)


def figures(bundle: Bundle, data: Data) -> dict[str, Any]:
    """Everything that a before/after table shows, in types that JSON can hold."""
    test = test_table(bundle, data)
    spread = test["subject_spread"]
    validation = None if data.validation is None else _table(bundle, data, data.validation)["accuracy"]
    return {
        "accuracy": test["accuracy"],
        "macro_f1": test["macro_f1"],
        "worst_subject": spread["worst"],
        "mean_subject": spread["mean"],
        "per_subject": test["per_subject"],
        "validation_accuracy": validation,
        **cost(bundle, spike_rates(bundle, data)).to_dict(),
        "tensors": tensor_counts(bundle),
        "prunable": sorted(restore_model(bundle.manifest, bundle.weights).matrices()),
    }


def spike_rates(bundle: Bundle, data: Data) -> Rates:
    """Mean spikes per step of every neuron on evenly spread test windows; {} for a model that does not spike."""
    model = restore_model(bundle.manifest, bundle.weights)
    if not isinstance(model, L2MU):
        return {}
    rows = np.unique(np.linspace(0, len(data.test) - 1, RATE_WINDOWS).round().astype(np.int64))
    with torch.no_grad():
        spikes = model.run(torch.from_numpy(data.normaliser(data.test.x[rows])))[1]
    return {name: s.double().mean(dim=(0, 1)).numpy() for name, s in spikes.items()}


def _table(bundle: Bundle, data: Data, windows: WindowSet) -> dict[str, Any]:
    logits = of_head(logits_of(bundle, data.normaliser(windows.x)), len(bundle.manifest.labels))
    confidence = softmax(logits, bundle.manifest.decision.temperature).max(axis=1)
    return summarise(windows.y, logits.argmax(axis=1), windows.labels, subject=windows.subject, confidence=confidence)
