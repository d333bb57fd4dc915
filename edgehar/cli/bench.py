"""`edgehar bench`: what a bundle costs on this machine, beside other runtimes on the same model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgehar.cli.bench_energy import EnergyOptions, MeasuredEnergy, draw_energy, energy_lines, run_energy
from edgehar.cli.bench_streams import draw_streams, run_streams, streams_lines
from edgehar.errors import Reason, UsageError

if TYPE_CHECKING:
    from edgehar.bench.energy_estimate import EnergyEstimate
    from edgehar.bench.fresh import Fresh, FreshRun
    from edgehar.bench.latency import Latency
    from edgehar.bench.streams import StreamsServed
    from edgehar.bundle import Bundle

Report = Callable[[int, int], None] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's options."""

    bundle: Bundle
    against: Sequence[str]
    streams: int
    duration_s: float
    energy: EnergyOptions
    report: Report


def bench(
    measure: Annotated[
        str, typer.Argument(help="What to measure: latency, memory, startup, energy, streams.", show_default=False)
    ],
    bundle: Annotated[Path, typer.Argument(help="The model, a .edgehar file.", show_default=False)],
    *,
    against: Annotated[str, typer.Option(help="Runtimes to compare with: litert,ort,torch,c.")] = "",
    hop: Annotated[int, typer.Option(help="Hop in samples; 0: the bundle's own.")] = 0,
    meter: Annotated[str, typer.Option(help="energy: what reads it, such as rapl, jetson, csv:FILE.")] = "auto",
    source: Annotated[str, typer.Option(help="energy: where samples come from; a live sensor is measured too.")] = "",
    runtime: Annotated[str, typer.Option(help="energy: what computes.")] = "numba",
    seconds: Annotated[float, typer.Option(help="energy: how long a window lasts at least.")] = 10.0,
    rounds: Annotated[int, typer.Option(help="energy: windows of each kind of work; their median counts.")] = 5,
    battery: Annotated[str, typer.Option(help="energy: project its life: 200mAh,3.7V[,80%].")] = "",
    duty: Annotated[float, typer.Option(help="energy: share of the time that the device recognises.")] = 1.0,
    asleep_mw: Annotated[float | None, typer.Option(help="energy: power otherwise, in mW; default: idle.")] = None,
    estimate: Annotated[str, typer.Option(help="energy: BOARD:INSTRUCTIONS, computed, nothing measured.")] = "",
    streams: Annotated[int, typer.Option(help="streams: how many, in one process.")] = 1000,
    duration: Annotated[float, typer.Option(help="streams: seconds of stream time.")] = 60.0,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures: .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
) -> None:
    """Measure on this machine, one thread, all runtimes in turn; outputs are compared before anything is timed."""
    from edgehar.bundle import open_bundle
    from edgehar.cli.progress import progress
    from edgehar.datasets.figure import check_figure

    if measure not in MEASURES:
        raise UsageError(f"bench '{measure}'", reason=Reason.VALUE, hint=f"choose from: {', '.join(MEASURES)}")
    opened = open_bundle(bundle)
    check_figure(plot)
    if not 0 <= hop <= opened.manifest.window:
        raise UsageError(
            f"--hop {hop}",
            reason=Reason.VALUE,
            hint=f"give 1 to the window, {opened.manifest.window}; 0: the bundle's own",
        )
    if hop:
        opened = replace(opened, manifest=replace(opened.manifest, hop=hop))
    run, lines, draw = MEASURES[measure]
    energy = EnergyOptions(meter, source, runtime, seconds, rounds, battery, duty, asleep_mw, estimate)
    with progress(measure) as report:
        told = run(Asked(opened, [name for name in against.split(",") if name], streams, duration, energy, report))
    if plot is not None:
        draw(told, plot)
    typer.echo(json.dumps(told.json()) if as_json else "\n".join(lines(told)))


def _latency(asked: Asked) -> Latency:
    from edgehar.bench.latency import measure_latency
    from edgehar.cli.desk import DESK

    return measure_latency(asked.bundle, asked.against, DESK, report=asked.report)


