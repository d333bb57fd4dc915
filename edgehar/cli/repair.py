"""`edgehar repair`: save what can be read of a cut-off or damaged recording."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def repair(
    old: Annotated[Path, typer.Argument(metavar="OLD.mcap", help="The recording that was cut off or damaged.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.mcap", help="The whole recording to write.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Copy every readable sample and label into a new, whole recording."""
    from edgehar import recording

    saved = recording.repair(old, new)
    if as_json:
        sys.stdout.write(json.dumps({"recording": str(new), **asdict(saved)}) + "\n")
        return
    lost = f"; {saved.lost_chunks} stretches of a second were unreadable" if saved.lost_chunks else ""
    typer.echo(f"{new}: {saved.samples} samples and {saved.labels} labels saved{lost}")
