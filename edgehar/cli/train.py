"""`edgehar train`: a model, tested on people it never saw, in a run that resumes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgehar.datasets.splits import PROTOCOLS
from edgehar.models import MODELS

if TYPE_CHECKING:
    from edgehar.train.run import Reporter
    from edgehar.train.run_config import RunConfig
    from edgehar.train.settings import Settings
    from edgehar.train.supervised import Epoch

INTERRUPTED = 130


def train(
    out: Annotated[Path, typer.Option("--out", help="The run's directory.")],
    *,
    dataset: Annotated[Path | None, typer.Option(help="A dataset made by edgehar import.")] = None,
    model: Annotated[str, typer.Option(help=f"One of: {', '.join(MODELS)}.")] = "",
    split: Annotated[str, typer.Option(help=f"{', '.join(PROTOCOLS)}, or a split file (.json).")] = "subject",
    folds: Annotated[int, typer.Option(help="How many folds, where the split has a choice.")] = 5,
    test_subjects: Annotated[str, typer.Option(help="Hold these people out instead of following a split: a,b.")] = "",
    seeds: Annotated[int, typer.Option(help="Train every fold with this many seeds.")] = 1,
    window: Annotated[int, typer.Option(help="Window in samples; 0: the dataset's own, or 2.56 s.")] = 0,
    hop: Annotated[int, typer.Option(help="Hop in samples; 0: the dataset's own, or half a window.")] = 0,
    rate_hz: Annotated[float, typer.Option("--rate-hz", help="Of the stream; 0: the dataset's own, 25 for CSI.")] = 0.0,
    sensors: Annotated[
        str, typer.Option(help="Body-worn units to take, under names of their own: wrist=left_arm,leg=right_leg.")
    ] = "",
    classes: Annotated[str, typer.Option(help="Keep labels a,b,c or merge them: new=a+b,other=c.")] = "",
    recipe: Annotated[
        Path | None, typer.Option(help="TOML with [options] and [recipe]; default: the model's own.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Instead of the recipe's epochs.")] = 0,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting: recipe.lr=0.01, options.hidden=80.")
    ] = None,
    allow_leaky: Annotated[
        bool, typer.Option("--allow-leaky", help="Train on a leaky split all the same; everything is stamped LEAKY.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that is in --out.")] = False,
    threads: Annotated[int, typer.Option(help="Threads for torch; results depend on it.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print evaluation.json's content, nothing else.")] = False,
) -> int:
    """Train on some people, test on others, with a random forest beside; write bundle, evaluation and plots."""
    set_threads(threads)
    from edgehar.datasets.worn import parse_sensors
    from edgehar.errors import EdgeHarError
    from edgehar.train.classes import parse_classes
    from edgehar.train.run import execute, open_run
    from edgehar.train.run_config import RunConfig

    asked = None
    if dataset is not None and model:
        asked = RunConfig(
            dataset=str(dataset),
            model=model,
            settings=_settings(model, recipe, epochs, changes or []),
            split=split,
            folds=folds,
            test_subjects=tuple(name.strip() for name in test_subjects.split(",") if name.strip()),
            seeds=seeds,
            window=window,
            hop=hop,
            rate_hz=rate_hz,
            classes=parse_classes(classes),
            sensors=parse_sensors(sensors),
            allow_leaky=allow_leaky,
            command=_command(),
        )
    config = open_run(out, asked, resume=resume)
    if resume:
        settings = (model, recipe, epochs, changes, classes, sensors, test_subjects, window, hop, rate_hz, allow_leaky)
        given = any(settings) or (split, folds, seeds) != ("subject", 5, 1)
        _check_same(out, config, asked, given=given)
    try:
        with _reporting(config) as reporter:
            evaluation = execute(config, out, reporter)
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted; go on with: edgehar train --out {out} --resume", err=True)
        return INTERRUPTED
    except EdgeHarError:
        if not resume:
            _leave_nothing(out)
        raise
    plots = _plot(evaluation, out)
    if as_json:
        typer.echo(json.dumps(evaluation))
    else:
        _show(evaluation, out, plots)
    return 0


def _check_same(out: Path, config: RunConfig, asked: RunConfig | None, *, given: bool) -> None:
    """A run goes on with what it was started with: other wishes are refused, not forgotten."""
    from edgehar.errors import Reason, UsageError

    if asked is None and not given:
        return
    old, new = config.to_dict(), {} if asked is None else asked.to_dict()
    differ = [name for name in new if name != "command" and old[name] != new[name]]
    if differ or asked is None:
        raise UsageError(
            f"{out} goes on with what it was started with, {', '.join(differ) or 'all settings'} included",
            reason=Reason.VALUE,
            hint=f"edgehar train --out {out} --resume, without other options; or start a new run in another --out",
        )


def _leave_nothing(out: Path) -> None:
    """Undo a run that was refused before anything was trained: the mended command may use the same --out."""
    if [path.name for path in out.iterdir()] == ["config.json"]:
        (out / "config.json").unlink()


def _settings(model: str, recipe: Path | None, epochs: int, changes: list[str]) -> Settings:
    from edgehar.registry import resolve
    from edgehar.train.settings import default_settings, load_settings

    resolve("models", MODELS, model)
    settings = default_settings(model) if recipe is None else load_settings(recipe)
    return settings.changed([*([f"recipe.epochs={epochs}"] if epochs else []), *changes])


def _command() -> str:
    """What was typed, for the bundle's provenance."""
    import shlex

    return shlex.join(["edgehar", *sys.argv[1:]])