def _fresh(asked: Asked) -> Fresh:
    from edgehar.bench.fresh import measure_fresh
    from edgehar.cli.desk import DESK

    return measure_fresh(asked.bundle, asked.against, DESK, report=asked.report)


def _energy(asked: Asked) -> MeasuredEnergy | EnergyEstimate:
    return run_energy(asked.bundle, asked.energy, asked.report)


def _streams(asked: Asked) -> StreamsServed:
    from edgehar.live import check_duration

    check_duration(asked.duration_s)
    return run_streams(asked.bundle, asked.streams, asked.duration_s, asked.report)


def _latency_lines(told: Latency) -> list[str]:
    """A table, the fastest first; processor time is the figure to compare."""
    timings = sorted(told.timings.items(), key=lambda item: item[1].cpu_us)
    rows = [[name, *(f"{value:.2f}" for value in (t.cpu_us, t.wall_us, t.wall_p99_us))] for name, t in timings]
    about = f"window {told.window}, hop {told.hop}; {_about(told.machine)}"
    return [about, *_table(["", "CPU us", "wall us", "wall p99 us"], rows), *_absent(told.absent)]


def _startup_lines(told: Fresh) -> list[str]:
    return _fresh_lines(told, "first_s")


def _memory_lines(told: Fresh) -> list[str]:
    return _fresh_lines(told, "peak_mib")


def _fresh_lines(told: Fresh, key: str) -> list[str]:
    """Medians of fresh processes, the least first."""
    runs = sorted(told.medians.items(), key=lambda item: float(getattr(item[1], key)))
    rows = [[name, *_fresh_cells(run)] for name, run in runs]
    about = f"median of {told.runs} fresh processes; {_about(told.machine)}"
    return [about, *_table(["", "first decision s", "CPU s", "peak MiB"], rows), *_absent(told.absent)]


def _fresh_cells(run: FreshRun) -> list[str]:
    return [f"{run.first_s:.3f}", f"{run.cpu_s:.3f}", f"{run.peak_mib:.1f}"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, figures to the right."""
    width = max(len(row[0]) for row in rows)
    cells = max(12, *(len(cell) for cell in head)) + 2
    return [row[0].ljust(width) + "".join(cell.rjust(cells) for cell in row[1:]) for row in (head, *rows)]


def _about(machine: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def _absent(absent: Any) -> list[str]:
    return [f"not measured: {name}: {why}" for name, why in absent.items()]


def _draw_latency(told: Latency, path: Path) -> None:
    bars = {name: timing.cpu_us for name, timing in told.timings.items()}
    _bars(bars, "processor time, us", path, logarithmic=True)


def _draw_startup(told: Fresh, path: Path) -> None:
    _bars({name: run.first_s for name, run in told.medians.items()}, "exec to first decision, s", path)


def _draw_memory(told: Fresh, path: Path) -> None:
    _bars({name: run.peak_mib for name, run in told.medians.items()}, "largest resident memory, MiB", path)


def _bars(values: dict[str, float], label: str, path: Path, *, logarithmic: bool = False) -> None:
    """Horizontal bars, the least at the top."""
    from edgehar.datasets.figure import new_figure, save_figure

    ordered = sorted(values.items(), key=lambda item: -item[1])
    figure = new_figure(9, 1 + 0.4 * len(ordered))
    axes = figure.subplots()
    axes.barh([name for name, _ in ordered], [value for _, value in ordered])
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xlabel(label)
    save_figure(figure, path)


MEASURES: dict[str, tuple[Callable[[Asked], Any], Callable[[Any], list[str]], Callable[[Any, Path], None]]] = {
    "latency": (_latency, _latency_lines, _draw_latency),
    "memory": (_fresh, _memory_lines, _draw_memory),
    "startup": (_fresh, _startup_lines, _draw_startup),
    "energy": (_energy, energy_lines, draw_energy),
    "streams": (_streams, streams_lines, draw_streams),
}
"""What can be measured: how, its table, its plot."""
