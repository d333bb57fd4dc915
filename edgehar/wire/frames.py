"""What every CSI decoder hands out, whatever came over the wire: frames as received, and what was lost and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

UNKNOWN_SEQ = -1
UNKNOWN_GAIN = -32768
UNKNOWN_DBM = -128  # rssi or noise floor that a text dialect does not tell

FRAME = np.dtype(
    [
        ("t_us", "<u4"),  # the receiver's free-running counter; wraps every 71.6 minutes
        ("rx_seq", "<i8"),  # the receiver's running number of this frame, or UNKNOWN_SEQ
        ("tx_seq", "<i8"),  # the sender's running number, from its payload, or UNKNOWN_SEQ
        ("mac_hash", "<u4"),  # keyed hash of the sender's address, never the address
        ("rssi_dbm", "i1"),
        ("noise_floor_dbm", "i1"),
        ("agc_gain", "<i2"),  # UNKNOWN_GAIN where the chip or the dialect does not tell
        ("fft_gain", "<i2"),
        ("channel", "u1"),
        ("secondary", "u1"),  # 0 none, 1 above, 2 below
        ("sig_mode", "u1"),  # 0 non-HT, 1 HT, 3 VHT
        ("bandwidth", "u1"),  # 0: 20 MHz, 1: 40 MHz
        ("stbc", "u1"),
        ("first_word_invalid", "?"),
        ("host_s", "<f8"),  # host time that a text row ended with, or NaN
    ]
)


class Cause(StrEnum):
    """Why something on the wire did not become a frame; the keys of `WireDecoder.counts` beside `frames`."""

    CRC = "bad_crc"
    COBS = "bad_cobs"
    LENGTH = "bad_length"
    VERSION = "bad_version"
    KIND = "unknown_kind"
    LAYOUT = "unknown_layout"
    TRUNCATED = "truncated_row"
    JOINED = "joined_rows"
    VALUE = "bad_value"
    COLUMNS = "bad_columns"
    OVERLONG = "overlong"  # no delimiter for longer than any frame or row is
    LOG = "log_bytes"  # bytes that are no frame and no row: boot messages, prompts


class Loss(StrEnum):
    """Where a frame or sample that never arrived went missing, as far as the running numbers can tell."""

    RADIO = "lost_radio"  # sent, never received: tx_seq jumps, rx_seq does not
    RING = "lost_ring"  # received, but dropped on the board: its drop counters say so
    QUEUE = "lost_queue"  # measured, but dropped by the tag's own queue, for a slow link
    SENSOR = "lost_sensor"  # the sensor's FIFO ran over before the tag had read it
    LINK = "lost_link"  # sent by the board, never arrived whole
    UNKNOWN = "lost_unknown"  # a foreign sender numbers nothing, or the dialect prints no number


@dataclass(frozen=True, slots=True)
class CsiFrames:
    """n CSI frames of one layout, in order of arrival.

    `layout` names a row of layouts.toml. iq [n, v] int16 holds the values as the chip gave them: pairs of (imaginary,
    real), nulls included. meta [n] has dtype FRAME. `boot` counts the restarts of the board seen before these frames:
    clocks and running numbers of different boots cannot be compared.
    """

    layout: str
    iq: NDArray[np.int16]
    meta: NDArray[np.void]
    boot: int = 0

    def __len__(self) -> int:
        return len(self.meta)


class WireDecoder(Protocol):
    """`push` bytes in pieces of any size; the frames do not depend on how they were cut."""

    counts: Counter[str]
    """`frames`, and one entry a `Cause` that occurred."""

    def push(self, data: bytes | bytearray | memoryview) -> list[CsiFrames]:
        """Frames that the bytes complete; one item a run of equal layout, in order."""

    def finish(self) -> list[CsiFrames]:
        """The stream is over: what the last bytes still hold; what they do not complete is counted."""
