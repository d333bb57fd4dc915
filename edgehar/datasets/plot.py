"""Draws a dataset: minutes of each class by subject, and a stretch of signal of every class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgehar.datasets.figure import new_figure, save_figure
from edgehar.datasets.summary import UNLABELLED, Summary

SHOWN_S = 6.0
MOST_CLASSES = 20
MOST_CHANNELS = 6
COLOURS = [f"C{number}" for number in range(10)] + [
    "#222",
    "#555",
    "#999",
    "#a60",
    "#06a",
    "#6a0",
    "#a06",
    "#60a",
    "#0a6",
    "#cc0",
]


def plot_summary(summary: Summary, path: Path) -> None:
    """Write the figure to `path`, whose suffix chooses PNG, SVG or PDF."""
    classes = list(summary.class_seconds)[:MOST_CLASSES]
    rows = -(-len(classes) // 2)
    figure = new_figure(12, 4 + 1.3 * rows)
    halves: Any = figure.subfigures(2, 1, height_ratios=(3, max(1.0, 1.3 * rows)))
    top, bottom = halves
    _draw_subjects(top.subplots(), summary, classes)
    axes = np.atleast_1d(bottom.subplots(rows, 2, sharex=True)).ravel()
    for axis, name in zip(axes, classes, strict=False):
        _draw_class(axis, summary, name)
    for axis in axes[len(classes) :]:
        axis.axis("off")
    axes[0].legend(loc="upper right", fontsize=6, ncols=3)
    bottom.supxlabel("seconds", fontsize=8)
    save_figure(figure, path)


def _draw_subjects(axis: Any, summary: Summary, classes: list[str]) -> None:
    table = summary.subject_class_seconds()
    bottom = np.zeros(len(table))
    for number, name in enumerate(classes):
        minutes = np.array([seconds.get(name, 0.0) / 60 for seconds in table.values()])
        axis.bar(
            list(table),
            minutes,
            bottom=bottom,
            label=name,
            color="0.85" if name == UNLABELLED else COLOURS[number % 20],
        )
        bottom += minutes
    dataset = summary.dataset
    axis.set_title(f"{dataset.name}: {len(table)} subjects, {summary.hours:.2f} h, {dataset.rate_hz:g} Hz")
    axis.set_ylabel("minutes")
    axis.tick_params(axis="x", labelrotation=90, labelsize=7)
    axis.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_class(axis: Any, summary: Summary, name: str) -> None:
    """The middle of the longest labelled interval of class `name` in the first recording that has it."""
    dataset = summary.dataset
    names = [recording.name for recording in summary.recordings if name in recording.class_seconds]
    reference = next(recording for recording in dataset.recordings if recording.name == names[0])
    recording = reference.open()
    chunk = recording.read()
    spans = [label for label in recording.labels if label.label == name]
    axis.set_title(name, fontsize=8)
    if not spans:  # unlabelled time
        middle_ns = int(chunk.t_dev_ns[len(chunk) // 2])
    else:
        longest = max(spans, key=lambda label: label.t1_ns - label.t0_ns)
        middle_ns = (longest.t0_ns + longest.t1_ns) // 2
    half_ns = int(SHOWN_S * 5e8)
    first, last = np.searchsorted(chunk.t_dev_ns, (middle_ns - half_ns, middle_ns + half_ns))
    seconds = (chunk.t_dev_ns[first:last] - middle_ns + half_ns) / 1e9
    for number, channel in enumerate(dataset.channels[:MOST_CHANNELS]):
        axis.plot(seconds, chunk.x[first:last, number], linewidth=0.7, label=channel)
    axis.tick_params(labelsize=6)
