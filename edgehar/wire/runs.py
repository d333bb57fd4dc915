"""CSI payloads, collected while their layout and boot stay the same, and turned into arrays at once."""

from __future__ import annotations

import numpy as np

from edgehar.wire.frames import FRAME, UNKNOWN_SEQ, CsiFrames
from edgehar.wire.layouts import Layout
from edgehar.wire.messages import CsiFlag
from edgehar.wire.schema import schema

_HEAD = schema().kinds["csi"].dtype
_SAME = tuple(sorted({*(FRAME.names or ())} & {*(_HEAD.names or ())} - {"rx_seq", "tx_seq"}))


def value_type(layout: Layout) -> np.dtype[np.int8] | np.dtype[np.int16]:
    """How wide the wire carries a layout's values."""
    return np.dtype("i1") if layout.bits <= 8 else np.dtype("<i2")


class Run:
    """Frames of one layout and boot, in order of arrival. rx_seq is unwrapped by the caller."""

    def __init__(self, layout: Layout, boot: int) -> None:
        self.layout = layout
        self.boot = boot
        self._payloads: list[bytes] = []
        self._rx_seq: list[int] = []

    def push(self, payload: bytes, rx_seq: int) -> None:
        """One more frame."""
        self._payloads.append(payload)
        self._rx_seq.append(rx_seq)

    def frames(self) -> CsiFrames:
        """All of them."""
        record = np.dtype([("head", _HEAD), ("iq", value_type(self.layout), (self.layout.values,))])
        got = np.frombuffer(b"".join(self._payloads), record)
        head, meta = got["head"], np.zeros(len(got), FRAME)
        for name in _SAME:
            meta[name] = head[name]
        meta["rx_seq"] = self._rx_seq
        meta["tx_seq"] = np.where(head["flags"] & CsiFlag.NUMBERED, head["tx_seq"].astype("<i8"), UNKNOWN_SEQ)
        meta["first_word_invalid"] = (head["flags"] & CsiFlag.FIRST_WORD_INVALID) != 0
        meta["host_s"] = np.nan
        return CsiFrames(self.layout.name, got["iq"].astype(np.int16), meta, self.boot)
