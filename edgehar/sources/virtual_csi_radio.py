"""A simulated receiver in a simulated room: CSI frames as a chip gives them, garbage and clipping included.

What the channel is not, the receiver adds: a phase that is new in every frame (the carriers run free), a slope over the
subcarriers (its sampling begins early or late), gain in steps, noise, eight bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import Reason, UsageError
from edgehar.sources.virtual_csi_body import ACTS, EMPTY, Float64, Person
from edgehar.sources.virtual_csi_room import Complex64, Room
from edgehar.types import IntArray
from edgehar.wire.frames import FRAME, UNKNOWN_SEQ, CsiFrames
from edgehar.wire.layouts import INVALID_PAIRS, SECONDARY, Layout, layout_named
from edgehar.wire.senders import hash_key
from edgehar.wire.siphash import mac_hash

LAYOUT = "classic-below-ht40"
CHANNEL = 6
CHANNEL_6_HZ = 2.437e9
HALF_BINS = 32  # between the centre of 40 MHz and that of either half
SENDER = bytes.fromhex("1a0000000000")  # what esp-csi's csi_send calls itself
BLOCK = 32  # frames that are made at once, always: how they are asked for changes nothing
SENT_DBM = 15.0
NOISE_FLOOR_DBM = -95
ESTIMATE_SNR_DB = 34.0  # of the chip's own estimate, whatever the distance
LEVEL = 22.0  # root mean square that gain control aims at
HYSTERESIS_DB = 2.0
GAIN_JITTER_DB = 0.7
LOCK_AFTER = 100  # frames whose mean gain is then held, as esp-csi does
BACKOFF_S = 2e-4  # mean wait for a free medium
EDGE_S = 25e-9  # spread of where sampling begins
NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class RadioSettings:
    """dwell_s: mean stay in an activity. activity: only that, or "empty". dead: subcarriers that stay silent."""

    seed: int = 0
    rate_hz: float = 100.0
    layout: str = LAYOUT
    dwell_s: float = 12.0
    activity: str = ""
    gain_lock: bool = False
    dead: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """n transmissions in order: t_ns [n], true time since the start, and the frames, numbered by their sender."""

    t_ns: IntArray
    frames: CsiFrames


class VirtualRadio:
    """`push(n)`: the next n transmissions as received. Equal settings give equal frames, however they are asked for."""

    def __init__(self, settings: RadioSettings) -> None:
        self.settings = settings
        self.layout = _plain_layout(settings.layout)
        if settings.activity and settings.activity != EMPTY and _passing(settings.activity):
            lasting = [name for name in ACTS if not _passing(name)]
            raise UsageError(
                f"nobody can be {settings.activity} all the time",
                reason=Reason.UNKNOWN_NAME,
                hint=f"choose from: {', '.join([EMPTY, *lasting])}",
            )
        # Independent streams of randomness: a setting of the radio does not change what the person does.
        room_rng, person_rng, self._rng = map(np.random.default_rng, np.random.SeedSequence(settings.seed).spawn(3))
        wide = self.layout.bandwidth_mhz == 40
        primary = {"below": HALF_BINS, "above": -HALF_BINS}.get(self.layout.secondary, 0) if wide else 0
        self._room = Room(room_rng, CHANNEL_6_HZ - primary * 312_500.0)
        self._person = Person(self._room.size_m[:2], settings.dwell_s, person_rng, settings.activity)
        self._bins, self._bin_of_pair, self._heard_pairs = _pairs(self.layout, primary, settings.dead)
        self.gain_locked = settings.gain_lock
        self._gain_db: float | None = None
        self._wanted_db: list[float] = []
        self._sent = 0
        self._waiting: Heard | None = None
        self._sender = mac_hash(hash_key(f"virtual-{settings.seed}"), SENDER)

    def label_at(self, t_s: float) -> str:
        """What the person was doing at true time `t_s`."""
        return self._person.label_at(t_s)

    def push(self, n: int) -> Heard:
        """The next n transmissions."""
        while self._waiting is None or len(self._waiting.t_ns) < n:
            block = self._block()
            self._waiting = block if self._waiting is None else _joined(self._waiting, block)
        held = self._waiting
        self._waiting = _cut(held, slice(n, None))
        return _cut(held, slice(n))

    def _block(self) -> Heard:
        number = self._sent + np.arange(BLOCK)
        self._sent += BLOCK
        period_s = 1 / self.settings.rate_hz
        wait_s = np.minimum(self._rng.exponential(BACKOFF_S, BLOCK), 0.5 * period_s)
        t_s: Float64 = np.asarray(number * period_s + wait_s, np.float64)
        points = self._person.points(t_s)
        channel = self._room.channel(None if self.settings.activity == EMPTY else points, self._bins)
        channel = np.broadcast_to(channel, (BLOCK, len(self._bins)))
        level_dbm = SENT_DBM + 10 * np.log10((np.abs(channel) ** 2).mean(axis=1))
        gain_db = self._gains(level_dbm)
        meta = np.zeros(BLOCK, FRAME)
        meta["t_us"] = np.rint(t_s * 1e6).astype(np.int64) & 0xFFFFFFFF
        meta["rx_seq"], meta["tx_seq"] = UNKNOWN_SEQ, number
        meta["mac_hash"] = self._sender
        meta["rssi_dbm"] = np.rint(level_dbm).clip(-100, 0)
        meta["noise_floor_dbm"] = NOISE_FLOOR_DBM
        meta["agc_gain"] = gain_db
        meta["channel"], meta["secondary"] = CHANNEL, SECONDARY.index(self.layout.secondary)
        meta["sig_mode"] = self.layout.signal == "ht"
        meta["bandwidth"] = self.layout.bandwidth_mhz == 40
        meta["first_word_invalid"] = True
        meta["host_s"] = np.nan
        iq = self._quantise(channel, level_dbm, gain_db)
        return Heard(np.rint(t_s * NS_PER_S).astype(np.int64), CsiFrames(self.layout.name, iq, meta))

    def _gains(self, level_dbm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gain of each frame, whole dB: it follows the level in steps, or stays where it was locked."""
        wanted_db = -level_dbm + GAIN_JITTER_DB * self._rng.standard_normal(len(level_dbm))
        gains = np.empty(len(wanted_db))
        for i, wanted in enumerate(wanted_db.tolist()):
            locked = self.gain_locked and len(self._wanted_db) >= LOCK_AFTER
            if len(self._wanted_db) < LOCK_AFTER:
                self._wanted_db.append(wanted)
                if len(self._wanted_db) == LOCK_AFTER and self.gain_locked:
                    self._gain_db = float(round(np.mean(self._wanted_db)))
            if self._gain_db is None or (not locked and abs(wanted - self._gain_db) > HYSTERESIS_DB):
                self._gain_db = float(round(wanted))
            gains[i] = self._gain_db
        return gains

    def _quantise(
        self, channel: Complex64, level_dbm: NDArray[np.float64], gain_db: NDArray[np.float64]
    ) -> NDArray[np.int16]:
        """Values [n, v] as the chip gives them: (imaginary, real), eight bits, an invalid first word."""
        n = len(channel)
        phase = self._rng.uniform(0, 2 * np.pi, (n, 1))
        early_s = EDGE_S * self._rng.standard_normal((n, 1))
        twist = np.exp(1j * (phase - 2 * np.pi * early_s * 312_500.0 * self._bins)).astype(np.complex64)
        scale = LEVEL * 10 ** ((SENT_DBM + gain_db) / 20)
        received = (channel * twist)[:, self._bin_of_pair] * scale[:, None]
        rms = LEVEL * 10 ** ((level_dbm + gain_db) / 20)
        snr = 10 ** (-ESTIMATE_SNR_DB / 10) + 10 ** ((NOISE_FLOOR_DBM - level_dbm) / 10)
        noise = self._rng.standard_normal((n, received.shape[1], 2), dtype=np.float32)
        noise *= (rms * np.sqrt(snr / 2))[:, None, None]
        values = np.stack([received.imag, received.real], axis=2) + noise
        values[:, ~self._heard_pairs] = 0
        values[:, :INVALID_PAIRS] = self._rng.integers(-128, 128, (n, INVALID_PAIRS, 2))
        return np.rint(values).clip(-128, 127).astype(np.int16).reshape(n, -1)


