"""After an attempt to connect failed: wait, or make BlueZ forget the device first. Sans-IO; everything is counted."""

from __future__ import annotations

from collections import Counter

from edgehar.sources.ble.trouble import LASTING, OF_THE_DEVICE, Trouble

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 2.0
FORGET_AFTER = 2  # failures in a row

# What BlueZ answers where its own record of the device is in the way: a connect that it never ended, a list of services
# from before a firmware update. Forgotten and found anew, the device works again.
STALE = frozenset({
    Trouble.IN_PROGRESS, Trouble.NOT_AVAILABLE, Trouble.TIMED_OUT, Trouble.ABORTED, Trouble.OTHER,
    Trouble.NO_CHARACTERISTIC,
})  # fmt: skip


class Recovery:
    """One for each device. `after` a failed attempt tells what to do, `deaf` is one that did not even get so far;
    `wait_s` is how long to wait, `worked` ends the row.
    """

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._failures = 0
        self._forgotten = False

    @property
    def wait_s(self) -> float:
        """Before the next attempt."""
        return float(min(FIRST_WAIT_S * 2 ** max(self._failures - 1, 0), LONGEST_WAIT_S))

    def after(self, trouble: Trouble) -> bool:
        """Whether BlueZ should forget the device before the next attempt."""
        self._counts[f"connect_{trouble}"] += 1
        self._failures += 1
        enough = 1 if trouble is Trouble.NO_CHARACTERISTIC else FORGET_AFTER
        forget = trouble in STALE and self._failures >= enough and not self._forgotten
        # Once in a row: a device that is merely far away must not be found anew for each attempt.
        self._forgotten |= forget
        return forget

    def deaf(self) -> None:
        """Nothing could be heard: the scan has counted why."""
        self._failures += 1

    def is_final(self, trouble: Trouble, *, opening: bool) -> bool:
        """Whether no further attempt helps. A stream that has run waits for the adapter, too, to come back."""
        if trouble is Trouble.NO_CHARACTERISTIC:
            return opening and self._forgotten and self._failures > 1
        return opening and (trouble in LASTING or trouble in OF_THE_DEVICE)

    def worked(self) -> None:
        """Connected and set going."""
        self._failures = 0
        self._forgotten = False
