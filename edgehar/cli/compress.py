"""`edgehar compress`: a smaller bundle, and a table of what every step cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from edgehar.bundle import Bundle
    from edgehar.compress.data import Data
    from edgehar.compress.steps import Prune, Step

INTERRUPTED = 130


def compress(
    bundle: Annotated[Path, typer.Argument(help="The trained model, a .edgehar file.", show_default=False)],
    *,
    dataset: Annotated[Path, typer.Option(help="The dataset that it was trained on, made by edgehar import.")],
    out: Annotated[Path, typer.Option("--out", help="The smaller bundle; with --sweep a directory.")],
    prune: Annotated[float, typer.Option(help="Fraction of the weights to set to zero, such as 0.9.")] = 0.0,
    method: Annotated[str, typer.Option(help="global, uniform or random.")] = "global",
    schedule: Annotated[str, typer.Option(help="one-shot, or gradual along a cubic.")] = "one-shot",
    min_threshold: Annotated[
        float, typer.Option(metavar="PCT", help="Every layer keeps this percentage of all weights (global).")
    ] = 0.0,
    block: Annotated[str, typer.Option(help="Prune blocks of rows x columns: 4x1, or 16x1 for SIMD.")] = "1x1",
    rank_w: Annotated[int, typer.Option(help="fastgrnn: prune W's factors to this rank.")] = 0,
    rank_u: Annotated[int, typer.Option(help="fastgrnn: prune U's factors to this rank.")] = 0,
    factor_w: Annotated[int, typer.Option(help="fastgrnn: factorise W to this rank first.")] = 0,
    factor_u: Annotated[int, typer.Option(help="fastgrnn: factorise U to this rank first.")] = 0,
    iht: Annotated[
        str, typer.Option(metavar="W,U", help="fastgrnn: hard thresholding to these fractions: 0.2,0.3.")
    ] = "",
    quant: Annotated[str, typer.Option(help="Quantise last: int8 or int8x16.")] = "",
    calibration: Annotated[str, typer.Option(help="search, minmax, or percentile:99.99.")] = "search",
    qat: Annotated[
        bool, typer.Option("--qat", help="With --quant: train on with weights and states on its grid.")
    ] = False,
    epochs: Annotated[int, typer.Option(help="Of every fine-tuning; 0: none; default: the model's own.")] = -1,
    seed: Annotated[int, typer.Option(help="Of fine-tuning and random pruning.")] = 0,
    subjects: Annotated[str, typer.Option(help="Measure on these people: a,b. Default: the test people.")] = "",
    allow_leaky: Annotated[
        bool, typer.Option("--allow-leaky", help="Measure on training people too; the result is stamped LEAKY.")
    ] = False,
    sweep: Annotated[
        str, typer.Option(metavar="A,B,...", help="Prune to each of these fractions and draw accuracy against bytes.")
    ] = "",
    threads: Annotated[int, typer.Option(help="Threads for torch; results depend on it.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
) -> int:
    """Prune, factorise and quantise a bundle, fine-tuning on its training people and measuring on its test people."""
    _check_place(bundle, out, directory=bool(sweep))
    from edgehar.cli.train import set_threads

    set_threads(threads)
    from edgehar.bundle import open_bundle
    from edgehar.compress.data import Data
    from edgehar.datasets.dataset import Dataset

    if epochs < -1:
        raise _usage(f"--epochs {epochs}", "give 0 for no fine-tuning, or leave it out for the model's own number")
    pruning = _pruning(prune, method, schedule, min_threshold, block)
    before: list[Step] = [*_ranks(factor_w, factor_u, rank_w, rank_u), *_thresholding(iht)]
    after = _integers(quant, calibration, qat=qat)
    fractions = _fractions(sweep, "--sweep") if sweep else []
    if not (before or after or prune or fractions):
        raise _usage("nothing to do", "give --prune 0.9, --rank-u, --iht, --quant int8 or --sweep 0,0.5,0.8,0.9")
    if prune and fractions:
        raise _usage(f"--prune {prune:g} beside --sweep {sweep}", "a sweep names its own fractions: leave --prune out")
    if not (prune or fractions) and pruning != _pruning(0.0, "global", "one-shot", 0.0, "1x1"):
        raise _usage("settings of a pruning without one", "give --prune 0.9 or --sweep 0,0.5,0.9, too")
    if calibration != "search" and not quant:
        raise _usage(f"--calibration {calibration} without a scheme", "give --quant int8 or --quant int8x16, too")
    opened = open_bundle(bundle)
    people = tuple(name.strip() for name in subjects.split(",") if name.strip())
    data = Data.of(opened, Dataset.open(dataset), subjects=people, allow_leaky=allow_leaky)
    how = _How(seed, None if epochs < 0 else epochs)
    try:
        if fractions:
            told = _sweep(opened, data, before, fractions, pruning, after, out, how)
        else:
            told = _compress(opened, data, [*before, *([pruning] if prune else []), *after], out, how)
    except KeyboardInterrupt:
        kept = "bundles that were done are in" if fractions else "nothing was written to"
        typer.echo(f"\ninterrupted; {kept} {out}", err=True)
        return INTERRUPTED
    typer.echo(json.dumps(told["json"]) if as_json else told["text"])
    return 0


class _How(NamedTuple):
    """Of every fine-tuning; epochs None: the family's own."""

    seed: int
    epochs: int | None


