"""Models for the smallest flash: `python benchmarks/compress_small.py ROW_ID... | --all`.

A row takes the bundles that `benchmarks/accuracy.py` left of its base row (fold 0), gives FastGRNN's matrices low ranks
by truncated singular values, trains on with the base's own recipe on the same people, quantises, and counts the
constants of the emitted C module: weights, scales, biases, tables, the normaliser, and the coefficients of the sensor's
filter chain. `.bytes` is the .rodata of that module compiled for a Cortex-M4F. Ranks were fixed before any test figure
was seen. Bundles and figures are cached in build/compress, so that an interrupted command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np
import torch
from accuracy import TEST_SELECTED
from jobs import Job, run_job
from resumable import resumable
from row_choice import chosen_rows, row_parser
from rows import RESULTS, Row, merge_rows
from snapshots import Snapshots
from tasks import Plan, load_dataset_dir, load_plan, load_windows

from edgehar.boards.targets import find_target
from edgehar.boards.toolchain import build_program
from edgehar.bundle import Bundle, open_bundle, save_bundle
from edgehar.compress.data import Data
from edgehar.compress.quantise import Quantise
from edgehar.compress.rank import factorise_ranks
from edgehar.compress.steps import Context
from edgehar.datasets.dataset import Dataset
from edgehar.evaluate.metrics import mean_std
from edgehar.export.c.emit import emit_c
from edgehar.export.c.harness import MAIN
from edgehar.export.c.model import render
from edgehar.export.c.products import Options
from edgehar.models import restore_model
from edgehar.runtimes.intwindows import int_logits
from edgehar.train.supervised import fit, predict
from edgehar.types import FloatArray, IntArray

FILTERS = ".sos"
"""Constants of the sensor's filter chain, which a data set that is filtered already does without."""
GENERATION = 1
"""Part of every cache key: raise it when a change of the compression code changes results."""


@dataclass(frozen=True, slots=True)
class Target:
    """A row: its base row, ranks (None: as they are), epochs of training on, and the scheme that the row is about."""

    id: str
    base: str
    ranks: tuple[int, int] | None
    epochs: int
    scheme: str
    limit: int
    seeds: int = 3

    @property
    def name(self) -> str:
        shape = "full" if self.ranks is None else f"r{self.ranks[0]}_{self.ranks[1]}"
        return f"{self.base.removeprefix('acc.')}_{shape}_e{self.epochs}_g{GENERATION}"


TARGETS = (
    Target("compress.har2.fastgrnn.3kb", "acc.har2.fastgrnn", (7, 7), 40, "int8x16", 3072, seeds=5),
    Target("compress.uci_har6.int8.16kb", "acc.uci_har6.fastgrnn", None, 0, "int8", 16384),
)
PARETO = {"compress.har2.fastgrnn.3kb": (None, (10, 16), (5, 4), (3, 2))}
"""Further ranks of a row's curve (None: the base's), measured with its first seed only."""
SCHEMES = ("int8", "int8x16")


def main() -> int:
    arguments = parse()
    torch.set_num_threads(1)

    def work() -> None:
        for target in (t for t in TARGETS if t.id in arguments.rows):
            bench = Bench.of(target.base, arguments.data, arguments.cache)
            seeds = bench.plan.seeds[: target.seeds]
            if arguments.seeds:
                seeds = tuple(arguments.seeds)
            runs = [bench.run(target, seed) for seed in seeds]
            if arguments.seeds:
                continue
            rodata = compiled_rodata(open_bundle(bench.bundle(target, seeds[0], target.scheme)))
            curve: list[dict[str, Any]] = []
            publish(target, runs, curve, rodata)
            for ranks in PARETO.get(target.id, ()):
                other = replace(target, ranks=ranks, epochs=target.epochs if ranks else 0)
                curve.append(bench.run(other, seeds[0]))
                publish(target, runs, curve, rodata)

    return resumable("compress_small", work)


def parse() -> argparse.Namespace:
    known = [target.id for target in TARGETS]
    parser = row_parser(__doc__, known)
    parser.add_argument("--seeds", type=int, nargs="+", help="prepare these seeds only; no row is written")
    return chosen_rows(parser, known)


