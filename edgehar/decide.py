"""Room 5: logits to a decision that says how far it can be trusted. Calibrate, smooth, abstain."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from edgehar.manifest import Decision
from edgehar.types import FloatArray, Status

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The most probable label, its probability and status; label "" and p 0 where there is no data to judge."""

    label: str
    p: float
    status: Status


NOTHING = Verdict("", 0.0, Status.NO_DATA)
BEYOND = Verdict("", 0.0, Status.OUT_OF_CONTRACT)


def softmax(logits: FloatArray, temperature: float = 1.0) -> Probabilities:
    """exp(z / T) / sum(exp(z / T)) over the last axis, in float64."""
    z = np.true_divide(logits, temperature, dtype=np.float64)
    # The ufuncs themselves: a window has few classes, and the methods of arrays take twice as long for them.
    z -= np.maximum.reduce(z, axis=-1, keepdims=True)
    np.exp(z, out=z)
    z /= np.add.reduce(z, axis=-1, keepdims=True)
    return z


def choose_head(heads: Sequence[tuple[int, ...]], coverage: Sequence[float], least: float) -> int | None:
    """Number of the head to ask, by each sensor's coverage of the window; None where no sensor has enough.

    The head of all sensors (the first) where all have at least `least`; else the one that listens to the best covered.

    >>> choose_head(((0, 1), (0,), (1,)), (0.5, 0.9), 0.8)
    2
    """
    if all(share >= least for share in coverage):
        return 0
    best = max(range(len(coverage)), key=lambda number: coverage[number])
    return heads.index((best,)) if coverage[best] >= least else None


class Decider:
    """One verdict per window: softmax at the bundle's temperature, mean of the last `smooth` windows, threshold."""

    def __init__(self, labels: Sequence[str], decision: Decision) -> None:
        self.labels = tuple(labels)
        self.decision = decision
        self._recent: deque[Probabilities] = deque(maxlen=decision.smooth)

    def push(self, logits: FloatArray, coverage: float, *, in_contract: bool = True) -> Verdict:
        """The verdict on logits [k]; a window with too few real samples counts for nothing, now or later.

        OUT_OF_CONTRACT and UNSURE still name the best label; the status says what it is worth. Logits that are not
        finite, from values that no sensor gives, are OUT_OF_CONTRACT without a label and count for nothing either.
        """
        if coverage < self.decision.min_coverage:
            return NOTHING if in_contract else BEYOND
        if not isfinite(sum(logits.tolist())):  # float64 holds every sum of float32 values
            return BEYOND
        self._recent.append(softmax(logits, self.decision.temperature))
        p: Probabilities = reduce(np.add, self._recent) / len(self._recent)  # np.mean's bits in a third of its time
        best = int(p.argmax())
        likely = p.item(best)
        if not in_contract:
            status = Status.OUT_OF_CONTRACT
        elif likely < self.decision.abstain_below:
            status = Status.UNSURE
        else:
            status = Status.OK
        return Verdict(self.labels[best], likely, status)

    def reset(self) -> None:
        """A new segment: what came before says nothing about it."""
        self._recent.clear()
