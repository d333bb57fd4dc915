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
    recordings = np.intersect1d(windows.recording[train], windows.recording[test])
    people = np.intersect1d(windows.subject[train], windows.subject[test])
    stamps = []
    for leak in (
        _overlap(windows, train, test),
        _both_sides(recordings, "recordings", Reason.SAME_RECORDING, by_design=protocol in SHARES_RECORDINGS),
        _both_sides(people, "people", Reason.SUBJECT_SHARED, by_design=protocol in SHARES_SUBJECTS),
    ):
        if leak is None:
            continue
        if not allow_leaky:
            raise leak
        stamps.append(LEAKY)
    if protocol in SHARES_SUBJECTS and len(people):
        stamps.append(MIXED_SUBJECT)
    return tuple(dict.fromkeys(stamps))


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


def _both_sides(shared: NDArray[np.str_], what: str, reason: Reason, *, by_design: bool) -> LeakageError | None:
    """The leak of whole recordings or people that stand in training and in test."""
    if not len(shared) or by_design:
        return None
    return LeakageError(
        f"{len(shared)} {what} are in training and in test, such as {shared[0]}",
        reason=reason,
        hint="split by subject (--split subject), or say that people are mixed (--split mixed)",
    )
