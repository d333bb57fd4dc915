"""`edgehar evaluate`: how good a bundle is on a dataset, by the pipeline that ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="The model, a .edgehar file.", show_default=False)],
    *,
    dataset: Annotated[Path, typer.Option(help="A dataset made by edgehar import.")],
    subjects: Annotated[str, typer.Option(help="These people: a,b. Default: the bundle's test people.")] = "",
    split: Annotated[Path | None, typer.Option(help="The test people of a split file (.json).")] = None,
    fold: Annotated[int, typer.Option(help="Which fold of --split.")] = 0,
    official_windows: Annotated[
        bool, typer.Option("--official-windows", help="Where the source cut its windows, not at the bundle's hop.")
    ] = False,
    windows_of: Annotated[
        Path | None, typer.Option(help="Windows and labels of the same recordings in this other dataset.")
    ] = None,
    without: Annotated[str, typer.Option(help="As if these of its sensors were lost: wrist.")] = "",
    allow_leaky: Annotated[
        bool, typer.Option("--allow-leaky", help="Test on training people too; the result is stamped LEAKY.")
    ] = False,
    runtime: Annotated[
        str, typer.Option(help="numba, reference, or onnx, litert: the exported file beside it.")
    ] = "numba",
    forest: Annotated[bool, typer.Option(help="Train the random forest beside it.")] = True,
    plot: Annotated[Path | None, typer.Option(help="Draw the confusion matrix into this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
) -> int:
    """Stream a dataset's recordings through the bundle's pipeline and compare its decisions with the labels."""
    from edgehar.bundle import open_bundle
    from edgehar.cli.progress import progress
    from edgehar.datasets.dataset import Dataset
    from edgehar.datasets.figure import check_figure
    from edgehar.evaluate.run import evaluate_bundle

    check_figure(plot)
    _check_choices(subjects=subjects, split=split, official_windows=official_windows, windows_of=windows_of)
    opened, source = open_bundle(bundle), Dataset.open(dataset)
    people = _people(subjects, split, fold)
    cut_by = source if official_windows else None if windows_of is None else Dataset.open(windows_of)
    with progress("evaluate") as report:
        told = evaluate_bundle(
            opened,
            source,
            subjects=people,
            windows_of=cut_by,
            without=[name.strip() for name in without.split(",") if name.strip()],
            allow_leaky=allow_leaky,
            runtime=runtime,
            progress=report,
        )
        if forest and without:
            told["forest"] = {"absent": "it would hear the sensors that are lost"}
        elif forest:
            if report is not None:
                report.say("random forest")
            told["forest"] = _forest(opened, cut_by or source, told["subjects"])
    typer.echo(json.dumps(told) if as_json else _text(told))
    if plot is not None:
        from edgehar.evaluate.report import plot_confusion

        plot_confusion(told, plot, title=" ".join([told["model_id"], "on", told["dataset"], *told["stamps"]]))
    return 0


def _check_choices(*, subjects: str, split: Path | None, official_windows: bool, windows_of: Path | None) -> None:
    """Refuse options of which one would win in silence."""
    from edgehar.errors import Reason, UsageError

    for first, second, both in (
        ("--subjects", "--split", bool(subjects) and split is not None),
        ("--official-windows", "--windows-of", official_windows and windows_of is not None),
    ):
        if both:
            raise UsageError(f"{first} and {second} exclude each other", reason=Reason.VALUE, hint="leave one out")


def _people(subjects: str, split: Path | None, fold: int) -> tuple[str, ...]:
    from edgehar.datasets.splits import GroupFold, load_split
    from edgehar.errors import Reason, UsageError

    if split is None:
        return tuple(name.strip() for name in subjects.split(",") if name.strip())
    folds = load_split(split).folds
    chosen = folds[fold] if 0 <= fold < len(folds) else None
    if not isinstance(chosen, GroupFold) or chosen.by != "subject":
        raise UsageError(
            f"{split} has no fold {fold} by subject",
            reason=Reason.VALUE,
            hint=f"it has {len(folds)} folds, counted from 0; or name people with --subjects",
        )
    return chosen.test


def _forest(bundle: Any, dataset: Any, subjects: list[str]) -> dict[str, Any]:
    """The forest's table, or in one entry why there is none."""
    from edgehar.errors import MissingError
    from edgehar.evaluate.forest import forest_beside

    try:
        return forest_beside(bundle, dataset, subjects)
    except MissingError as error:
        return {"absent": str(error)}


def _text(told: dict[str, Any]) -> str:
    from edgehar.evaluate.report import columns, per_class

    rows: list[tuple[str, ...]] = [("", "accuracy %", "macro F1 %", "worst person %", "windows")]
    forest = told.get("forest", {"absent": "left out"})
    for name, table in ((told["model_id"], told), ("random forest", forest)):
        if "absent" not in table:
            figures = (
                f"{table['accuracy']:.2f}",
                f"{table['macro_f1']:.2f}",
                f"{table['subject_spread']['worst']:.1f}",
            )
            rows.append((name, *figures, str(table["windows"])))
    lost = f" without {', '.join(told['without'])}" if "without" in told else ""
    lines = [f"{told['model_id']}{lost} on {told['dataset']}, {len(told['subjects'])} people, {told['windows_at']}", ""]
    lines += columns(rows)
    if "absent" in forest:
        lines.append(f"no random forest: {forest['absent']}")
    elif forest["accuracy"] > told["accuracy"]:
        lines.append(f"the random forest is ahead by {forest['accuracy'] - told['accuracy']:.2f} points")
    lines += ["", per_class(told), ""]
    lines.append(
        f"not judged: {told['no_data']} windows without data, {told['unlabelled']} across or outside labels; "
        f"judged by their best label though not OK: {told['unsure']}; "
        f"calibration error {told['calibration_error']:.1f} points"
    )
    if told["recordings_without_windows"]:
        lines.append(f"passed over: {told['recordings_without_windows']} recordings that have no windows there")
    if told["stamps"]:
        lines.append(f"stamps: {' '.join(told['stamps'])}")
    return "\n".join(lines)
