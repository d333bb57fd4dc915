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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Import recordings into a dataset directory, whole or not at all."""
    from edgehar.cli.progress import progress
    from edgehar.datasets.session import ImportOptions
    from edgehar.datasets.store import write_dataset
    from edgehar.registry import resolve

    began_s = time.perf_counter()
    opener = resolve("formats", FORMATS, format_)
    options = ImportOptions(name=name, units=_words(units), rate_hz=rate_hz)
    source = opener(Path(path), options)
    with progress(f"import {source.about.name}") as report:
        dataset = write_dataset(source, out, classes=_words(classes), placement=placement, progress=report)
    took_s = time.perf_counter() - began_s
    recordings, subjects = len(dataset.recordings), len(dataset.subjects)
    if as_json:
        told = {"dataset": str(out), "name": dataset.name, "recordings": recordings, "subjects": subjects}
        sys.stdout.write(json.dumps(told | {"labels": dataset.labels, "seconds": round(took_s, 3)}) + "\n")
        return
    typer.echo(f"{out}: {recordings} recordings of {subjects} subjects, {len(dataset.labels)} classes, {took_s:.1f} s")
    if dataset.licence:
        typer.echo(f"  licence as found: {dataset.licence}")
    typer.echo(f"  next: edgehar data {out}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
