"""The decoder of everything that prints `CSI_DATA` rows: esp-csi's examples, ESP32-CSI-Tool, consoles around them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgehar.dsp.kernel import compiles
from edgehar.types import IntArray
from edgehar.wire.espcsi_kernel import scan
from edgehar.wire.espcsi_rows import (
    ABSENT,
    AGC_GAIN,
    AT,
    BANDWIDTH,
    C5_C6,
    CAUSES,
    CHANNEL,
    CSI_TOOL,
    FFT_GAIN,
    FIRST_WORD,
    ID,
    MAX_ROW_BYTES,
    NOISE_FLOOR,
    PACKED,
    RSSI,
    SECONDARY,
    SENDER_NUMBERS,
    SIG_MODE,
    STBC,
    T_US,
    Rows,
    scan_py,
)
from edgehar.wire.frames import FRAME, UNKNOWN_GAIN, UNKNOWN_SEQ, Cause, CsiFrames, Loss
from edgehar.wire.gaps import Gaps
from edgehar.wire.layouts import Layout, layout_named, layout_of
from edgehar.wire.lines import LineCutter
from edgehar.wire.senders import SenderHashes, hash_key

SLICE_BYTES = 1 << 19  # scanned at once: what a core's cache holds
FIRST_BAD = 10  # bad rows that are remembered with their line
CSI_SEND_MAC = 0x1A0000000000  # esp-csi's csi_send; csi_recv then prints the number in its payload
BELOW = 2  # secondary channel that esp-csi sets, taken where a row does not tell


class TextDecoder:
    """Bytes of a console to frames; see `WireDecoder`.

    salt: hashes senders alike in every session; by default their key is random. layout: the name of what frames of its
    length are, where the rows could be read two ways.
    """

    def __init__(self, salt: str = "", layout: str = "") -> None:
        self.counts: Counter[str] = Counter(frames=0)
        self.first_bad: list[tuple[int, Cause]] = []
        """Line, from 1, and cause of the first few bad rows."""
        self._lines = 0
        self._cutter = LineCutter(MAX_ROW_BYTES)
        self._senders = SenderHashes(hash_key(salt))
        self._forced = layout_named(layout) if layout else None
        self._gaps = Gaps()

    @property
    def losses(self) -> Counter[Loss]:
        """Frames that never arrived, by the rows' own numbers; as many as there were bad rows were lost on the link."""
        bad = sum(self.counts[cause] for cause in CAUSES) + self.counts[Cause.LAYOUT]
        return self._gaps.losses(bad)

    def push(self, data: bytes | bytearray | memoryview) -> list[CsiFrames]:
        """Frames that the bytes complete; one item a run of equal layout, in order."""
        return list(self._frames_of(self._cutter.push(bytes(data))))

    def finish(self) -> list[CsiFrames]:
        """The stream is over: a last row without a line end counts if it is whole."""
        return list(self._frames_of(self._cutter.finish()))

    def _frames_of(self, lines: bytes) -> Iterator[CsiFrames]:
        begin = 0
        while begin < len(lines):
            end = lines.rfind(b"\n", begin, begin + SLICE_BYTES) + 1 or lines.find(b"\n", begin + SLICE_BYTES) + 1
            text = lines[begin:end]
            rows = scan(text) if compiles() else scan_py(text)
            yield from self._frames(rows, text)
            self._lines += rows.lines
            begin = end

    def _frames(self, rows: Rows, text: bytes) -> Iterator[CsiFrames]:
        if rows.log_bytes:
            self.counts[Cause.LOG] += rows.log_bytes
        layouts, layout_at = self._layouts(rows)
        bits = np.array([layout.bits if layout else 16 for layout in layouts], np.int64)[layout_at]
        unknown = np.array([layout is None for layout in layouts], bool)[layout_at]
        limit = 1 << (bits - 1)
        outside = (rows.least < -limit) | (rows.greatest >= limit)
        self._refuse(
            np.concatenate([rows.refused, rows.line[unknown], rows.line[outside & ~unknown]]),
            [CAUSES[cause] for cause in rows.cause.tolist()]
            + [Cause.LAYOUT] * int(unknown.sum())
            + [Cause.VALUE] * int((outside & ~unknown).sum()),
        )
        keep = np.flatnonzero(~unknown & ~outside)
        if not len(keep):
            return
        meta = self._meta(rows, text, layouts, layout_at)[keep]
        self._gaps.push(meta)
        self.counts["frames"] += len(keep)
        layout_at, first = layout_at[keep], rows.first[keep]
        edges = [0, *(np.flatnonzero(np.diff(layout_at)) + 1).tolist(), len(keep)]
        for begin, end in itertools.pairwise(edges):
            layout = layouts[layout_at[begin]]
            if layout is not None:
                yield CsiFrames(layout.name, _block(rows.values, first[begin:end], layout.values), meta[begin:end])

    def _refuse(self, lines: IntArray, causes: list[Cause]) -> None:
        for line, cause in sorted(zip(lines.tolist(), causes, strict=True)):
            self.counts[cause] += 1
            if len(self.first_bad) < FIRST_BAD:
                self.first_bad.append((self._lines + line + 1, cause))

    def _layouts(self, rows: Rows) -> tuple[list[Layout | None], IntArray]:
        """The distinct layouts of the rows, None for unknown, and the one of each row [g]."""
        told = np.column_stack([rows.dialect, rows.count, rows.columns[:, [SECONDARY, SIG_MODE, BANDWIDTH, STBC]]])
        packed = told @ np.array([1 << 24, 1 << 9, 1 << 7, 1 << 5, 1 << 4, 1])
        _, first, kind_at = np.unique(packed, return_index=True, return_inverse=True)
        layouts = [self._layout(*told[row].tolist()) for row in first.tolist()]
        distinct = list(dict.fromkeys(layouts, 0))
        number = np.array([distinct.index(layout) for layout in layouts], np.int64)
        return distinct, number[kind_at]

    def _layout(
        self, dialect: int, values: int, secondary: int, sig_mode: int, bandwidth: int, stbc: int
    ) -> Layout | None:
        if self._forced is not None and self._forced.values == values:
            return self._forced
        if PACKED[dialect]:
            return layout_of("packed", values)
        if dialect == C5_C6:
            return layout_of("c5", values, secondary=BELOW) or layout_of("c6", values)
        return layout_of("classic", values, secondary=secondary, sig_mode=sig_mode, bandwidth=bandwidth, stbc=stbc)

    def _meta(self, rows: Rows, text: bytes, layouts: list[Layout | None], layout_at: IntArray) -> NDArray[np.void]:
        columns, dialect = rows.columns, rows.dialect
        meta = np.zeros(len(rows), FRAME)
        meta["t_us"] = columns[:, T_US] & 0xFFFFFFFF
        numbered = SENDER_NUMBERS[dialect] & (rows.mac == CSI_SEND_MAC)
        told = AT[dialect, ID] != ABSENT
        number = columns[:, ID] & 0xFFFFFFFF
        meta["tx_seq"] = np.where(numbered, number, UNKNOWN_SEQ)
        meta["rx_seq"] = np.where(told & ~numbered, number, UNKNOWN_SEQ)
        meta["mac_hash"] = self._senders(rows.mac)
        meta["rssi_dbm"] = columns[:, RSSI]
        meta["noise_floor_dbm"] = columns[:, NOISE_FLOOR].astype(np.int8)  # a C5 prints -97 as 159
        for name, column in (("agc_gain", AGC_GAIN), ("fft_gain", FFT_GAIN)):
            meta[name] = np.where(AT[dialect, column] == ABSENT, UNKNOWN_GAIN, columns[:, column])
        meta["channel"] = columns[:, CHANNEL]
        meta["secondary"] = columns[:, SECONDARY]
        meta["stbc"] = columns[:, STBC]
        wide = np.array([layout is not None and layout.bandwidth_mhz == 40 for layout in layouts], bool)[layout_at]
        high = np.array([layout is not None and layout.signal != "any" for layout in layouts], bool)[layout_at]
        untold = dialect == C5_C6
        meta["sig_mode"] = np.where(untold, high, columns[:, SIG_MODE])
        meta["bandwidth"] = np.where(untold, wide, columns[:, BANDWIDTH])
        # ESP32-CSI-Tool does not tell; on its chips the first word is invalid as a rule. Packed arrays have none.
        meta["first_word_invalid"] = ((dialect == CSI_TOOL) | (columns[:, FIRST_WORD] != 0)) & ~PACKED[dialect]
        meta["host_s"] = np.nan
        appended = (dialect == CSI_TOOL) & (rows.tail[:, 1] > rows.tail[:, 0])
        if appended.any():
            meta["host_s"][appended] = [_seconds(text[begin:end]) for begin, end in rows.tail[appended].tolist()]
        return meta


def _block(values: NDArray[np.int16], first: IntArray, width: int) -> NDArray[np.int16]:
    """The numbers [n, width] that begin at `first` [n], ascending; not copied where they stand one after another."""
    begin, end = int(first[0]), int(first[-1]) + width
    if end - begin == len(first) * width:
        return values[begin:end].reshape(-1, width)
    return np.stack([values[at : at + width] for at in first.tolist()])


def _seconds(tail: bytes) -> float:
    """`,1592394821.42` as a number; anything else as NaN."""
    try:
        return float(tail.removeprefix(b","))
    except ValueError:
        return float("nan")
