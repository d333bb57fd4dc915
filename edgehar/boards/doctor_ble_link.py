"""Checks of one connected sensor: who it is, what the link carries, when its notifications come, what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.boards.doctor import Finding, Health, Limits, finding
from edgehar.clock import BLOCK_NS
from edgehar.sources.ble.survey import Visit
from edgehar.sources.ble_devices.edgehar_tag import EdgeHarTag
from edgehar.types import Flag
from edgehar.wire.messages import BoardFlag

LOST_PERCENT = Limits(0.1, 5.0)
JITTER_P99_MS = Limits(100.0, 500.0)
INTERVAL_MS = Limits(50.0, 400.0)
RECONNECTS = Limits(0.0, 2.0)
GOOD_MTU = 100
FLAT_PERCENT = 15
UNKNOWN_BATTERY = 255
FEWEST = 20  # notifications to judge by
NS_PER_MS = 1e6
STEP_MS = 1.25  # of connection intervals (Core Specification, Vol 4, Part E, 7.8.12)
SHORTEST_MS, LONGEST_MS = 7.5, 400.0
STRETCH_MS = 4000.0
SURE, NEAR = 0.7, 0.95  # of a vector of length 1
CAUSES = ("overflow", "silent", "unanswered", "wrong_length")
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When notifications with samples came: t_ns [n] on the host's clock, late_ms [n] above the least delay."""

    t_ns: NDArray[np.int64]
    late_ms: Float64
    samples: int


def check_visit(seen: Visit) -> list[Finding]:
    """Everything but the samples' own rate and clock, which any stream is checked for."""
    found = [_firmware(seen), _mtu(seen), _reconnects(seen)]
    arrivals = arrivals_of(seen)
    if arrivals is not None:
        found += [_notifications(seen, arrivals), _lost(seen), _jitter(arrivals), _interval(arrivals)]
    return [*found, _battery(seen)]