def _compress(opened: Bundle, data: Data, steps: list[Step], out: Path, how: _How) -> dict[str, Any]:
    from edgehar.bundle import save_bundle
    from edgehar.cli.progress import progress
    from edgehar.compress.report import step_table
    from edgehar.compress.steps import compress as apply_steps

    with progress("compress") as report:
        if report is not None:
            report.say("compress")  # a calibration counts no steps
        small, reports = apply_steps(opened, data, steps, seed=how.seed, epochs=how.epochs, progress=report)
    sha256 = save_bundle(small, out)
    stamps = list(small.manifest.stamps)
    measured = len(set(data.test.subject))
    lines = [f"{opened.manifest.model_id}, measured on {measured} {'person' if measured == 1 else 'people'}", ""]
    lines += [f"{step_table(one)}\n" for one in reports]
    lines += [f"stamps: {' '.join(stamps)}"] if stamps else []
    lines += [f"wrote {out}", f"  next: edgehar inspect {out}"]
    told = {
        "model_id": small.manifest.model_id,
        "bundle": str(out),
        "bundle_sha256": sha256,
        "stamps": stamps,
        "steps": [one.to_dict() for one in reports],
    }
    return {"json": told, "text": "\n".join(lines)}


def _sweep(
    opened: Bundle,
    data: Data,
    before: list[Step],
    fractions: list[float],
    pruning: Prune,
    after: list[Step],
    out: Path,
    how: _How,
) -> dict[str, Any]:
    from edgehar.cli.progress import progress
    from edgehar.compress.report import plot_sweep, sweep_table
    from edgehar.compress.steps import compress as apply_steps
    from edgehar.compress.sweep import sweep
    from edgehar.errors import MissingError
    from edgehar.train.run import write_json

    out.mkdir(exist_ok=True)
    with progress("compress") as report:
        if report is not None:
            report.say("compress")
        start = apply_steps(opened, data, before, seed=how.seed, epochs=how.epochs)[0] if before else opened
        points = sweep(
            start,
            data,
            fractions,
            pruning,
            out,
            quantise=after[0] if after else None,
            seed=how.seed,
            epochs=how.epochs,
            progress=report,
        )
    told = {"model_id": opened.manifest.model_id, "stamps": list(data.stamps), "points": points}
    write_json(out / "sweep.json", told)
    written = "sweep.json"
    try:
        plot_sweep(points, out / "sweep.png", title=" ".join([opened.manifest.model_id, *data.stamps]))
        written += ", sweep.png"
    except MissingError as error:
        typer.echo(f"no picture: {error}; {error.hint}", err=True)
    text = f"{sweep_table(points)}\n\nwrote {written} and {len(points)} bundles to {out}"
    return {"json": told, "text": text}


def _pruning(sparsity: float, method: str, schedule: str, min_threshold: float, block: str) -> Prune:
    from edgehar.compress.blocks import Block
    from edgehar.compress.steps import Prune

    # A sweep names its own sparsities; the one here only has to be valid.
    return Prune(sparsity or 0.5, method, schedule, min_threshold, Block.parse(block))


def _ranks(factor_w: int, factor_u: int, rank_w: int, rank_u: int) -> list[Step]:
    from edgehar.compress.steps import LowRank, RankPrune

    steps: list[Step] = []
    if factor_w or factor_u:
        steps.append(LowRank(factor_w or None, factor_u or None))
    if rank_w or rank_u:
        steps.append(RankPrune(rank_w or None, rank_u or None))
    return steps


def _thresholding(text: str) -> list[Step]:
    from edgehar.compress.steps import IHT

    if not text:
        return []
    fractions = _fractions(text, "--iht")
    if len(fractions) != 2 or not all(fractions):
        raise _usage(f"--iht {text}", "give the fractions that W and U keep: --iht 0.2,0.3")
    keep_w, keep_u = fractions
    return [IHT(keep_w, keep_u)]


def _integers(scheme: str, calibration: str, *, qat: bool) -> list[Step]:
    if qat and not scheme:
        raise _usage("--qat without a scheme", "give --quant int8 or --quant int8x16, too")
    if not scheme:
        return []
    from edgehar.compress.qat import QAT
    from edgehar.compress.quantise import Quantise

    return [QAT(scheme, calibration) if qat else Quantise(scheme, calibration)]


def _fractions(text: str, option: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = [-1.0]
    if not all(0 <= value < 1 for value in values):
        raise _usage(f"{option} {text}", f"give fractions of at least 0 and below 1: {option} 0,0.5,0.9")
    return values


def _check_place(bundle: Path, out: Path, *, directory: bool) -> None:
    """Before minutes of training, not after."""
    from edgehar.errors import MissingError, Reason, UsageError

    if not out.parent.is_dir():
        raise MissingError(f"{out.parent}: no such directory", reason=Reason.NOT_FOUND, hint=f"mkdir -p {out.parent}")
    if out.exists() and out.is_dir() != directory:
        raise UsageError(
            f"--out {out} is {'not ' if directory else ''}a directory",
            reason=Reason.VALUE,
            hint="name a directory for --sweep, a .edgehar file otherwise",
        )
    if out.exists() and bundle.exists() and out.samefile(bundle):
        raise UsageError(
            f"--out {out} is the bundle that is compressed",
            reason=Reason.VALUE,
            hint="give another name: what pruning and quantising take away does not come back",
        )


def _usage(message: str, hint: str) -> Exception:
    from edgehar.errors import Reason, UsageError

    return UsageError(message, reason=Reason.VALUE, hint=hint)
