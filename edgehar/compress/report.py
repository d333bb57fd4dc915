"""What people look at: a table of one step before and after, and the picture of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgehar.compress.steps import StepReport
from edgehar.datasets.figure import new_figure, save_figure
from edgehar.evaluate.report import columns

PER_LINE = 6


def step_table(report: StepReport) -> str:
    """Accuracy, bytes, operations and non-zeros before and after one step."""
    before, after = report.before, report.after
    rows: list[tuple[str, ...]] = [(report.step, "before", "after", "change")]
    for title, key, form in (
        ("accuracy %", "accuracy", ".2f"),
        ("macro F1 %", "macro_f1", ".2f"),
        ("worst person %", "worst_subject", ".1f"),
        ("mean person %", "mean_subject", ".1f"),
        ("validation people %", "validation_accuracy", ".2f"),
    ):
        if before[key] is not None and after[key] is not None:
            rows.append((title, *(format(t[key], form) for t in (before, after)), f"{after[key] - before[key]:+.2f}"))
    for title, key in (
        ("parameters", "parameters"),
        ("non-zero", "nonzeros"),
        ("bytes, dense", "dense_bytes"),
        ("bytes, packed", "packed_bytes"),
        (f"{after['unit']}s, dense", "dense"),
        (f"{after['unit']}s, effective", "effective"),
    ):
        ratio = f"/ {before[key] / after[key]:.2f}" if after[key] else ""
        rows.append((title, f"{before[key]:,}", f"{after[key]:,}", ratio))
    lines = [*columns(rows), "", *_people(before, after), "", *_tensors(before, after)]
    empty = [name for name in after["prunable"] if not after["tensors"][name][0]]
    if empty:
        lines += ["", f"all of {', '.join(empty)} was pruned (layer collapse): try --min-threshold 0.2"]
    return "\n".join(lines)


def _people(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Everybody's accuracy before and after, several on a line."""
    cells = [f"{n} {before['per_subject'][n]:.1f} > {after['per_subject'][n]:.1f}" for n in after["per_subject"]]
    width = max(map(len, cells))
    lines = [cells[i : i + PER_LINE] for i in range(0, len(cells), PER_LINE)]
    return ["accuracy % of each person:", *("  " + "   ".join(c.ljust(width) for c in line).rstrip() for line in lines)]


def _tensors(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Non-zeros of every tensor that pruning may touch."""
    rows = [("tensor", "non-zero before", "after", "of", "kept %")]
    for name in after["prunable"]:
        kept, size = after["tensors"][name]
        was = before["tensors"].get(name, [0])[0]
        rows.append((name, str(was or "-"), str(kept), str(size), f"{100 * kept / size:.1f}"))
    return columns(rows)


def sweep_table(points: Sequence[Mapping[str, Any]]) -> str:
    """One line for every point of a sweep; * marks those that no other beats in both accuracy and bytes."""
    rows: list[tuple[str, ...]] = [("", "accuracy %", "worst person %", "bytes", "operations", "")]
    for p in points:
        figures = f"{p['accuracy']:.2f}", f"{p['worst_subject']:.1f}", f"{p['packed_bytes']:,}", f"{p['effective']:,}"
        rows.append((p["name"], *figures, "*" if p["pareto"] else ""))
    return "\n".join(columns(rows))


def plot_sweep(points: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Accuracy over bytes (logarithmic): a line for float and one for each quantisation, the front ringed."""
    figure = new_figure(6.4, 4.6)
    axes = figure.subplots()
    for kind in dict.fromkeys(p["quant"] for p in points):
        of_kind = sorted((p for p in points if p["quant"] == kind), key=lambda p: p["packed_bytes"])
        x, y = [p["packed_bytes"] for p in of_kind], [p["accuracy"] for p in of_kind]
        axes.plot(x, y, marker="o", markersize=4, label=kind or "float32")
        for point in of_kind:
            axes.annotate(
                f"{100 * point['sparsity']:g} %",
                (point["packed_bytes"], point["accuracy"]),
                textcoords="offset points",
                xytext=(4, -9),
                fontsize=6,
            )
    front = [p for p in points if p["pareto"]]
    x, y = [p["packed_bytes"] for p in front], [p["accuracy"] for p in front]
    axes.scatter(x, y, s=90, facecolors="none", edgecolors="black", label="not beaten in both")
    axes.set_xscale("log")
    axes.set_xlabel("bytes of weights, zeros packed (labels: sparsity)")
    axes.set_ylabel("accuracy on the test people, %")
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=7)
    save_figure(figure, path)
