"""What is missing of a numbered sequence, and why, as far as the device's own drop counters tell.

A device numbers what it sends, and drops some of it on the way (a queue for a slow link, a sensor's FIFO that ran
over). From time to time it says which number comes next and how many it dropped for each reason, as of that moment. So
between two such marks, of the numbers' advance, what the counters rose by is theirs, what arrived is no loss, and the
rest is LINK, exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from edgehar.wire.frames import Loss

MODULUS = 2**32
_BACKWARDS = 2**31  # a step this long is one back


class NumberedLosses:
    """Fed with what arrives, in order. `losses` is settled at each mark; `pending` are missing since then."""

    def __init__(self) -> None:
        self.losses: Counter[Loss] = Counter()
        self.pending = 0
        self._expected: int | None = None  # number of the next one if nothing is lost
        self._dropped: Mapping[Loss, int] | None = None  # totals as of the last mark
        self._damaged = 0  # pieces since then that were nothing

    def arrived(self, first: int, count: int = 1) -> bool:
        """`count` of them, numbered from `first` on. False, and nothing is counted, where that lies behind."""
        if self._expected is not None and not self._advance(first):
            return False
        self._expected = (first + count) % MODULUS
        return True

    def mark_at(self, next_seq: int, dropped: Mapping[Loss, int]) -> bool:
        """Everything before `next_seq` was sent or dropped; `dropped` are totals modulo 2^32. False as in `arrived`."""
        if self._expected is not None and not self._advance(next_seq):
            return False
        self._expected = next_seq
        if self._dropped is None:
            self._settle_unseen()
        else:
            for loss, total in dropped.items():
                count = min((total - self._dropped.get(loss, 0)) % MODULUS, self.pending)
                self._add(loss, count)
                self.pending -= count
            self._settle_as_link(self.pending)
        self._dropped = dict(dropped)
        return True

    def late(self, count: int) -> None:
        """So many arrived after the mark that had counted them as missing."""
        for loss in (Loss.LINK, Loss.UNKNOWN):
            found = min(count, self.losses[loss])
            self.losses[loss] -= found
            count -= found
        self.losses = +self.losses

    def damage(self) -> None:
        """A piece of the stream was neither of ours nor text."""
        self._damaged += 1

    def restart(self) -> None:
        """The device started anew: its numbers and counters begin again, and nothing between was a loss."""
        self._settle_unseen()
        self._expected = self._dropped = None

    def finish(self) -> None:
        """The stream is over."""
        self._settle_unseen()

    def _advance(self, to: int) -> bool:
        """Count the numbers from the expected one up to `to`; False where that would be a step back."""
        gap = (to - (self._expected or 0)) % MODULUS
        if gap >= _BACKWARDS:
            return False
        self.pending += gap
        return True

    def _settle_unseen(self) -> None:
        """No counter of the device covers what is pending: a damaged piece is one lost on the link, at most."""
        link = min(self.pending, self._damaged)
        self._add(Loss.UNKNOWN, self.pending - link)
        self._settle_as_link(link)

    def _settle_as_link(self, count: int) -> None:
        self._add(Loss.LINK, count)
        self.pending = self._damaged = 0

    def _add(self, loss: Loss, n: int) -> None:
        if n:
            self.losses[loss] += n