def set_threads(threads: int) -> None:
    """Give torch and BLAS this many threads; call it before either is imported."""
    # On small models several threads lose more to waiting than they win, and runs side by side want a core each.
    # BLAS reads these when it is loaded, hence before torch and SciPy are imported.
    from edgehar.errors import Reason, UsageError

    if threads < 1:
        raise UsageError(f"--threads {threads}", reason=Reason.VALUE, hint="give 1 or more")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    import torch

    torch.set_num_threads(threads)


@contextmanager
def _reporting(config: RunConfig) -> Iterator[Reporter]:
    """Tells about epochs on a terminal's stderr, and about finished trainings in one line each."""
    from edgehar.cli.progress import progress
    from edgehar.datasets.dataset import Dataset
    from edgehar.train.run import Reporter
    from edgehar.train.run_config import choose_split

    reporter = Reporter(finished=_tell)
    epochs = config.settings.recipe.epochs
    with progress(f"train {config.model}") as report:
        if report is not None:
            folds = len(choose_split(config, Dataset.open(config.dataset)).folds)

            def epoch(fold: int, seed: int, record: Epoch) -> None:
                before = (fold * config.seeds + seed) * epochs
                report(before + record.epoch + 1, folds * config.seeds * epochs)

            reporter.epoch = epoch
            reporter.began = report.say
        yield reporter


def _tell(what: str, result: Mapping[str, Any]) -> None:
    table = result["test"]
    typer.echo(f"{what}: accuracy {table['accuracy']:.2f} %, macro F1 {table['macro_f1']:.2f} %", err=True)


def _plot(evaluation: dict[str, Any], out: Path) -> list[str]:
    """Draw the plots where matplotlib is installed; their file names."""
    from edgehar.errors import MissingError
    from edgehar.evaluate.report import plot_confusion, plot_training

    title = " ".join([evaluation["model"], "on", evaluation["split"], *evaluation["stamps"]])
    try:
        plot_confusion(evaluation["pooled"], out / "confusion.png", title=title)
        plot_training(evaluation["runs"], out / "training.png", title=title)
    except MissingError:
        return []
    return ["confusion.png", "training.png"]


def _show(evaluation: dict[str, Any], out: Path, plots: list[str]) -> None:
    from edgehar.evaluate.report import compare, per_class

    chosen = evaluation["chosen"]
    typer.echo(f"{evaluation['model']} on {evaluation['split']}\n")
    typer.echo(compare(evaluation))
    for sensor, alone in evaluation.get("alone", {}).items():
        typer.echo(f"with {sensor} alone: accuracy {alone['accuracy']['mean']:.2f} % +- {alone['accuracy']['std']:.2f}")
    typer.echo(f"\n{per_class(evaluation['pooled'])}\n")
    typer.echo(f"wrote {', '.join([chosen['bundle'], 'evaluation.json', *plots])} to {out}")
    typer.echo(f"  the bundle is fold {chosen['fold']}, seed {chosen['seed']}: {chosen['by']}")
    typer.echo(f"  next: edgehar inspect {out / chosen['bundle']}")
