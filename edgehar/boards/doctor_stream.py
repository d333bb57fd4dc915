"""Checks of the samples: do they come at their rate, is a subcarrier dead, does the gain jump, the clock run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgehar.boards.doctor import Finding, Health, Limits, finding
from edgehar.boards.doctor_observe import Observation
from edgehar.clock import BLOCK_NS, FEWEST, MAX_PPM
from edgehar.wire.frames import UNKNOWN_GAIN
from edgehar.wire.messages import BoardFlag

RATE_SHORTFALL_PERCENT = Limits(10.0, 50.0)
DEAD_PERCENT = Limits(0.0, 5.0)
DEAD_BELOW = 0.02  # of the median subcarrier's mean amplitude
GAIN_STEPS = Limits(0.0, float("inf"))
DRIFT_PPM = Limits(100.0, MAX_PPM)
LOCK_AFTER = 100  # frames that a board takes to choose its gain
NS_PER_S = 1e9
Float64 = NDArray[np.float64]


def check_stream(seen: Observation) -> list[Finding]:
    """Nothing where no sample came."""
    if not seen.chunks:
        return []
    found = [_rate(seen)]
    if seen.spec is not None and seen.spec.kind == "csi":
        found += [_dead(seen), _gain(seen)]
    return [*found, _clock(seen)]


def _rate(seen: Observation) -> Finding:
    """Samples that arrived, a second of the device's clock, against what it says it does."""
    t_ns = np.concatenate([chunk.t_dev_ns for chunk in seen.chunks])
    steps_ns = np.diff(t_ns)
    spent_s = float(steps_ns[steps_ns > 0].sum()) / NS_PER_S
    hello = seen.heard.hello if seen.heard is not None else None
    nominal_hz = float(hello.rate_hz) if hello is not None else seen.spec.rate_hz if seen.spec is not None else 0.0
    rate_hz = len(steps_ns) / spent_s if spent_s else 0.0
    longest_ms = float(steps_ns.max(initial=0)) / 1e6
    measured = f"{rate_hz:.1f} Hz, the longest pause {longest_ms:.0f} ms"
    if not nominal_hz:
        return finding("rate", Health.UNKNOWN, measured, "the board expects no rate", "")
    short = max(0.0, 100 * (1 - rate_hz / nominal_hz))
    least = nominal_hz * (1 - RATE_SHORTFALL_PERCENT.ok / 100)
    fix = "see what is lost above; does the sender send as often? edgehar flash --role sender --rate N"
    return finding("rate", RATE_SHORTFALL_PERCENT.judge(short), measured, f">= {least:.0f} Hz", fix)


def _dead(seen: Observation) -> Finding:
    amplitude, names = _amplitudes(seen)
    mean = np.nan_to_num(np.nanmean(amplitude, axis=0)) if len(amplitude) else np.zeros(len(names))
    dead = [name for name, level in zip(names, mean.tolist(), strict=True) if level <= DEAD_BELOW * np.median(mean)]
    percent = 100 * len(dead) / len(names)
    measured = f"{len(dead)} of {len(names)}" + (
        f": {', '.join(dead[:8])}{' ...' if len(dead) > 8 else ''}" if dead else ""
    )
    fix = "is the layout right (?layout=NAME)? else leave these out of training: they carry no signal"
    return finding("dead subcarriers", DEAD_PERCENT.judge(percent), measured, "none", fix)


def _amplitudes(seen: Observation) -> tuple[Float64, list[str]]:
    """[n, subcarriers] and their names."""
    channels = seen.chunks[0].spec.channels
    x = np.concatenate([chunk.x for chunk in seen.chunks]).astype(np.float64)
    if channels[0].endswith(".re"):
        return np.hypot(x[:, 0::2], x[:, 1::2]), [channel.removesuffix(".re") for channel in channels[::2]]
    return x, [channel.removesuffix(".amp") for channel in channels]


def _gain(seen: Observation) -> Finding:
    """How often the receiver's gain stepped after it had time to lock."""
    should = "held: amplitudes then change with the channel alone"
    fix = "on S3, C3, C5 and C6: edgehar command csi:PORT gain lock; else train on amplitude / frame mean"
    gains = [chunk.aux["agc_gain"] for chunk in seen.chunks if "agc_gain" in chunk.aux]
    gain = np.concatenate(gains).astype(int) if gains else np.zeros(0, int)
    gain = gain[gain != UNKNOWN_GAIN]
    newest = None
    if seen.heard is not None and seen.heard.binary is not None:
        newest = seen.heard.binary.heartbeat or seen.heard.hello
    told = "" if newest is None else ", locked" if BoardFlag.GAIN_LOCKED in newest.flags else ", not locked"
    settled = gain[LOCK_AFTER:] if len(gain) > 2 * LOCK_AFTER else gain
    if not len(settled):
        return finding("gain", Health.UNKNOWN, f"the chip does not tell{told}", should, fix)
    steps = int(np.count_nonzero(np.diff(settled)))
    measured = f"{steps} steps in {len(settled)} frames, {settled.min()} to {settled.max()} dB{told}"
    return finding("gain", GAIN_STEPS.judge(steps), measured, should, fix)


def _clock(seen: Observation) -> Finding:
    """Drift of the device's clock, by the least delay of each second (edgehar/clock.py says why the least)."""
    should = f"within {DRIFT_PPM.ok:g} ppm of the host's"
    t_ns = np.concatenate([chunk.t_dev_ns for chunk in seen.chunks])
    host_ns = np.concatenate([chunk.t_host_ns for chunk in seen.chunks])
    if seen.heard is not None and any(chunk.flags.any() for chunk in seen.chunks) and seen.heard.stream.restarts:
        return finding("clock", Health.UNKNOWN, "it restarted meanwhile", should, "")
    t = (t_ns - t_ns[0]).astype(np.float64)
    block = (t // (BLOCK_NS / 2)).astype(np.int64)
    blocks = np.unique(block)
    if len(blocks) < 2 * FEWEST:
        return finding("clock", Health.UNKNOWN, f"{t[-1] / NS_PER_S:.1f} s are too short to tell", should, "")
    above = (host_ns - t_ns).astype(np.float64)
    above -= above[0]
    least = [np.flatnonzero(block == one)[above[block == one].argmin()] for one in blocks.tolist()]
    at, delay = t[least], above[least]
    slope, _ = np.polyfit(at, delay, 1)
    rest = delay - np.polyval(np.polyfit(at, delay, 1), at)
    spread = float(np.sqrt((rest @ rest) / max(len(at) - 2, 1) / ((at - at.mean()) @ (at - at.mean()))))
    drift_ppm, doubt_ppm = -slope * 1e6, 2 * spread * 1e6
    # What the host's own delays may have made of it is no illness of the board.
    health = DRIFT_PPM.judge(max(0.0, abs(drift_ppm) - doubt_ppm))
    fix = "the board's crystal is off or the host's clock is being set; listen longer: --duration 60"
    return finding("clock", health, f"{drift_ppm:+.0f} ppm, give or take {doubt_ppm:.0f}", should, fix)
