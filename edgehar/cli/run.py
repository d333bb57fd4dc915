"""`edgehar run`: a sensor stream becomes live decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    bundle: Annotated[Path | None, typer.Argument(help="The model, a .edgehar file.", show_default=False)] = None,
    *,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="replay:FILE, virtual:imu, ble:NAME, ...; keys as ?k=v&k=v. Several sensors: repeat as NAME=URI.",
            show_default=False,
        ),
    ] = None,
    sink: Annotated[
        list[str] | None, typer.Option(help="console (default), jsonl:PATH or jsonl:-; may repeat.", show_default=False)
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Stream seconds a second; 0 is as fast as it goes.", show_default="1")
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(help="numba, reference, or what was exported beside it: c, onnx, litert.", show_default="numba"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines on stdout, a summary last.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Also record the stream here (.mcap).", show_default=False)
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds of stream.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="An edgehar.toml whose [run] table says what is not said here.")
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option(help="Least delay of a sensor's link: NAME=12ms, or a range NAME=0..50ms.", show_default=False),
    ] = None,
    align: Annotated[
        str | None, typer.Option(help="tap: knock the sensors together to put them on one time line.")
    ] = None,
    calibration: Annotated[
        list[str] | None,
        typer.Option(
            help="What edgehar calibrate wrote, [NAME=]FILE; none: not even what a recording holds.", show_default=False
        ),
    ] = None,
    wait: Annotated[
        str | None, typer.Option(help="How long a row waits for the slower sensor.", show_default="300ms")
    ] = None,
) -> int:
    """Recognise activities live: BUNDLE decides on what SOURCE yields.

    Ctrl-C ends the run in good order: the recording is closed, what is still owed is put out, the summary printed.
    """
    from edgehar.cli.running import run_bundle

    return run_bundle(
        bundle,
        source=source,
        sink=sink,
        speed=speed,
        runtime=runtime,
        as_json=as_json,
        record=record,
        duration=duration,
        config=config,
        base=base,
        align=align,
        wait=wait,
        calibration=calibration,
    )
