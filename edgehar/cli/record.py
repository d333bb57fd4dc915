"""`edgehar record`: what sensors send becomes a crash-safe recording."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgehar.capture import Capture, Captured
    from edgehar.label_keys import TypedLabels

LIVE_LINE_S = 0.5


def record(
    *,
    source: Annotated[
        list[str],
        typer.Option(help="csi:PORT, imu:PORT, ble:auto, virtual:imu, ...; several as NAME=URI.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="The recording to write (.mcap).", show_default=False)],
    subject: Annotated[str, typer.Option(help="Who wears the sensor, or walks about.")] = "",
    session: Annotated[str, typer.Option(help="Which session this is.")] = "",
    placement: Annotated[str, typer.Option(help="Where the sensor sits, e.g. wrist.")] = "",
    environment: Annotated[str, typer.Option(help="Where it is recorded, e.g. a room.")] = "",
    label: Annotated[str, typer.Option(help="One activity for the whole recording.")] = "",
    label_keys: Annotated[
        str, typer.Option(help="Type labels while recording: w=walking,s=sitting; the key or space ends one.")
    ] = "",
    calibration: Annotated[
        list[str] | None,
        typer.Option(help="Keep what edgehar calibrate wrote beside the samples; [NAME=]FILE.", show_default=False),
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds of stream.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Stream seconds a second, 0 is as fast as it goes.", show_default="1")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> int:
    """Record SOURCE to a file until it ends, DURATION is over or Ctrl-C; a kill loses at most the last second."""
    import asyncio
    import json

    from edgehar.calibration import named_calibrations
    from edgehar.capture import Capture
    from edgehar.errors import Reason, UsageError
    from edgehar.label_keys import TypedLabels
    from edgehar.live import EXIT_INTERRUPTED, check_duration
    from edgehar.sources import SourceUri, open_source
    from edgehar.tally import stream_summary

    check_duration(duration)
    uris = [SourceUri.parse(text) for text in source]
    names = [uri.name or "main" for uri in uris]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two sources are called '{max(names, key=names.count)}'",
            reason=Reason.VALUE,
            hint="name them: --source wrist=virtual:imu?seed=1 --source ankle=virtual:imu?seed=2",
        )
    if label_keys and (label or any(uri.scheme == "stdin" for uri in uris)):
        raise UsageError(
            f"--label-keys and {'--label' if label else 'stdin:'} do not go together",
            reason=Reason.VALUE,
            hint="type labels on the keyboard, or give one --label for the whole recording",
        )
    if speed is not None:
        uris = [uri.having(speed=f"{speed!r}") for uri in uris]
    sources = {name: open_source(uri) for name, uri in zip(names, uris, strict=True)}
    about = {"subject": subject, "session": session, "placement": placement, "environment": environment}
    typed = TypedLabels.parse(label_keys) if label_keys else None
    calibrations = named_calibrations(calibration or [], names)
    capture = Capture(sources, out, about, label=label, typed=typed, duration_s=duration, calibrations=calibrations)
    interrupted = asyncio.run(_record(capture, typed))
    if as_json:
        from edgehar.align.told import told_fit

        streams = {
            name: {**stream_summary(captured.tally), "counts": captured.counts, "clock": told_fit(captured.clock.fit)}
            for name, captured in capture.streams.items()
        }
        typer.echo(json.dumps({"recording": str(out), "interrupted": interrupted, "streams": streams}))
    else:
        for name, captured in capture.streams.items():
            typer.echo(f"{out} [{name}]: {_told(captured)}", err=True)
    return EXIT_INTERRUPTED if interrupted else 0


async def _record(capture: Capture, typed: TypedLabels | None) -> bool:
    """Whether Ctrl-C ended it."""
    import asyncio

    from edgehar.label_keys import typing
    from edgehar.live import stopped_by_signals

    with stopped_by_signals() as stop, contextlib.ExitStack() as stack:
        if typed is not None:
            stack.enter_context(typing(typed))
            sys.stderr.write(f"{typed.describe()}\n")
        showing = asyncio.create_task(_show(capture, typed))
        try:
            await capture.run(stop)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
    return stop.interrupted


async def _show(capture: Capture, typed: TypedLabels | None) -> None:
    """Label, rate, losses and radio so far, on a terminal, twice a second."""
    import asyncio

    if not sys.stderr.isatty():
        return
    try:
        while True:
            text = " | ".join(f"{name}: {_told(captured)}" for name, captured in capture.streams.items())
            label = f"({typed.current or 'no label'})  " if typed is not None else ""
            sys.stderr.write(f"\r\x1b[K{label}{text}  (Ctrl-C ends)")
            sys.stderr.flush()
            await asyncio.sleep(LIVE_LINE_S)
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _told(captured: Captured) -> str:
    """One stream: the common line, where frames were lost, how its clock runs, and what the radio said last."""
    from edgehar.tally import describe

    counts = {str(cause).replace("_", " "): n for cause, n in captured.counts.items() if cause != "frames"}
    lost = [f"{cause} {n}" for cause, n in sorted(counts.items())]
    fit = captured.clock.fit
    clock = [] if fit is None else [fit.describe()]
    return ", ".join([describe(captured.tally), *lost, *clock, *_radio(captured.newest)])


def _radio(newest: Any) -> list[str]:
    if newest is None or "rssi_dbm" not in newest.aux:
        return []
    from edgehar.wire.frames import UNKNOWN_GAIN

    told = [f"rssi {int(newest.aux['rssi_dbm'][-1])} dBm"]
    gain = int(newest.aux["agc_gain"][-1]) if "agc_gain" in newest.aux else UNKNOWN_GAIN
    return told if gain == UNKNOWN_GAIN else [*told, f"gain {gain}"]
