"""For any people, seed and number of folds: tested once, on one side only, and the audit agrees with brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgehar.datasets.audit import audit
from edgehar.datasets.splits import MixedFold
from edgehar.datasets.windowset import WindowSet
from edgehar.errors import LeakageError, Reason


@st.composite
def window_sets(draw: st.DrawFn) -> WindowSet:
    n = draw(st.integers(6, 60))
    window = draw(st.integers(1, 20))
    people = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    takes = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    start = draw(st.lists(st.integers(-100, 200), min_size=n, max_size=n))
    return WindowSet(
        x=np.zeros((n, window, 1), np.float32),
        y=np.zeros(n, np.int64),
        subject=np.array([f"{p}" for p in people]),
        recording=np.array([f"{p}_{t}" for p, t in zip(people, takes, strict=True)]),
        start=np.array(start),
        labels=("walk",),
        channels=("acc_x",),
        units=("g",),
        rate_hz=50.0,
        window=window,
        hop=window,
    )


@given(window_sets(), st.integers(2, 5), st.integers(0, 100))
def test_mixed_parts_divide_the_windows(windows: WindowSet, parts: int, seed: int) -> None:
    tested = []
    for part in range(parts):
        train, validation, test = MixedFold(part, parts, seed).indices(windows)
        assert sorted(np.concatenate([train, validation, test]).tolist()) == list(range(len(windows)))
        tested.append(test)
    assert sorted(np.concatenate(tested).tolist()) == list(range(len(windows)))


@given(window_sets(), st.data())
def test_audit_agrees_with_brute_force(windows: WindowSet, data: st.DataObject) -> None:
    side = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(windows), max_size=len(windows))))
    protocol = data.draw(st.sampled_from(["subject", "session", "mixed"]))
    train, test = np.flatnonzero(side == 0), np.flatnonzero(side == 1)
    pairs = [(a, b) for a in train for b in test]
    same_recording = [(a, b) for a, b in pairs if windows.recording[a] == windows.recording[b]]
    overlap = any(abs(windows.start[a] - windows.start[b]) < windows.window for a, b in same_recording)
    same_subject = any(windows.subject[a] == windows.subject[b] for a, b in pairs)
    if overlap:
        expected: Reason | None = Reason.OVERLAP
    elif same_recording and protocol != "mixed":
        expected = Reason.SAME_RECORDING
    elif same_subject and protocol == "subject":
        expected = Reason.SUBJECT_SHARED
    else:
        expected = None
    try:
        stamps = audit(windows, train, test, protocol)
        found = None
        assert stamps == (("MIXED-SUBJECT",) if same_subject else ())
    except LeakageError as error:
        found = error.reason
    assert found == expected
    assert ("LEAKY" in audit(windows, train, test, protocol, allow_leaky=True)) == (expected is not None)