def _passing(activity: str) -> bool:
    return activity not in ACTS or ACTS[activity].lasts_s > 0


def _plain_layout(name: str) -> Layout:
    layout = layout_named(name)
    if layout.chips != "classic" or layout.stbc or layout.only_by_name:
        raise UsageError(
            f"layout {name} is not simulated",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose a classic one without STBC, for example {LAYOUT} or classic-none-ht20",
        )
    return layout


def _pairs(
    layout: Layout, primary: int, dead: tuple[int, ...]
) -> tuple[IntArray, NDArray[np.int64], NDArray[np.bool_]]:
    """Bins [k] to compute, the one of each pair [p] of a frame, and which pairs carry a signal."""
    bins: list[int] = []
    heard: list[bool] = []
    for name, field in layout.fields.items():
        # LLTF counts from the centre of the primary channel, and so does a 20 MHz field.
        shift = primary if name == "lltf" else 0
        bins += [subcarrier + shift for subcarrier in field.order]
        valid = set(field.valid) - set(dead)
        heard += [subcarrier in valid for subcarrier in field.order]
    distinct, at = np.unique(np.array(bins, np.int64), return_inverse=True)
    return distinct, at.astype(np.int64), np.array(heard)


def _cut(heard: Heard, rows: slice) -> Heard:
    frames = heard.frames
    return Heard(heard.t_ns[rows], CsiFrames(frames.layout, frames.iq[rows], frames.meta[rows], frames.boot))


def _joined(first: Heard, second: Heard) -> Heard:
    a, b = first.frames, second.frames
    iq, meta = np.concatenate([a.iq, b.iq]), np.concatenate([a.meta, b.meta])
    return Heard(np.concatenate([first.t_ns, second.t_ns]), CsiFrames(a.layout, iq, meta))
