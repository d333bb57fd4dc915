"""`edgehar doctor`: what is wrong with a board, its link or its stream, and what to do about it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgehar.boards.doctor_checkup import Checkup

COLOURS = {"OK": "green", "WARN": "yellow", "FAIL": "red", "UNKNOWN": "bright_black"}


def doctor(
    source: Annotated[
        str,
        typer.Argument(
            help="csi:PORT, csi:auto, tcp:HOST:PORT, ble, ble:NAME, or any other source.", metavar="[SOURCE]"
        ),
    ] = "csi:auto",
    *,
    duration: Annotated[float, typer.Option(help="Seconds to listen; drift needs five or more.")] = 10.0,
    log: Annotated[bool, typer.Option("--log", help="Print the text that the board wrote between its frames.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Examine a board or a Bluetooth sensor: what is wrong with it, its link or this machine; 1 if a check fails."""
    from edgehar.boards.doctor_checkup import examine
    from edgehar.cli.progress import progress
    from edgehar.errors import Reason, UsageError

    if not 0 < duration <= 3600:
        raise UsageError(f"--duration {duration:g}", reason=Reason.VALUE, hint="give seconds, 3600 at most")
    with progress(f"listening to {source}") as report:
        checkup = examine(source, duration, report)
    if as_json:
        typer.echo(json.dumps(checkup.json()))
    else:
        _print(checkup, log=log)
    return 1 if checkup.is_ill else 0


def _print(checkup: Checkup, *, log: bool) -> None:
    if checkup.simulated:
        typer.echo(f"{checkup.source} is SIMULATED: no sensor is behind it")
    coloured = sys.stdout.isatty()
    width = max(len(found.check) for found in checkup.findings)
    for found in checkup.findings:
        mark = typer.style(found.health.ljust(7), fg=COLOURS[found.health]) if coloured else found.health.ljust(7)
        typer.echo(f"{mark}  {found.check.ljust(width)}  {found.measured}  (should be: {found.threshold})")
        if found.fix:
            typer.echo(f"{'':7}  {'':{width}}  fix: {found.fix}")
    if log:
        typer.echo("\n".join(["its log:", *checkup.log]))
