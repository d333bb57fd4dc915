"""`edgehar data`: what is in a dataset, and what it looks like."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgehar.datasets.summary import Summary


def data(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset that edgehar import has made.")],
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw it into this file (.png, .svg or .pdf).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the subjects, hours, classes, measured rate and gaps of a dataset."""
    from edgehar.cli.progress import progress
    from edgehar.datasets.dataset import Dataset
    from edgehar.datasets.figure import check_figure
    from edgehar.datasets.summary import summarise

    check_figure(plot)
    with progress("read the recordings") as report:
        summary = summarise(Dataset.open(directory), report)
    if plot is not None:
        from edgehar.datasets.plot import plot_summary

        plot_summary(summary, plot)
    if as_json:
        sys.stdout.write(json.dumps(summary.json()) + "\n")
        return
    for line in lines(summary):
        typer.echo(line)
    if plot is not None:
        typer.echo(f"drawn: {plot}")


def lines(summary: Summary) -> list[str]:
    """The text that the command prints."""
    dataset = summary.dataset
    told = summary.json()
    channels = [f"{channel} [{unit}]" for channel, unit in zip(dataset.channels, dataset.units, strict=True)]
    rate = told["measured_rate_hz"]
    measured = f", measured {rate['min']:g} to {rate['max']:g} Hz (median {rate['median']:g})" if rate else ""
    text = [
        f"{dataset.name}{f' ({dataset.format})' if dataset.format else ''} in {dataset.path}",
        f"  subjects    {len(dataset.subjects)}: {_few(dataset.subjects)}",
        f"  recordings  {len(summary.recordings)}, {summary.hours:.2f} h",
        f"  channels    {len(channels)}: {_few(channels, 9)}",
        f"  rate        {dataset.rate_hz:g} Hz{measured}",
        f"  gaps        {told['gaps']}, {told['missing_seconds']:g} s missing",
    ]
    if dataset.applied_preprocess:
        text.append(f"  processed   {dataset.applied_preprocess}")
    if dataset.window:
        text.append(f"  cut         {dataset.window} samples every {dataset.hop}, as published")
    if told["truncated"]:
        text.append(f"  cut off     {_few(told['truncated'])}; mend with: edgehar repair OLD.mcap NEW.mcap")
    text.append("  classes")
    whole = sum(summary.class_seconds.values()) or 1.0
    width = max(map(len, summary.class_seconds), default=0)
    for name, seconds in summary.class_seconds.items():
        share = seconds / whole
        text.append(f"    {name:<{width}}  {seconds / 60:8.1f} min  {100 * share:5.1f} %  {'#' * round(40 * share)}")
    return text


def _few(names: tuple[str, ...] | list[str], most: int = 12) -> str:
    shown = list(names) if len(names) <= most else [*names[: most - 1], "...", names[-1]]
    return ", ".join(shown)
