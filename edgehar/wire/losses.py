"""Where frames went missing: the account that a decoder keeps of running numbers and drop counters.

A board numbers the frames it receives (rx_seq), queues them, and sends them in that order; its queue drops the oldest.
Hello and heartbeat stand in the same order and say `next_seq` and `dropped_ring` as of themselves. So between two of
them, of next_seq's advance, dropped_ring's is RING, what arrived is no loss, and the rest is LINK, exactly.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from edgehar.wire.frames import Loss

_MODULUS = 2**32
_BACKWARDS = 2**31  # a step this long is one back
MAX_SENDERS = 64


class LossAccount:
    """Fed with what arrives, in order.

    `losses` is settled at each hello and heartbeat; `pending` frames are missing since then. `unnumbered` frames came
    from senders that number nothing: how many more of theirs were lost on the air cannot be known.
    """

    def __init__(self) -> None:
        self.losses: Counter[Loss] = Counter()
        self.unnumbered = 0
        self.pending = 0
        self._expected: int | None = None  # rx_seq of the next frame if nothing is lost
        self._dropped_ring: int | None = None  # as of the last hello or heartbeat
        self._damaged = 0  # pieces since then that were no frame
        self._missing = 0  # rx numbers that never came, in all
        self._unclaimed = 0  # those of them that no gap of a sender has been set against
        self._senders: OrderedDict[int, tuple[int, int]] = OrderedDict()  # sender -> its number, _missing at that time

    def frame(self, rx_seq: int, tx_seq: int | None, sender: int) -> bool:
        """One CSI frame arrived. False, and nothing is counted, where its number lies behind: the board restarted."""
        if self._expected is not None and not self._advance(rx_seq):
            return False
        self._expected = (rx_seq + 1) % _MODULUS
        if tx_seq is None:
            self.unnumbered += 1
        else:
            self._on_air(tx_seq, sender)
        return True

    def mark(self, next_seq: int, dropped_ring: int) -> bool:
        """A hello or heartbeat arrived: everything before `next_seq` is accounted for. False as in `frame`."""
        if self._expected is not None and not self._advance(next_seq):
            return False
        self._expected = next_seq
        if self._dropped_ring is None:
            self._settle_unseen()
        else:
            ring = min((dropped_ring - self._dropped_ring) % _MODULUS, self.pending)
            self._settle(ring=ring, link=self.pending - ring)
        self._dropped_ring = dropped_ring
        return True

    def damage(self) -> None:
        """A piece of the stream was neither a frame nor text."""
        self._damaged += 1

    def restart(self) -> None:
        """The board started anew: its numbers and counters begin again, and nothing between was a loss."""
        self._settle_unseen()
        self._expected = self._dropped_ring = None
        self._senders.clear()

    def finish(self) -> None:
        """The stream is over."""
        self._settle_unseen()

    def _advance(self, to: int) -> bool:
        """Count the numbers from the expected one up to `to`; False where that would be a step back."""
        gap = (to - (self._expected or 0)) % _MODULUS
        if gap >= _BACKWARDS:
            return False
        self.pending += gap
        self._missing += gap
        self._unclaimed += gap
        return True

    def _on_air(self, tx_seq: int, sender: int) -> None:
        """What the sender numbered and nobody here did was lost on the air.

        A gap in rx_seq explains as many missing numbers of one sender. Where several send, it is not known whose frames
        it held, and the first to miss some is given them: their sum is right, RADIO then is a lower bound.
        """
        before = self._senders.pop(sender, None)
        self._senders[sender] = (tx_seq, self._missing)
        if len(self._senders) > MAX_SENDERS:
            self._senders.popitem(last=False)
        if before is None:
            return
        gap = (tx_seq - before[0] - 1) % _MODULUS
        if 0 < gap < _BACKWARDS:  # else repeated on the air, or the sender started anew
            explained = min(gap, self._missing - before[1], self._unclaimed)
            self._unclaimed -= explained
            self._add(Loss.RADIO, gap - explained)

    def _settle_unseen(self) -> None:
        """No counter of the board covers what is pending: a damaged piece is a frame lost on the link, at most."""
        link = min(self.pending, self._damaged)
        self._add(Loss.UNKNOWN, self.pending - link)
        self._settle(ring=0, link=link)

    def _settle(self, *, ring: int, link: int) -> None:
        self._add(Loss.RING, ring)
        self._add(Loss.LINK, link)
        self.pending = self._damaged = 0

    def _add(self, loss: Loss, n: int) -> None:
        if n:
            self.losses[loss] += n
