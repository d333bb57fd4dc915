"""RuView's frames (its ADR-018) as its recorder writes them: a JSON line each, with the chip's buffer in hexadecimal.

    {"timestamp": 1775182186.95, "node_id": 2, "magic": "0xC5110001", "size": 148, "rssi": 1, "type": "raw_csi",
     "iq_hex": "0000...", "subcarriers": 64}

`size` counts the 20 bytes of the datagram's head, too. There is no device time and no packet type: `timestamp`, the
recorder's clock, is a frame's time, and what a frame is follows from its length, with no secondary channel. A node is a
receiver; its number stands where other dialects have a sender's hash. The datagrams themselves carry no time at all, so
they are no recording.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.wire.espcsi_text import FIRST_BAD
from edgehar.wire.frames import FRAME, UNKNOWN_DBM, UNKNOWN_GAIN, UNKNOWN_SEQ, Cause, CsiFrames
from edgehar.wire.layouts import Layout, layout_named, layout_of
from edgehar.wire.lines import LineCutter

MAGIC = "0xC5110001"
HEAD_BYTES = 20
MAX_LINE_BYTES = 16_384
_UINT32 = 1 << 32


class Adr018Decoder:
    """A `WireDecoder` of JSON lines. Lines of other kinds (vitals, features) are counted as unknown kinds."""

    def __init__(self, layout: str = "") -> None:
        self.counts: Counter[str] = Counter(frames=0)
        self.first_bad: list[tuple[int, Cause]] = []
        self._forced = layout_named(layout) if layout else None
        self._cutter = LineCutter(MAX_LINE_BYTES)
        self._line = 0

    def push(self, data: bytes | bytearray | memoryview) -> list[CsiFrames]:
        """Frames that the bytes complete; one item a run of equal layout, in order."""
        return self._frames_of(self._cutter.push(bytes(data)))

    def finish(self) -> list[CsiFrames]:
        """The stream is over: a last line without an end counts if it is whole."""
        return self._frames_of(self._cutter.finish())

    def _frames_of(self, lines: bytes) -> list[CsiFrames]:
        frames: list[CsiFrames] = []
        for line in lines.split(b"\n")[:-1]:
            self._line += 1
            over = len(line) > MAX_LINE_BYTES
            if not over and not line.strip():
                continue
            found = Cause.OVERLONG if over else self._frame(line)
            if isinstance(found, CsiFrames):
                frames.append(found)
                continue
            self.counts[found] += 1
            if found is not Cause.KIND and len(self.first_bad) < FIRST_BAD:
                self.first_bad.append((self._line, found))
        self.counts["frames"] += len(frames)
        return _joined(frames)

    def _frame(self, line: bytes) -> CsiFrames | Cause:
        try:
            told = json.loads(line)
            if not isinstance(told, dict) or told.get("magic") != MAGIC:
                return Cause.KIND if isinstance(told, dict) else Cause.VALUE
            values = np.frombuffer(bytes.fromhex(told["iq_hex"]), np.int8)
            stamp, node, rssi = float(told["timestamp"]), int(told["node_id"]), int(told["rssi"])
            size, subcarriers = int(told["size"]), int(told["subcarriers"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return Cause.VALUE
        if len(values) != 2 * subcarriers or size != HEAD_BYTES + len(values):
            return Cause.LENGTH
        if not (0 <= stamp < 2**53 / 1e6 and 0 <= node < _UINT32 and -128 <= rssi < 128):
            return Cause.VALUE
        time_us = round(stamp * 1e6)
        told_meta = {"t_us": time_us % _UINT32, "host_s": stamp, "mac_hash": node, "rssi_dbm": rssi}
        return _frame(values, self._forced, told_meta | {"noise_floor_dbm": UNKNOWN_DBM, "rx_seq": UNKNOWN_SEQ})


def _frame(values: NDArray[np.int8], forced: Layout | None, told: dict[str, Any]) -> CsiFrames | Cause:
    layout = forced if forced is not None and forced.values == len(values) else None
    layout = layout or layout_of("classic", len(values), secondary=0)
    if layout is None:
        return Cause.LAYOUT
    meta = np.zeros(1, FRAME)
    meta["tx_seq"] = UNKNOWN_SEQ
    meta["agc_gain"] = meta["fft_gain"] = UNKNOWN_GAIN
    meta["sig_mode"] = layout.signal != "any"
    meta["bandwidth"] = layout.bandwidth_mhz == 40
    meta["stbc"] = layout.stbc
    for name, value in told.items():
        meta[name] = value
    return CsiFrames(layout.name, values.astype(np.int16)[None], meta)


def _joined(frames: list[CsiFrames]) -> list[CsiFrames]:
    """Neighbours of equal layout as one item."""
    runs: list[list[CsiFrames]] = []
    for frame in frames:
        if runs and runs[-1][0].layout == frame.layout:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return [
        CsiFrames(run[0].layout, np.concatenate([f.iq for f in run]), np.concatenate([f.meta for f in run]))
        for run in runs
    ]
