"""`edgehar replay`: what a recording holds, as it happened, on the terminal or as CSV for another program."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgehar.sources.replay import ReplaySource
    from edgehar.tally import StreamTally
    from edgehar.types import Chunk


def replay(
    recording: Annotated[Path, typer.Argument(help="The recording, a .mcap file.", show_default=False)],
    *,
    stream: Annotated[str, typer.Option(help="Which stream; by default main, or the only one.")] = "",
    speed: Annotated[float, typer.Option(help="Stream seconds a second; 0 is as fast as it goes.")] = 1.0,
    csv: Annotated[bool, typer.Option("--csv", help="Print samples as the CSV that stdin:csv reads.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> int:
    """Play a recording at its own pace: labels and gaps as they come, or its samples for another program."""
    import asyncio
    import json

    from edgehar.errors import Reason, UsageError
    from edgehar.live import EXIT_INTERRUPTED
    from edgehar.sources.replay import ReplaySource
    from edgehar.tally import StreamTally, describe, stream_summary

    if csv and as_json:
        raise UsageError("CSV and JSON cannot share stdout", reason=Reason.VALUE, hint="choose --csv or --json")
    if not 0 <= speed < math.inf:
        raise UsageError(f"--speed {speed:g}", reason=Reason.VALUE, hint="give 0 (as fast as it goes) or more")
    source = ReplaySource(recording, stream=stream, speed=speed)
    tally = StreamTally()
    interrupted = asyncio.run(_play(source, tally, csv=csv, quiet=as_json))
    if as_json:
        told = {"recording": str(recording), "counts": source.recording.counts, "interrupted": interrupted}
        typer.echo(json.dumps({**told, **stream_summary(tally)}))
    else:
        typer.echo(f"{recording}: {describe(tally)}", err=csv)
        if source.recording.truncated:
            typer.echo(f"  it was cut off; make it whole: edgehar repair {recording} REPAIRED.mcap", err=csv)
    return EXIT_INTERRUPTED if interrupted else 0


async def _play(source: ReplaySource, tally: StreamTally, *, csv: bool, quiet: bool) -> bool:
    from edgehar.live import chunks_until, stopped_by_signals
    from edgehar.sources.csv_rows import SIMULATED_LINE

    label = ""
    with stopped_by_signals() as stop:
        async with source:
            if csv:
                if source.spec.simulated:
                    sys.stdout.write(SIMULATED_LINE + "\n")
                sys.stdout.write(",".join(["t_ns", *source.spec.channels]) + "\n")
            async for chunk in chunks_until(source, stop):
                tally.add(chunk)
                if csv:
                    _print_rows(chunk)
                elif not quiet:
                    label = _print_events(source, chunk, label)
    return stop.interrupted


def _print_rows(chunk: Chunk) -> None:
    """Shortest decimals that give the same float32; a channel that was not measured stays empty."""
    import numpy as np

    for t_ns, row in zip(chunk.t_dev_ns.tolist(), chunk.x, strict=True):
        values = ("" if np.isnan(value) else str(value) for value in row)
        sys.stdout.write(f"{t_ns},{','.join(values)}\n")
    sys.stdout.flush()


def _print_events(source: ReplaySource, chunk: Chunk, label: str) -> str:
    """Lines where a label begins or samples are missing; returns the label at the chunk's end."""
    from edgehar.types import Flag

    for t_ns, flags in zip(chunk.t_dev_ns.tolist(), chunk.flags.tolist(), strict=True):
        for flag, what in ((Flag.CLOCK_RESET, "the device restarted"), (Flag.GAP_BEFORE, "samples are missing")):
            if flags & flag:
                typer.echo(f"{t_ns / 1e9:12.3f} s  {what}")
                break
        now = source.label_at(t_ns)
        if now != label:
            typer.echo(f"{t_ns / 1e9:12.3f} s  {now or '(no label)'}")
            label = now
    return label
