"""`edgehar record`: what sensors send becomes a crash-safe recording."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

LIVE_LINE_S = 0.5


def record(
    *,
    source: Annotated[
        list[str],
        typer.Option(help="virtual:imu, stdin:csv, replay:FILE; several as NAME=URI.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="The recording to write (.mcap).", show_default=False)],
    subject: Annotated[str, typer.Option(help="Who wears the sensor.")] = "",
    session: Annotated[str, typer.Option(help="Which session this is.")] = "",
    placement: Annotated[str, typer.Option(help="Where the sensor sits, e.g. wrist.")] = "",
    environment: Annotated[str, typer.Option(help="Where it is recorded, e.g. a room.")] = "",
    label: Annotated[str, typer.Option(help="One activity for the whole recording.")] = "",
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds of stream.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Stream seconds a second, 0 is as fast as it goes.", show_default="1")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> int:
    """Record SOURCE to a file until it ends, DURATION is over or Ctrl-C; a kill loses at most the last second."""
    import asyncio
    import json

    from edgehar.errors import Reason, UsageError
    from edgehar.live import EXIT_INTERRUPTED
    from edgehar.sources import SourceUri, open_source
    from edgehar.tally import describe, stream_summary

    uris = [SourceUri.parse(text) for text in source]
    names = [uri.name or "main" for uri in uris]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two sources are called '{max(names, key=names.count)}'",
            reason=Reason.VALUE,
            hint="name them: --source wrist=virtual:imu?seed=1 --source ankle=virtual:imu?seed=2",
        )
    if speed is not None:
        uris = [uri.having(speed=f"{speed!r}") for uri in uris]
    sources = {name: open_source(uri) for name, uri in zip(names, uris, strict=True)}
    about = {"subject": subject, "session": session, "placement": placement, "environment": environment}
    tallies, interrupted = asyncio.run(_record(sources, out, about, label=label, duration_s=duration))
    if as_json:
        streams = {name: stream_summary(tally) for name, tally in tallies.items()}
        typer.echo(json.dumps({"recording": str(out), "interrupted": interrupted, "streams": streams}))
    else:
        for name, tally in tallies.items():
            typer.echo(f"{out} [{name}]: {describe(tally)}", err=True)
    return EXIT_INTERRUPTED if interrupted else 0


async def _record(
    sources: dict[str, Any], out: Path, about: dict[str, str], *, label: str, duration_s: float | None
) -> tuple[dict[str, Any], bool]:
    import asyncio

    from edgehar.live import chunks_until, stopped_by_signals
    from edgehar.recording import RecordingWriter
    from edgehar.tally import StreamTally
    from edgehar.tee import Tee

    tallies = {name: StreamTally() for name in sources}
    async with contextlib.AsyncExitStack() as stack:
        for source in sources.values():
            await stack.enter_async_context(source)
        specs = {name: source.spec for name, source in sources.items()}
        first = next(iter(specs.values()))
        writer = stack.enter_context(
            RecordingWriter(
                out,
                specs,
                subject=about["subject"],
                session=about["session"] or first.session_id,
                placement=about["placement"] or first.placement,
                environment=about["environment"],
            )
        )
        with stopped_by_signals() as stop:

            async def copy(name: str) -> None:
                tee = Tee(writer, sources[name], stream=name, label=label)
                try:
                    async with contextlib.aclosing(chunks_until(sources[name], stop, duration_s)) as chunks:
                        async for chunk in chunks:
                            tee.write(chunk)
                            tallies[name].add(chunk)
                finally:
                    tee.finish()

            showing = asyncio.create_task(_show(tallies))
            copies = [asyncio.create_task(copy(name)) for name in sources]
            try:
                await asyncio.gather(*copies)
            finally:
                # One failed: let the others write their last labels before the file is closed.
                for task in (showing, *copies):
                    task.cancel()
                await asyncio.gather(showing, *copies, return_exceptions=True)
    return tallies, stop.interrupted


async def _show(tallies: dict[str, Any]) -> None:
    """Rate and losses so far, on a terminal, twice a second."""
    import asyncio

    from edgehar.tally import describe

    if not sys.stderr.isatty():
        return
    try:
        while True:
            text = " | ".join(f"{name}: {describe(tally)}" for name, tally in tallies.items())
            sys.stderr.write(f"\r\x1b[K{text}  (Ctrl-C ends)")
            sys.stderr.flush()
            await asyncio.sleep(LIVE_LINE_S)
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