def arrivals_of(seen: Visit) -> Arrivals | None:
    """None where too few came. The samples of one notification have one time of arrival; its last is the newest."""
    if not seen.chunks:
        return None
    t_dev = np.concatenate([chunk.t_dev_ns for chunk in seen.chunks])
    t_host = np.concatenate([chunk.t_host_ns for chunk in seen.chunks])
    last = np.flatnonzero(np.append(np.diff(t_host) != 0, True))
    if len(last) < FEWEST or (np.diff(t_dev[last]) <= 0).any():
        return None
    dev, host = t_dev[last], t_host[last]
    t = (dev - dev[0]).astype(np.float64)
    above = (host - dev).astype(np.float64)
    above -= above[0]
    block = (t // (BLOCK_NS / 2)).astype(np.int64)
    least = [np.flatnonzero(block == one)[above[block == one].argmin()] for one in np.unique(block).tolist()]
    line = np.polyfit(t[least], above[least], 1) if len(least) > 2 else np.array([0.0, above.min()])
    late = above - np.polyval(line, t)
    return Arrivals(host, (late - late.min()) / NS_PER_MS, len(t_dev))


def interval_ms(arrivals: Arrivals) -> tuple[float, bool]:
    """The connection interval that explains the times of arrival, and whether they tell it; else NaN.

    Notifications wait for the next connection event, so they arrive at one phase of the interval T: the longest T with
    |mean exp(2 pi i t / T)| near its best (Rayleigh's test for a hidden period), the mean taken over stretches in which
    clocks do not drift apart. A sensor whose pauses are all alike shows a multiple of T.
    """
    t_ms = (arrivals.t_ns - arrivals.t_ns[0]) / NS_PER_MS
    pauses = np.diff(t_ms)
    if len(pauses) < FEWEST:
        return float("nan"), False
    periods = np.arange(SHORTEST_MS, LONGEST_MS + STEP_MS, STEP_MS)
    turns = np.exp(2j * np.pi * t_ms[:, None] / periods)
    stretch = (t_ms // STRETCH_MS).astype(np.int64)
    lengths = [np.abs(turns[stretch == one].mean(axis=0)) for one in np.unique(stretch)]
    shares = np.bincount(stretch)[np.unique(stretch)] / len(t_ms)
    length = shares @ np.array(lengths)
    if length.max() < SURE:
        return float("nan"), False
    found = float(periods[np.flatnonzero(length >= NEAR * length.max())[-1]])
    return found, len(np.unique(np.rint(pauses / found))) > 1


def _firmware(seen: Visit) -> Finding:
    device = seen.device
    if isinstance(device, EdgeHarTag) and device.stream.hello is not None:
        hello = device.stream.hello
        simulated = ", SIMULATED" if BoardFlag.SIMULATED in hello.flags else ""
        ranges = f"{hello.accel_range_g} g, {hello.gyro_range_dps} dps"
        measured = f"'{hello.name}', {hello.chip} with {hello.sensor}, {hello.firmware}, {ranges}{simulated}"
    else:
        told = ", ".join(filter(None, (seen.model, seen.firmware))) or "it does not tell"
        measured = f"{device.title}: {told}"
    return finding("firmware", Health.OK, f"{measured}; set going in {seen.opened_s:.1f} s", "one that is read", "")


def _mtu(seen: Visit) -> Finding:
    should = f">= {seen.least_mtu}, better {GOOD_MTU} or more"
    if seen.mtu is None:
        return finding("mtu", Health.UNKNOWN, "this BlueZ does not tell", should, "")
    health = Health.FAIL if seen.mtu < seen.least_mtu else Health.WARN if seen.mtu < GOOD_MTU else Health.OK
    fix = "ExchangeMTU = 517 under [GATT] in /etc/bluetooth/main.conf; a newer Bluetooth stick (4.2 or later)"
    return finding("mtu", health, f"{seen.mtu} bytes", should, fix)


def _reconnects(seen: Visit) -> Finding:
    count = seen.counts["reconnects"]
    met = {cause: n for cause, n in seen.counts.items() if cause.startswith(("connect_", "scan_", "forget")) and n}
    met |= {cause: seen.counts[cause] for cause in CAUSES if seen.counts[cause]}
    told = "".join(f", {cause.replace('_', ' ')} {n}" for cause, n in met.items())
    fix = "bring it nearer, charge it; Wi-Fi at 2.4 GHz and USB 3 plugs next to the adapter disturb it"
    return finding("connection", RECONNECTS.judge(count), f"lost {count} times{told}", "never lost", fix)


def _notifications(seen: Visit, arrivals: Arrivals) -> Finding:
    spent_s = max(float(arrivals.t_ns[-1] - arrivals.t_ns[0]) / 1e9, 1e-9)
    rate_hz, each = (len(arrivals.t_ns) - 1) / spent_s, arrivals.samples / len(arrivals.t_ns)
    single = each < 1.5 and seen.spec.rate_hz > FEWEST
    fix = "several samples a notification: a larger MTU (above), or a device that packs them; else fewer Hz: ?rate_hz="
    health = Health.WARN if single else Health.OK
    return finding("notifications", health, f"{rate_hz:.1f}/s of {each:.1f} samples", "several samples each", fix)


def _lost(seen: Visit) -> Finding:
    """Jumps of the samples' numbers; a device that numbers nothing cannot tell."""
    should = f"<= {LOST_PERCENT.ok:g} %"
    fix = "nearer, fewer sensors on one adapter, fewer Hz (?rate_hz=); edgehar record --json says where they were lost"
    if any("unnumbered" in str(cause) for cause in seen.counts):
        return finding("lost samples", Health.UNKNOWN, "the device does not number its samples", should, fix)
    seq = np.concatenate([chunk.seq for chunk in seen.chunks])
    flags = np.concatenate([chunk.flags for chunk in seen.chunks])
    steps = np.where(flags[1:] & Flag.CLOCK_RESET, 1, np.diff(seq))
    lost = int(np.maximum(steps - 1, 0).sum())
    percent = 100 * lost / (lost + len(seq))
    causes = ", ".join(
        f"{str(cause).replace('_', ' ')} {n}" for cause, n in seen.counts.items() if "lost" in str(cause)
    )
    told = f"{percent:.2g} % ({lost} of {lost + len(seq)}{f'; {causes}' if causes else ''})"
    return finding("lost samples", LOST_PERCENT.judge(percent), told, should, fix)


def _jitter(arrivals: Arrivals) -> Finding:
    p99_ms = float(np.percentile(arrivals.late_ms, 99))
    fix = "a busy host or radio: fewer programs, no Wi-Fi download meanwhile, the adapter away from USB 3"
    should = f"p99 <= {JITTER_P99_MS.ok:g} ms above the least delay"
    return finding("jitter", JITTER_P99_MS.judge(p99_ms), f"p99 {p99_ms:.0f} ms", should, fix)


def _interval(arrivals: Arrivals) -> Finding:
    estimate_ms, exact = interval_ms(arrivals)
    should = f"<= {INTERVAL_MS.ok:g} ms"
    if np.isnan(estimate_ms):
        return finding("connection interval", Health.UNKNOWN, "arrivals show none", should, "")
    measured = f"about {estimate_ms:g} ms, from the times of arrival" if exact else f"at most {estimate_ms:g} ms"
    health = INTERVAL_MS.judge(estimate_ms) if exact else min(INTERVAL_MS.judge(estimate_ms), Health.UNKNOWN, key=_rank)
    fix = "MinConnectionInterval=12, MaxConnectionInterval=24 under [LE] in /etc/bluetooth/main.conf (15 to 30 ms)"
    return finding("connection interval", health, measured, should, fix)


def _rank(health: Health) -> int:
    """A bound above the threshold proves nothing."""
    return 0 if health is Health.OK else 1 if health is Health.UNKNOWN else 2


def _battery(seen: Visit) -> Finding:
    percent = seen.battery_percent
    device = seen.device
    if isinstance(device, EdgeHarTag) and device.stream.hello is not None:
        told = device.stream.hello.battery_percent
        percent = None if told == UNKNOWN_BATTERY else told
    should = f">= {FLAT_PERCENT} %"
    if percent is None:
        return finding("battery", Health.UNKNOWN, "it does not tell", should, "")
    health = Health.OK if percent >= FLAT_PERCENT else Health.WARN
    return finding("battery", health, f"{percent} %", should, "charge it")
