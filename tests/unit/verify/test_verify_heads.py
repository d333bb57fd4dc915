"""Labels of several heads are compared head by head: which head has the largest logit of all says nothing."""

from __future__ import annotations

import numpy as np
from factories import random_bundle
from quantised import quantised

from edgehar.verify.rules import Rule, judge
from edgehar.verify.target import Subject

LABELS = 4


def verdict(change: tuple[int, int, float]) -> tuple[bool, float]:
    """(ok, agreement) where in 2 of 200 windows a head's logit is another by this much."""
    subject = Subject(quantised(random_bundle("fusion", classes=LABELS), "int8"))
    golden = np.tile(np.array([[5, 1, 0, 0], [4.9, 1, 0, 0], [3, 2.9, 0, 0]], np.float32).reshape(1, -1), (200, 1))
    head, label, by = change
    logits = golden.copy()
    logits[:2, head * LABELS + label] += by
    judged = judge(subject, Rule.AGREEMENT, logits, golden)
    return judged.ok, judged.agreement


def test_another_head_with_the_largest_logit_is_no_other_label() -> None:
    assert verdict((1, 0, 0.5)) == (True, 1.0)


def test_another_label_of_any_head_counts() -> None:
    ok, agreement = verdict((2, 1, 0.5))
    assert agreement == 1 - 2 / 600
    assert ok
    assert not verdict((0, 0, float("nan")))[0]
