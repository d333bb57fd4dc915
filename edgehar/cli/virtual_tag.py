"""The tags of `edgehar virtual imu` and `edgehar virtual imu-ble`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgehar.errors import Reason, UsageError

if TYPE_CHECKING:
    from edgehar.boards.virtual_tag import VirtualTag
    from edgehar.boards.virtual_tag_ble import BlePeripheral
    from edgehar.boards.virtual_tag_line import TagOnLine

LIVE_LINE_S = 0.5
NAME = "virtual-tag"


@dataclass(frozen=True, slots=True)
class AskedTags:
    """The command's options that say what tags there are; no name: one tag of the default name."""

    names: list[str]
    rate_hz: float | None
    seed: int
    dwell_s: float
    recording: Path | None
    stream: str
    loop: bool
    model: str
    person: str
    truth: Path | None
    faults: tuple[str, ...]


@contextlib.contextmanager
def virtual_tags(asked: AskedTags, *, waits: bool) -> Iterator[list[VirtualTag]]:
    """The tags, each with a person of its own; their truth is recorded as long as the block runs."""
    from edgehar.boards.virtual_tag import FASTEST_HZ, TagSettings, VirtualTag
    from edgehar.boards.virtual_tag_faults import parse_tag_faults
    from edgehar.boards.virtual_tag_motion import open_motion
    from edgehar.boards.virtual_tag_truth import TruthRecorder

    names = asked.names or [NAME]
    if asked.rate_hz is not None and not (1 <= asked.rate_hz <= FASTEST_HZ and asked.rate_hz == round(asked.rate_hz)):
        raise UsageError(
            f"--rate {asked.rate_hz:g}", reason=Reason.VALUE, hint=f"give a whole number from 1 to {FASTEST_HZ}"
        )
    if len(set(names)) < len(names):
        raise UsageError("two tags of one name", reason=Reason.VALUE, hint="give each --id a name of its own")
    if asked.truth is not None and len(names) > 1:
        raise UsageError(
            f"--truth with {len(names)} tags", reason=Reason.VALUE, hint="record the truth of one tag at a time"
        )
    faults = parse_tag_faults(asked.faults)
    with contextlib.ExitStack() as stack:
        on_samples = None
        if asked.truth is not None:
            on_samples = stack.enter_context(TruthRecorder(asked.truth, name=names[0])).push
        tags = []
        for i, name in enumerate(names):
            motion = open_motion(
                asked.recording,
                model=asked.model,
                seed=asked.seed + i,
                person=asked.person,
                dwell_s=asked.dwell_s,
                stream=asked.stream,
                loop=asked.loop,
            )
            settings = TagSettings(
                name, rate_hz=int(asked.rate_hz or 0), waits=waits, seed=asked.seed + i, faults=faults
            )
            tags.append(VirtualTag(settings, motion, on_samples))
        yield tags


@contextlib.contextmanager
def tag_on_line(asked: AskedTags, baud: int) -> Iterator[TagOnLine]:
    """One tag, on a cable."""
    from edgehar.boards.virtual_tag_line import TagOnLine

    with virtual_tags(asked, waits=False) as (tag,):
        yield TagOnLine(tag, baud=baud)


def serve_on_air(asked: AskedTags, transport: str, *, speed: float, duration_s: float | None, as_json: bool) -> int:
    """The tags over Bluetooth LE until the time is over or Ctrl-C; says where, and at the end the truth."""
    import asyncio

    with virtual_tags(asked, waits=True) as tags:
        truths = asyncio.run(_serve(tags, transport, speed, duration_s, as_json=as_json))
    if as_json:
        typer.echo(json.dumps({"tags": truths}))
    else:
        for found in truths:
            typer.echo(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in found.items()), err=True)
    return 0


async def _serve(
    tags: list[VirtualTag], transport: str, speed: float, duration_s: float | None, *, as_json: bool
) -> list[dict[str, object]]:
    import asyncio

    from edgehar.boards.virtual_tag_ble import on_air
    from edgehar.live import stopped_by_signals

    with stopped_by_signals() as stop:
        async with on_air(tags, transport, speed=speed) as served:
            _tell(served, transport, as_json=as_json)
            showing = asyncio.ensure_future(_show(served))
            stopping = asyncio.ensure_future(stop.event.wait())
            lives = [one.life for one in served]
            await asyncio.wait({stopping, *lives}, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
            for task in (showing, stopping):
                task.cancel()
            await asyncio.gather(showing, stopping, return_exceptions=True)
            return [one.truth() for one in served]


def _tell(served: list[BlePeripheral], transport: str, *, as_json: bool) -> None:
    tags = [{"name": one.tag.settings.name, "address": one.address, "source": f"ble:{one.address}"} for one in served]
    if as_json:
        typer.echo(json.dumps({"transport": transport, "tags": tags, "simulated": True}))
    else:
        for tag in tags:
            typer.echo(f"SIMULATED tag {tag['name']} at {tag['address']}, over {transport}")
        source = "ble:auto" if len(tags) == 1 else tags[0]["source"]
        typer.echo(f"  next: edgehar record --source {source} --out simulated.mcap      (Ctrl-C ends it)")
    sys.stdout.flush()


async def _show(served: list[BlePeripheral]) -> None:
    """On a terminal, twice a second: what each tag does and whether somebody listens."""
    import asyncio

    if not sys.stderr.isatty():
        return
    try:
        while True:
            sys.stderr.write("\r\x1b[K" + " | ".join(_line(one) for one in served))
            sys.stderr.flush()
            await asyncio.sleep(LIVE_LINE_S)
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _line(one: BlePeripheral) -> str:
    host = f"connected, MTU {one.mtu}" if one.connected else "advertising"
    return f"{one.tag.settings.name}: {one.tag.truth['sent']} sent, {one.tag.doing() or 'moves'}, {host}"
