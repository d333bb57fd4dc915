"""CSI frames and byte streams of a board, for the tests of both sides of the wire."""

from __future__ import annotations

import numpy as np

from edgehar.wire.encode import encode_csi
from edgehar.wire.frames import FRAME, UNKNOWN_SEQ, CsiFrames
from edgehar.wire.layouts import layout_named

HT40 = "classic-below-ht40"


def csi_frames(n=1, *, layout=HT40, first=0, seed=0, numbered=True, sender=0xC0FFEE):
    """n frames with rx_seq from `first` and, if numbered, the same tx_seq."""
    rng = np.random.default_rng((seed, first))
    row = layout_named(layout)
    limit = 1 << (row.bits - 1)
    meta = np.zeros(n, FRAME)
    meta["rx_seq"] = np.arange(first, first + n)
    meta["tx_seq"] = meta["rx_seq"] if numbered else UNKNOWN_SEQ
    meta["t_us"] = (np.arange(first, first + n) * 5000 + 77) % 2**32
    meta["mac_hash"] = sender
    meta["rssi_dbm"] = rng.integers(-90, -20, n)
    meta["noise_floor_dbm"] = -95
    meta["agc_gain"] = rng.integers(0, 100, n)
    meta["fft_gain"] = -32768
    meta["channel"] = 6
    meta["secondary"] = 2
    meta["sig_mode"] = 1
    meta["bandwidth"] = 1
    meta["first_word_invalid"] = True
    meta["host_s"] = np.nan
    iq = np.clip(rng.normal(0, limit / 10, (n, row.values)), -limit, limit - 1).astype(np.int16)
    iq[:, 246:266] = 0  # guards: runs of zeros
    return CsiFrames(layout, iq, meta)


def wire(n=1, *, boot=1, **how):
    """The same as bytes, a frame each."""
    return encode_csi(csi_frames(n, **how), boot=boot)


def decode(decoder, data, size=None):
    """All frames in `data`, pushed in pieces of `size` bytes."""
    size = size or max(1, len(data))
    found = [run for at in range(0, len(data), size) for run in decoder.push(data[at : at + size])]
    return found + decoder.finish()


def numbers(runs):
    """rx_seq of all frames."""
    return [int(number) for run in runs for number in run.meta["rx_seq"]]
