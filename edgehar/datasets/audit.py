"""The leakage audit: what training and test windows may not share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.windowset import WindowSet
from edgehar.errors import LeakageError, Reason
from edgehar.types import IntArray

LEAKY = "LEAKY"
MIXED_SUBJECT = "MIXED-SUBJECT"

# These protocols share people by design and say so on everything that comes out of them.
SHARES_SUBJECTS = ("mixed", "session", "environment")
SHARES_RECORDINGS = ("mixed",)


def audit(
    windows: WindowSet, train: IntArray, test: IntArray, protocol: str, *, allow_leaky: bool = False
) -> tuple[str, ...]:
    """The stamps that results of this division must carry, in most cases none.

    Raises LeakageError, its reason OVERLAP (a sample is on both sides), SAME_RECORDING or SUBJECT_SHARED (unless
    `protocol` is one that shares them by design); with `allow_leaky` these become the stamp LEAKY.
    """
    stamps = []
    leaks = (_overlap(windows, train, test), _same_recording(windows, train, test, protocol))
    for leak in (*leaks, _subject_shared(windows, train, test, protocol)):
        if leak is None:
            continue
        if not allow_leaky:
            raise leak
        stamps.append(LEAKY)
    if protocol in SHARES_SUBJECTS and len(_shared(windows.subject, train, test)):
        stamps.append(MIXED_SUBJECT)
    return tuple(dict.fromkeys(stamps))


def _shared(names: NDArray[np.str_], train: IntArray, test: IntArray) -> NDArray[np.str_]:
    return np.intersect1d(names[train], names[test])


def _overlap(windows: WindowSet, train: IntArray, test: IntArray) -> LeakageError | None:
    if not len(train) or not len(test):
        return None
    _, recording = np.unique(windows.recording, return_inverse=True)
    # One number per window: windows of different recordings are always further apart than a window's length.
    start = windows.start - windows.start.min()
    place = recording.astype(np.int64) * (int(start.max()) + 2 * windows.window) + start
    tested = np.sort(place[test])
    at = np.searchsorted(tested, place[train])
    after = tested[np.minimum(at, len(tested) - 1)]
    before = tested[np.maximum(at - 1, 0)]
    nearest = np.minimum(np.abs(after - place[train]), np.abs(before - place[train]))
    touching = nearest < windows.window
    if not touching.any():
        return None
    example = train[np.flatnonzero(touching)[0]]
    other = test[np.argmin(np.abs(place[test] - place[example]))]
    return LeakageError(
        f"{touching.sum()} of {len(train)} training windows overlap test windows, such as those at samples "
        f"{windows.start[example]} and {windows.start[other]} of {windows.recording[example]} "
        f"(window {windows.window}, hop {windows.hop})",
        reason=Reason.OVERLAP,
        hint="split by subject (--split subject), or cut without overlap (hop = window)",
    )


def _same_recording(windows: WindowSet, train: IntArray, test: IntArray, protocol: str) -> LeakageError | None:
    shared = _shared(windows.recording, train, test)
    if not len(shared) or protocol in SHARES_RECORDINGS:
        return None
    return LeakageError(
        f"{len(shared)} recordings are in training and in test, such as {shared[0]}",
        reason=Reason.SAME_RECORDING,
        hint="split by subject (--split subject), or say that people are mixed (--split mixed)",
    )


def _subject_shared(windows: WindowSet, train: IntArray, test: IntArray, protocol: str) -> LeakageError | None:
    shared = _shared(windows.subject, train, test)
    if not len(shared) or protocol in SHARES_SUBJECTS:
        return None
    return LeakageError(
        f"{len(shared)} people are in training and in test, such as {shared[0]}",
        reason=Reason.SUBJECT_SHARED,
        hint="split by subject (--split subject), or say that people are mixed (--split mixed)",
    )
