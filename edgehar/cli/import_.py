"""`edgehar import`: turn a source into a dataset of recordings."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from edgehar.datasets import FORMATS


def import_(
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of: {', '.join(FORMATS)}.")],
    path: Annotated[str, typer.Argument(help="The source file or directory; 'installed' or 'download' for seglearn.")],
    out: Annotated[Path, typer.Option("--out", help="The dataset directory to make.")],
    classes: Annotated[str, typer.Option("--classes", help="Keep only sessions with one of these labels: a,b,c.")] = "",
    name: Annotated[str, typer.Option("--name", help="The dataset's name.")] = "",
    placement: Annotated[str, typer.Option("--placement", help="Where the sensor was worn, such as wrist.")] = "",
    units: Annotated[
        str, typer.Option("--units", help="Units of the channels where the source names none, such as g,g,g.")
    ] = "",
    rate_hz: Annotated[
        float, typer.Option("--rate-hz", help="Nominal rate, where it should not be estimated from the times.")
    ] = 0.0,
    dialect: Annotated[
        str, typer.Option("--dialect", help="csi: how the text is printed, where its first lines do not tell.")
    ] = "",
    sender: Annotated[
        str, typer.Option("--sender", help="csi: a sender's hash, or each; by default the commonest of a file.")
    ] = "",
    salt: Annotated[
        str, typer.Option("--salt", help="csi: hash senders alike in every import; by default at random.")
    ] = "",
    field: Annotated[str, typer.Option("--field", help="csi: auto, lltf, htltf, stbc or heltf.")] = "auto",
    layout: Annotated[
        str, typer.Option("--layout", help="csi: what frames of that length are, where it could be two things.")
    ] = "",
    pattern: Annotated[
        str,
        typer.Option("--pattern", help="csi: regular expression on a file's path, with groups such as (?P<label>...)."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Import recordings into a dataset directory, whole or not at all."""
    from edgehar.cli.progress import progress
    from edgehar.datasets.session import CsiOptions, ImportOptions
    from edgehar.datasets.store import write_dataset
    from edgehar.registry import resolve

    began_s = time.perf_counter()
    opener = resolve("formats", FORMATS, format_)
    csi = CsiOptions(dialect, sender, salt, field, layout, pattern)
    with progress(f"import {name or Path(path).name}") as report:
        source = opener(Path(path), ImportOptions(name, _words(units), rate_hz, csi, report))
        dataset = write_dataset(source, out, classes=_words(classes), placement=placement, progress=report)
    took_s = time.perf_counter() - began_s
    recordings, subjects = len(dataset.recordings), len(dataset.subjects)
    if as_json:
        told = {"dataset": str(out), "name": dataset.name, "recordings": recordings, "subjects": subjects}
        sys.stdout.write(
            json.dumps(told | {"labels": dataset.labels, "seconds": round(took_s, 3)} | dict(source.told)) + "\n"
        )
        return
    typer.echo(f"{out}: {recordings} recordings of {subjects} subjects, {len(dataset.labels)} classes, {took_s:.1f} s")
    for key, value in source.told.items():
        if value:
            typer.echo(f"  {key.replace('_', ' ')}: {_plain(value)}")
    if dataset.licence:
        typer.echo(f"  licence as found: {dataset.licence}")
    typer.echo(f"  next: edgehar data {out}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _plain(value: object) -> str:
    """Lists and tables as text for people."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