@dataclass(frozen=True, slots=True)
class Bench:
    """A base row's bundles and its people's windows."""

    plan: Plan
    folder: Path
    dataset: Dataset
    cache: Path
    out: Path

    @classmethod
    def of(cls, base: str, data: Path, cache: Path) -> Bench:
        plan = load_plan(base)
        folder = load_dataset_dir(plan.task, data, cache)
        return cls(plan, folder, Dataset.open(folder), cache, cache.parent / "compress")

    def run(self, target: Target, seed: int) -> dict[str, Any]:
        """Figures of one seed, from the cache or measured now; bytes are those of the C that is emitted now."""
        path = self.out / target.name / f"seed{seed}.json"
        if not path.exists():
            job = Job(self.plan, self.folder, self.cache, 0, seed)
            run_job(job)  # trains the base where it is not there yet
            base = open_bundle(job.stem.with_suffix(".edgehar"))
            windows = load_windows(self.plan.task, self.folder, self.cache)
            path.parent.mkdir(parents=True, exist_ok=True)
            measured = self.measure(target, seed, base, Data.of(base, self.dataset, windows=windows))
            path.write_text(json.dumps(measured), encoding="utf-8")
            print(f"{target.name} seed {seed}: {measured}", file=sys.stderr, flush=True)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for scheme in SCHEMES:
            found[scheme] |= flash(open_bundle(self.bundle(target, seed, scheme)))
        return found

    def bundle(self, target: Target, seed: int, scheme: str) -> Path:
        """Where the quantised bundle is kept."""
        return self.out / target.name / f"seed{seed}_{scheme}.edgehar"

    def measure(self, target: Target, seed: int, base: Bundle, data: Data) -> dict[str, Any]:
        x, y = data.normaliser(data.test.x), data.test.y
        context = Context(base, data, seed)
        small, best = base, None
        if target.ranks is not None:
            small, best = self.train_on(target, seed, context)
        found: dict[str, Any] = {"base": float_accuracy(base, x, y), "float": float_accuracy(small, x, y)}
        for scheme in SCHEMES:
            made = Quantise(scheme).apply(replace(context, bundle=small))
            sha256 = save_bundle(made, self.bundle(target, seed, scheme))
            found[scheme] = {"accuracy": correct(int_logits(made, x), y), "sha256": sha256}
        if best is not None:
            made = Quantise(target.scheme).apply(replace(context, bundle=best))
            found["test_selected"] = correct(int_logits(made, x), y)
        return found

    def train_on(self, target: Target, seed: int, context: Context) -> tuple[Bundle, Bundle]:
        """The bundle with low ranks, trained on, and as it was after the epoch that the test people liked best."""
        base, data = context.bundle, context.data
        rank_w, rank_u = target.ranks or (0, 0)
        table, tensors = factorise_ranks(base.manifest.model, base.weights, {"W": rank_w, "U": rank_u})
        model = restore_model(replace(base.manifest, model=table), tensors).train()
        recipe = replace(self.plan.settings.recipe, epochs=target.epochs)
        snapshots = Snapshots(target.epochs)
        result = fit(model, data.train, recipe, seed=seed, normaliser=data.normaliser, constraint=snapshots)
        x, y = data.normaliser(data.test.x), data.test.y
        best = max(snapshots.kept, key=lambda epoch: correct(predict(epoch, x), y))
        return context.with_model(result.model), context.with_model(best)


def float_accuracy(bundle: Bundle, x: FloatArray, y: IntArray) -> float:
    """Of a float bundle on preprocessed windows, in percent."""
    return correct(predict(restore_model(bundle.manifest, bundle.weights), x), y)


def correct(logits: FloatArray, y: IntArray) -> float:
    """Accuracy in percent."""
    return round(100 * float(np.mean(logits.argmax(axis=1) == y)), 3)


def flash(bundle: Bundle) -> dict[str, Any]:
    """Bytes of the emitted C module's constants, and of the sensor's filter chain among them."""
    constants = render(bundle, Options()).constants
    filters = sum(len(raw) for name, raw in constants.items() if name.endswith(FILTERS))
    return {"constants": sum(map(len, constants.values())), "filter_chain": filters}


def compiled_rodata(bundle: Bundle) -> int:
    """Bytes of .rodata of the module, compiled; a compiler keeps single numbers in its instructions instead."""
    with tempfile.TemporaryDirectory() as place:
        module, built = emit_c(bundle, Path(place) / "module"), Path(place) / "built"
        built.mkdir()
        target = find_target("cortex-m4f")
        return build_program(target, MAIN, module.sources, built, include_dirs=[module.directory]).sizes.rodata


def publish(target: Target, runs: list[dict[str, Any]], curve: list[dict[str, Any]], rodata: int) -> None:
    """Print the rows and put them into the results; the curve grows while its points are measured."""
    rows = rows_of(target, runs, curve, rodata)
    for row in rows:
        print(f"{row.id}: {row.value:.2f} +- {row.std:.2f} {row.unit}  {dict(row.extras)}", flush=True)
    merge_rows(RESULTS / "compress.jsonl", rows)


def rows_of(target: Target, runs: list[dict[str, Any]], curve: list[dict[str, Any]], rodata: int) -> list[Row]:
    """The row, its bytes, and the test-selected twin where epochs were measured."""
    measured = [run[target.scheme] for run in runs]
    scores = [run["accuracy"] for run in measured]
    command = f"python benchmarks/compress_small.py {target.id}"
    summary, bases, floats = mean_std(scores), *(mean_std([run[name] for run in runs]) for name in ("base", "float"))
    other = next(scheme for scheme in SCHEMES if scheme != target.scheme)
    size_of = {
        "constants": measured[0]["constants"],
        "filter_chain": measured[0]["filter_chain"],
        "limit": target.limit,
    }
    extras: dict[str, Any] = {
        "scheme": target.scheme,
        "ranks": target.ranks,
        "rodata": rodata,
        **size_of,
        "base": bases["mean"],
        "float": floats["mean"],
        other: mean_std([run[other]["accuracy"] for run in runs])["mean"],
        "title": load_plan(target.base).task.title,
        "stamps": [],
    }
    if curve:
        points = [runs[0], *curve]
        extras["pareto"] = sorted([run[s]["constants"], s, run[s]["accuracy"]] for run in points for s in SCHEMES)
    sha256 = measured[0]["sha256"]
    size = Row(f"{target.id}.bytes", rodata, "bytes", 0.0, len(runs), command, sha256, extras=size_of)
    rows = [Row(target.id, summary["mean"], "%", summary["std"], len(runs), command, sha256, extras=extras), size]
    if "test_selected" in runs[0]:
        best = mean_std([run["test_selected"] for run in runs])
        marked = {**extras, "stamps": [TEST_SELECTED]}
        rows.append(
            Row(f"{target.id}.test_selected", best["mean"], "%", best["std"], len(runs), command, extras=marked)
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
