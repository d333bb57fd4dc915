"""How `edgehar bench streams` runs, what it prints and what it draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgehar.bench.streams import StreamsServed
    from edgehar.bundle import Bundle


def run_streams(
    bundle: Bundle, streams: int, duration_s: float, report: Callable[[int, int], None] | None
) -> StreamsServed:
    """Push that many simulated streams through the bundle."""
    from edgehar.bench.streams import measure_streams

    return measure_streams(bundle, streams, duration_s, report=report)


def streams_lines(told: StreamsServed) -> list[str]:
    """What was asked, what it took, and what that makes of one core."""
    load = 100 * told.cpu_s / told.stream_s
    return [
        ", ".join(f"{name} {value}" for name, value in told.machine.items()),
        f"{told.streams} SIMULATED streams for {told.stream_s:g} s: {told.samples} samples, {told.decisions} decisions",
        f"processor time {told.cpu_s:.2f} s, {1e9 * told.cpu_s / told.samples:.0f} ns a sample, {load:.0f} % of a core",
        f"one core sustains {told.capacity:.0f} of them; state {told.state_mib:.1f} MiB, all resident",
        f"longest push {told.worst_ms:.1f} ms, of {told.portion} streams with {told.burst} samples each",
    ]


def draw_streams(told: StreamsServed, path: Path) -> None:
    """Streams asked for beside those that one core sustains."""
    from edgehar.datasets.figure import new_figure, save_figure

    figure = new_figure(9, 2)
    axes = figure.subplots()
    axes.barh(["pushed", "one core sustains"], [told.streams, told.capacity])
    axes.set_xlabel("simulated streams")
    save_figure(figure, path)
