"""Room 5 over a batch: `edgehar.decide.Decider` for every stream, with the same numbers."""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray

from edgehar.decide import softmax
from edgehar.manifest import Manifest
from edgehar.many.arrivals import COVERED, GAP, IN_CONTRACT, STREAM
from edgehar.many.decisions import NO_DATA, NO_LABEL, OK, OUT_OF_CONTRACT, UNSURE
from edgehar.many.state import Doubles, DoubleTable
from edgehar.runtimes.kernels.compiler import Indices, Table, exact_kernel
from edgehar.types import FloatArray, IntArray

Recent = Annotated[NDArray[np.float64], "float64[:,:,::1]"]
Codes = Annotated[NDArray[np.uint8], "uint8[::1]"]
ABSTAIN_BELOW, MIN_COVERAGE, RATIO = range(3)
"""`settings`: the thresholds, and what a real sample adds to a window's coverage."""
BROKEN: Final = -1.0
"""Stands for the probabilities of logits that are not finite."""


@exact_kernel
def judge(
    events: Table, probabilities: DoubleTable, settings: Doubles, counts: Indices, recent: Recent, label: Indices,
    p: Doubles, status: Codes, coverage: Doubles,
) -> None:  # fmt: skip
    """Verdicts in the order of the events. recent [S, smooth, k], counts [S]: what every stream averages over."""
    smooth, classes = recent.shape[1], recent.shape[2]
    mean = np.empty(classes)
    for e in range(len(events)):
        s = events[e, STREAM]
        label[e], p[e], coverage[e] = NO_LABEL, 0.0, events[e, COVERED] / settings[RATIO]
        within = events[e, IN_CONTRACT] == 1
        if events[e, GAP] == 1:
            counts[s] = 0
            status[e] = NO_DATA
            continue
        if coverage[e] < settings[MIN_COVERAGE]:
            status[e] = NO_DATA if within else OUT_OF_CONTRACT
            continue
        if probabilities[e, 0] == BROKEN:
            status[e] = OUT_OF_CONTRACT
            continue
        recent[s, counts[s] % smooth, :] = probabilities[e]
        counts[s] += 1
        held = min(counts[s], smooth)
        mean[:] = 0
        for i in range(held):
            mean += recent[s, (counts[s] - held + i) % smooth]
        best = 0
        for c in range(classes):
            if mean[c] / held > mean[best] / held:
                best = c
        label[e], p[e] = best, mean[best] / held
        if not within:
            status[e] = OUT_OF_CONTRACT
        elif p[e] < settings[ABSTAIN_BELOW]:
            status[e] = UNSURE
        else:
            status[e] = OK


class ManyDeciders:
    """What every stream's decisions are averaged over, and the bundle's thresholds."""

    def __init__(self, manifest: Manifest, streams: int) -> None:
        decision = manifest.decision
        self._temperature = decision.temperature
        self._settings = np.array([decision.abstain_below, decision.min_coverage, manifest.window], np.float64)
        self._recent = np.zeros((streams, decision.smooth, len(manifest.labels)))
        self._counts = np.zeros(streams, np.int64)

    def push(
        self, events: IntArray, logits: FloatArray
    ) -> tuple[IntArray, NDArray[np.float64], NDArray[np.uint8], NDArray[np.float64]]:
        """(label, p, status, coverage), each [m], of events [m, 5] and their logits [m, k]."""
        m = len(events)
        broken = np.asarray(~np.isfinite(logits).all(axis=1))
        probabilities = softmax(np.where(broken[:, None], np.float32(0), logits), self._temperature)
        probabilities[broken] = BROKEN
        label, p, status, coverage = np.empty(m, np.int64), np.empty(m), np.empty(m, np.uint8), np.empty(m)
        judge(events, probabilities, self._settings, self._counts, self._recent, label, p, status, coverage)
        return label, p, status, coverage

    def forget(self, streams: IntArray) -> None:
        """The next decision of these streams is a first one."""
        self._counts[streams] = 0
