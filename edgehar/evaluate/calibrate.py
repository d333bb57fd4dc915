"""The temperature that makes a model's probabilities mean what they say."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason

LOWEST, HIGHEST = 0.05, 20.0
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def negative_log_likelihood(logits: NDArray[np.floating], labels: NDArray[np.integer], temperature: float) -> float:
    """Mean of -log softmax(logits / T)[label], in nats; logits [n, k], labels [n]."""
    z = logits.astype(np.float64) / temperature
    z -= z.max(axis=1, keepdims=True)
    return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]).mean())


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The T > 0 of least negative log-likelihood (Guo et al., ICML 2017), by golden section on log T in 0.05..20.

    logits [n, k], labels [n] in 0..k-1, of held-out windows. The loss has one minimum in log T: it is convex in 1 / T.
    """
    if logits.ndim != 2 or len(logits) != len(labels) or len(labels) == 0:
        raise InputError(
            f"fit_temperature got logits {logits.shape} and labels {labels.shape}",
            reason=Reason.SHAPE,
            hint="give logits [n, k] and labels [n] of at least one held-out window",
        )
    low, high = math.log(LOWEST), math.log(HIGHEST)
    inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)]
    loss = [negative_log_likelihood(logits, labels, math.exp(t)) for t in inner]
    while high - low > 1e-4:
        if loss[0] <= loss[1]:
            high, inner[1], loss[1] = inner[1], inner[0], loss[0]
            inner[0] = high - GOLDEN * (high - low)
            loss[0] = negative_log_likelihood(logits, labels, math.exp(inner[0]))
        else:
            low, inner[0], loss[0] = inner[0], inner[1], loss[1]
            inner[1] = low + GOLDEN * (high - low)
            loss[1] = negative_log_likelihood(logits, labels, math.exp(inner[1]))
    return math.exp((low + high) / 2)
