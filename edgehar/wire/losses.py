"""Where CSI frames went missing: the account that a decoder keeps of running numbers and drop counters.

A board numbers the frames it receives (rx_seq), queues them, and sends them in that order; its queue drops the oldest.
Hello and heartbeat stand in the same order and say `next_seq` and `dropped_ring` as of themselves, which tells RING
from LINK (edgehar/wire/numbered.py); the senders' own numbers tell what was lost on the air.
"""

from __future__ import annotations

from collections import OrderedDict

from edgehar.wire.frames import Loss
from edgehar.wire.numbered import MODULUS, NumberedLosses

_BACKWARDS = 2**31  # a step this long is one back
MAX_SENDERS = 64


class LossAccount(NumberedLosses):
    """Fed with what arrives, in order.

    `losses` is settled at each hello and heartbeat; `pending` frames are missing since then. `unnumbered` frames came
    from senders that number nothing: how many more of theirs were lost on the air cannot be known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unnumbered = 0
        self._missing = 0  # rx numbers that never came, in all
        self._unclaimed = 0  # those of them that no gap of a sender has been set against
        self._senders: OrderedDict[int, tuple[int, int]] = OrderedDict()  # sender -> its number, _missing at that time

    def frame(self, rx_seq: int, tx_seq: int | None, sender: int) -> bool:
        """One CSI frame arrived. False, and nothing is counted, where its number lies behind: the board restarted."""
        if not self.arrived(rx_seq):
            return False
        if tx_seq is None:
            self.unnumbered += 1
        else:
            self._on_air(tx_seq, sender)
        return True

    def mark(self, next_seq: int, dropped_ring: int) -> bool:
        """A hello or heartbeat arrived: everything before `next_seq` is accounted for. False as in `frame`."""
        return self.mark_at(next_seq, {Loss.RING: dropped_ring})

    def restart(self) -> None:
        """The board started anew: its numbers and counters begin again, and nothing between was a loss."""
        super().restart()
        self._senders.clear()

    def _advance(self, to: int) -> bool:
        before = self.pending
        if not super()._advance(to):
            return False
        self._missing += self.pending - before
        self._unclaimed += self.pending - before
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
        gap = (tx_seq - before[0] - 1) % MODULUS
        if 0 < gap < _BACKWARDS:  # else repeated on the air, or the sender started anew
            explained = min(gap, self._missing - before[1], self._unclaimed)
            self._unclaimed -= explained
            self._add(Loss.RADIO, gap - explained)
