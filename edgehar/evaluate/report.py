"""What people look at: a table on the terminal and plots, both from the tables in evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgehar.datasets.figure import new_figure, save_figure


def compare(evaluation: Mapping[str, Any]) -> str:
    """The model beside the random forest, mean and spread over runs, with every stamp; says so where the forest wins.

    Takes what `edgehar.train.run.execute` returns.
    """
    network, forest = evaluation["accuracy"], evaluation["forest"]["accuracy"]
    rows: list[tuple[str, ...]] = [("", "accuracy %", "macro F1 %", "worst person %", "runs")]
    for name, table in ((evaluation["model"], evaluation), ("random forest", evaluation["forest"])):
        spread = [_spread(table[key]) for key in ("accuracy", "macro_f1")]
        rows.append((name, *spread, f"{table['subject_spread']['worst']:.1f}", str(table["accuracy"]["n"])))
    lines = [*columns(rows)]
    if forest["mean"] > network["mean"]:
        lines.append(f"the random forest is ahead by {forest['mean'] - network['mean']:.2f} points")
    if evaluation["stamps"]:
        lines.append(f"stamps: {' '.join(evaluation['stamps'])}")
    return "\n".join(lines)


def _spread(figure: Mapping[str, Any]) -> str:
    """Mean and standard deviation; one run has no spread."""
    return f"{figure['mean']:.2f}" + (f" +- {figure['std']:.2f}" if figure["n"] > 1 else "")


def per_class(table: Mapping[str, Any]) -> str:
    """Windows, precision, recall and F1 of every class of a `summarise` table."""
    rows = [("class", "windows", "precision %", "recall %", "F1 %")]
    for label, row in table["per_class"].items():
        rows.append((label, str(row["windows"]), *(f"{row[key]:.1f}" for key in ("precision", "recall", "f1"))))
    return "\n".join(columns(rows))


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns: the first to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        first, *rest = (cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(cells))
        lines.append("  ".join([first, *rest]).rstrip())
    return lines


def plot_confusion(table: Mapping[str, Any], path: Path, *, title: str) -> None:
    """Confusion matrix of a `summarise` table as shares of the true class, counts written in."""
    figure, axes = _figure(title)
    counts = np.array(table["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    labels = table["labels"]
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", fontsize=7)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for (i, j), count in np.ndenumerate(counts):
        if count:
            shade = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, str(count), ha="center", va="center", fontsize=6, color=shade)
    save_figure(figure, path)


def plot_training(runs: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Training loss of every run, and accuracy on validation subjects where it was measured."""
    figure, axes = _figure(title)
    for run in runs:
        axes.plot([epoch["loss"] for epoch in run["history"]], color="tab:blue", alpha=0.5, linewidth=1)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss", color="tab:blue")
    measured = [run for run in runs if run["history"] and run["history"][0]["validation"] is not None]
    if measured:
        right = axes.twinx()
        for run in measured:
            scores = [100 * epoch["validation"] for epoch in run["history"]]
            right.plot(scores, color="tab:orange", alpha=0.5, linewidth=1)
        right.set_ylabel("accuracy on validation subjects, %", color="tab:orange")
    save_figure(figure, path)


def _figure(title: str) -> tuple[Any, Any]:
    figure = new_figure(6.4, 5.2)
    axes = figure.subplots()
    axes.set_title(title, fontsize=9)
    return figure, axes
