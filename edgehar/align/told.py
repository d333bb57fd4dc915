"""What is known of several sensors' clocks, for people and for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgehar.align.aligner import Aligner
from edgehar.align.delay import LeastDelay
from edgehar.align.tap import Tap
from edgehar.align.timeline import DeviceFit

NS_PER_MS = 1e6


def alignment(aligner: Aligner, taps: Mapping[str, Tap]) -> dict[str, Any]:
    """Plain JSON types: every device's fit, what a tap said, how far two sensors may be apart (null: unknown), and how
    long after its time a row was complete.
    """
    return {
        "bound_ms": _ms(aligner.bound_ns),
        "waited_p50_ms": _ms(aligner.waited_ns(50)),
        "waited_p99_ms": _ms(aligner.waited_ns(99)),
        "devices": {
            name: {
                **told_fit(track.time.fit),
                **told_delay(track.time.base),
                "tap": told_tap(taps.get(name)),
                "not_used": dict(track.counts),
            }
            for name, track in aligner.tracks.items()
        },
    }


def told_fit(fit: DeviceFit | None) -> dict[str, Any]:
    """One device's clock; nulls in its first second."""
    return {
        "offset_ns": fit.offset_ns if fit else None,
        "ppm": fit.ppm if fit else None,
        "residual_ms": _ms(fit.residual_ns) if fit else None,
        "delay_p99_ms": _ms(fit.delay_p99_ns) if fit else None,
        "restarts": fit.restarts if fit else 0,
    }


def told_delay(base: LeastDelay) -> dict[str, Any]:
    """The least delay that was taken off, and how far it may be from the truth."""
    return {
        "least_delay_ms": _ms(base.taken_ns),
        "least_delay_within_ms": _ms(base.bound_ns),
        "least_delay_known_from": base.known_from,
        "least_delay": base.describe(),
    }


def told_tap(tap: Tap | None) -> dict[str, Any] | None:
    """One tap."""
    if tap is None:
        return None
    return {
        "lag_ms": tap.lag_ns / NS_PER_MS,
        "within_ms": tap.within_ns / NS_PER_MS,
        "r": tap.r,
        "taps": tap.taps,
        "at_ns": tap.at_ns,
    }


def alignment_lines(told: Mapping[str, Any]) -> list[str]:
    """The same as lines of text."""
    lines = []
    for name, device in told["devices"].items():
        fit = "no clock fit yet"
        if device["ppm"] is not None:
            fit = (
                f"clock {device['ppm']:+.1f} ppm, line right to {device['residual_ms']:.2f} ms, "
                f"delay p99 {device['delay_p99_ms']:.1f} ms"
            )
        lines.append(f"{name}: {fit}, least delay {device['least_delay']}")
    if told["waited_p50_ms"] is not None:
        lines.append(
            f"rows were complete {told['waited_p50_ms']:.0f} ms after their time, "
            f"99 % of them within {told['waited_p99_ms']:.0f} ms; the latency counts from there"
        )
    bound_ms = told["bound_ms"]
    lines.append(
        "the sensors may be apart by a delay that nobody knows: give --base NAME=12ms, or --align tap"
        if bound_ms is None
        else f"the sensors' least delays are known to {bound_ms:.1f} ms"
    )
    return lines


def _ms(ns: float | None) -> float | None:
    return None if ns is None else ns / NS_PER_MS
