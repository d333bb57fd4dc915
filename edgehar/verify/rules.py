"""When two sets of logits count as equal.

Integers that we compute ourselves: to the bit. The same integers in another runtime, which rounds in its own way, and
floating-point spiking models, where one potential on the other side of its threshold makes another number of spikes:
the same winning label in 99.5 % of the windows (of windows times heads). Everything else in float: |difference| <= 1e-4
max(1, |logit|).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edgehar.types import FloatArray
from edgehar.verify.target import Subject, Target

TOLERANCE = 1e-4
STREAMING_TOLERANCE = 1e-5
AGREEMENT = 0.995


class Rule(StrEnum):
    """How logits are compared; the report says which."""

    BITWISE = "bitwise"
    TOLERANCE = "tolerance"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`max_error` is in logits for a quantised model (`absolute`), else relative to max(1, |logit|).

    `lsb` is the same in steps of the integer logits that the target gives; None where it gives real numbers. `window`
    is the first that breaks the rule, or the one with the largest error.
    """

    ok: bool
    rule: Rule
    max_error: float
    absolute: bool
    lsb: float | None
    agreement: float
    window: int


def rule_of(subject: Subject, target: Target) -> Rule:
    """What the contract asks of this target for this model."""
    if subject.quantised:
        return Rule.BITWISE if target.own_arithmetic else Rule.AGREEMENT
    return Rule.AGREEMENT if subject.spiking else Rule.TOLERANCE


def judge(
    subject: Subject,
    rule: Rule,
    logits: FloatArray,
    golden: FloatArray,
    tolerance: float = TOLERANCE,
    step: float | None = None,
) -> Verdict:
    """Compare logits [n, classes] with the golden ones. `step`: what one unit of the target's integers is worth."""
    if logits.shape != golden.shape:
        return Verdict(False, rule, float("inf"), subject.quantised, None, 0.0, 0)
    difference = np.abs(logits.astype(np.float64) - golden)
    difference[~np.isfinite(logits)] = np.inf
    errors = difference if subject.quantised else difference / np.maximum(1.0, np.abs(golden))
    labels = len(subject.bundle.manifest.labels)
    found, right = (one.reshape(len(one), -1, labels).argmax(axis=2) for one in (logits, golden))
    same_label = found == right  # [n, heads]
    agreement = float(same_label.mean())
    if rule is Rule.BITWISE:
        broken = (logits != golden).any(axis=1)
    elif rule is Rule.TOLERANCE:
        broken = (errors > tolerance).any(axis=1)
    else:
        broken = ~same_label.all(axis=1) | ~np.isfinite(logits).all(axis=1)
    ok = agreement >= AGREEMENT and np.isfinite(logits).all() if rule is Rule.AGREEMENT else not broken.any()
    worst = int(np.argmax(broken)) if broken.any() else int(errors.max(axis=1).argmax())
    largest = float(errors.max())
    lsb = None if step is None or not subject.quantised else largest / step
    return Verdict(bool(ok), rule, largest, subject.quantised, lsb, agreement, worst)
