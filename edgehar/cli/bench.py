"""`edgehar bench`: what a decision costs on this machine, beside other runtimes on the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgehar.errors import Reason, UsageError

if TYPE_CHECKING:
    from edgehar.bench.latency import Latency
    from edgehar.bundle import Bundle

MEASURES = ("latency",)


def bench(
    measure: Annotated[str, typer.Argument(help="What to measure: latency.", show_default=False)],
    bundle: Annotated[Path, typer.Argument(help="The model, a .edgehar file.", show_default=False)],
    *,
    against: Annotated[str, typer.Option(help="Runtimes to compare with: litert,ort.")] = "",
    hop: Annotated[int, typer.Option(help="Hop in samples; 0: the bundle's own.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw the timings: .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
) -> None:
    """Time decisions on one core and one thread, all runtimes in turn, after their outputs were found to be equal."""
    from dataclasses import replace

    from edgehar.bench.latency import measure_latency
    from edgehar.bundle import open_bundle

    if measure not in MEASURES:
        raise UsageError(f"bench '{measure}'", reason=Reason.VALUE, hint=f"choose from: {', '.join(MEASURES)}")
    opened = open_bundle(bundle)
    if hop:
        opened = replace(opened, manifest=replace(opened.manifest, hop=hop))
    told = measure_latency(opened, [name for name in against.split(",") if name], export_file)
    if plot is not None:
        draw(told, plot)
    typer.echo(json.dumps(told.json()) if as_json else "\n".join(lines(told)))


def export_file(bundle: Bundle, kind: str, form: str) -> bytes:
    """The bundle's TFLite or ONNX file in its own dtype, entered behind the preprocessing where the format can."""
    from edgehar.bench.peers import dtype_of

    if kind == "onnx":
        from edgehar.export.onnx.emit import emit_onnx

        return emit_onnx(bundle, form, dtype_of(bundle))
    from edgehar.export.tflite.emit import emit_tflite

    return emit_tflite(bundle, form, dtype_of(bundle), entries="samples")


def lines(told: Latency) -> list[str]:
    """A table, the fastest first; processor time is the figure to compare."""
    rows: list[tuple[str, ...]] = [("", "CPU us", "wall us", "wall p99 us")]
    for name, t in sorted(told.timings.items(), key=lambda item: item[1].cpu_us):
        rows.append((name, *(f"{value:.2f}" for value in (t.cpu_us, t.wall_us, t.wall_p99_us))))
    width = max(len(row[0]) for row in rows)
    about = f"window {told.window}, hop {told.hop}; " + ", ".join(f"{k} {v}" for k, v in told.machine.items())
    return [about, *(row[0].ljust(width) + "".join(cell.rjust(13) for cell in row[1:]) for row in rows)]


def draw(told: Latency, path: Path) -> None:
    """Bars of processor time, on a logarithmic axis."""
    from edgehar.datasets.figure import new_figure, save_figure

    timings = sorted(told.timings.items(), key=lambda item: -item[1].cpu_us)
    figure = new_figure(9, 1 + 0.4 * len(timings))
    axes = figure.subplots()
    axes.barh([name for name, _ in timings], [t.cpu_us for _, t in timings])
    axes.set_xscale("log")
    axes.set_xlabel("processor time, us")
    save_figure(figure, path)
