"""The audit sees every kind of leak, and says which stamp mixed people cost."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.datasets.audit import audit
from edgehar.datasets.windowset import WindowSet
from edgehar.errors import LeakageError, Reason


def windows(rows: list[tuple[str, str, int]], window: int = 10) -> WindowSet:
    n = len(rows)
    return WindowSet(
        x=np.zeros((n, window, 1), np.float32),
        y=np.zeros(n, np.int64),
        subject=np.array([row[0] for row in rows]),
        recording=np.array([row[1] for row in rows]),
        start=np.array([row[2] for row in rows]),
        labels=("walk",),
        channels=("acc_x",),
        units=("g",),
        rate_hz=50.0,
        window=window,
        hop=5,
    )


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


@pytest.mark.parametrize(
    ("test_row", "protocol", "reason"),
    [
        (("1", "a", 9), "mixed", Reason.OVERLAP),
        (("1", "a", 9), "subject", Reason.OVERLAP),
        (("1", "a", 10), "subject", Reason.SAME_RECORDING),
        (("1", "a", 10), "session", Reason.SAME_RECORDING),
        (("1", "b", 0), "subject", Reason.SUBJECT_SHARED),
        (("1", "b", 0), "loso", Reason.SUBJECT_SHARED),
        (("1", "b", 0), "official", Reason.SUBJECT_SHARED),
    ],
)
def test_leaks_are_refused_or_stamped(test_row: tuple[str, str, int], protocol: str, reason: Reason) -> None:
    found = windows([("1", "a", 0), ("3", "c", 0), test_row])
    with pytest.raises(LeakageError) as caught:
        audit(found, rows(0, 1), rows(2), protocol)
    assert caught.value.reason is reason
    assert caught.value.exit_code == 7
    assert "--split" in caught.value.hint
    assert "LEAKY" in audit(found, rows(0, 1), rows(2), protocol, allow_leaky=True)


@pytest.mark.parametrize(
    ("test_row", "protocol", "stamps"),
    [
        (("1", "a", 10), "mixed", ("MIXED-SUBJECT",)),
        (("1", "b", 0), "session", ("MIXED-SUBJECT",)),
        (("2", "b", 0), "environment", ()),
        (("2", "b", 0), "subject", ()),
        (("2", "b", 9), "loso", ()),
    ],
)
def test_what_is_allowed(test_row: tuple[str, str, int], protocol: str, stamps: tuple[str, ...]) -> None:
    assert audit(windows([("1", "a", 0), test_row]), rows(0), rows(1), protocol) == stamps


def test_overlap_is_found_at_any_place_and_distance() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        made = [
            (f"{r}", f"r{r}", int(s))
            for r, s in zip(random.integers(0, 3, 8), random.integers(-60, 60, 8), strict=True)
        ]
        found = windows(made)
        truth = any(a[1] == b[1] and abs(a[2] - b[2]) < 10 for a in made[:4] for b in made[4:])
        try:
            audit(found, rows(0, 1, 2, 3), rows(4, 5, 6, 7), "mixed")
            seen = False
        except LeakageError as error:
            seen = error.reason is Reason.OVERLAP
        assert seen == truth
