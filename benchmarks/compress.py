"""Compress trained bundles and measure them: `python benchmarks/compress.py compress.gmp.fastgrnn | --all`.

`compress.gmp.MODEL.SPARSITY` sets Global Magnitude Pruning beside uniform and random pruning, with a minimum threshold
per layer and with a gradual schedule, on the bundles that `benchmarks/accuracy.py` left of the model's row (its first
three seeds, fold 0). Each pruning and fine-tuning is cached as JSON, so that an interrupted command goes on where it
stopped. A name without a sparsity stands for all of its rows. Rows go to results/compress.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ["NUMBA_NUM_THREADS"] = "1"

import torch
from accuracy import add_places
from jobs import Job
from resumable import resumable
from rows import RESULTS, Row, merge_rows
from tasks import load_dataset_dir, load_plan, load_windows

from edgehar.bundle import Bundle, open_bundle
from edgehar.compress.data import Data
from edgehar.compress.measure import figures
from edgehar.compress.steps import Prune, compress
from edgehar.datasets.dataset import Dataset
from edgehar.errors import MissingError, Reason
from edgehar.evaluate.metrics import mean_std

MODELS = {"fastgrnn": "acc.har2.fastgrnn", "cnn": "acc.uci_har6.cnn", "l2mu": "acc.wisdm7.l2mu.subject"}
SPARSITIES = (80, 90, 95, 98)
SEEDS = 3
EPOCHS = {"fastgrnn": 5, "cnn": 3, "l2mu": 2}
MIN_THRESHOLD = 0.2  # percent of all prunable weights that every tensor keeps
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "global": {},
    "uniform": {"method": "uniform"},
    "random": {"method": "random"},
    "global_mt": {"min_threshold": MIN_THRESHOLD},
    "global_gradual": {"schedule": "gradual"},
}
LEFT_OUT = {"l2mu": ("global_gradual",)}
"""Variants that a model is not measured in, for their time."""
GENERATION = 2
"""Part of every cache key: raise it when a change of the compression code changes results."""


@dataclass(frozen=True, slots=True)
class Source:
    """A trained bundle of the accuracy table, with its people's windows."""

    model: str
    seed: int
    bundle: Bundle
    data: Data
    cache: Path

    def figures(self, variant: str, sparsity: int) -> dict[str, Any]:
        """Figures of the pruned bundle (variant "dense": of the bundle itself), from the cache or measured now."""
        epochs = EPOCHS[self.model]
        name = f"{self.bundle.sha256[:12]}_g{GENERATION}_e{epochs}_{variant}_{sparsity}"
        path = self.cache / "compress" / self.model / f"{name}.json"
        if path.exists():
            cached: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cached
        if variant == "dense":
            measured = figures(self.bundle, self.data)
        else:
            step = Prune(sparsity / 100, **VARIANTS[variant])
            _, reports = compress(self.bundle, self.data, [step], seed=self.seed, epochs=epochs)
            measured = dict(reports[0].after)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(measured), encoding="utf-8")
        partial.replace(path)
        print(f"{self.model} seed {self.seed} {variant} {sparsity} %: {measured['accuracy']:.2f} %", file=sys.stderr)
        return measured


def main() -> int:
    arguments = parse()
    torch.set_num_threads(1)

    def work() -> None:
        for model, sparsities in wanted(arguments.rows).items():
            found = list(sources(model, arguments.data, arguments.cache))
            for sparsity in sparsities:
                row = row_of(model, sparsity, found)
                print(f"{row.id}: {row.value:.2f} +- {row.std:.2f} %  {dict(row.extras)}", flush=True)
                merge_rows(RESULTS / "compress.jsonl", [row])

    return resumable("compress", work)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW_ID", help="such as compress.gmp.cnn or compress.gmp.cnn.90")
    parser.add_argument("--all", action="store_true", help="measure every row")
    add_places(parser)
    arguments = parser.parse_args()
    if arguments.all:
        arguments.rows = known_rows()
    unknown = [row for row in arguments.rows if not any(name.startswith(row) for name in known_rows())]
    if unknown or not arguments.rows:
        parser.error(f"there are: {', '.join(known_rows())}; name some or give --all")
    return arguments


def known_rows() -> list[str]:
    """Every row that this command measures."""
    return [f"compress.gmp.{model}.{sparsity}" for model in MODELS for sparsity in SPARSITIES]


def wanted(names: list[str]) -> dict[str, list[int]]:
    """Model -> sparsities of the rows that are named, whole or by their beginning."""
    chosen: dict[str, list[int]] = {}
    for row in known_rows():
        if any(row == name or row.startswith(f"{name}.") for name in names):
            *_, model, sparsity = row.split(".")
            chosen.setdefault(model, []).append(int(sparsity))
    return chosen


def sources(model: str, shared: Path, cache: Path) -> Iterator[Source]:
    """The bundles that accuracy.py trained for the model's row."""
    plan = load_plan(MODELS[model])
    path = load_dataset_dir(plan.task, shared, cache)
    windows = load_windows(plan.task, path, cache)
    for seed in plan.seeds[:SEEDS]:
        file = Job(plan, path, cache, 0, seed).stem.with_suffix(".edgehar")
        if not file.exists():
            raise MissingError(
                f"{file} is not there",
                reason=Reason.NOT_FOUND,
                hint=f"train it first: python benchmarks/accuracy.py {plan.id}",
            )
        bundle = open_bundle(file)
        yield Source(model, seed, bundle, Data.of(bundle, Dataset.open(path), windows=windows), cache)


def row_of(model: str, sparsity: int, found: list[Source]) -> Row:
    """One row: global pruning's accuracy, the other ways' beside it."""
    plan = load_plan(MODELS[model])
    variants = [variant for variant in VARIANTS if variant not in LEFT_OUT.get(model, ())]
    measured = {variant: [source.figures(variant, sparsity) for source in found] for variant in variants}
    accuracy = {variant: [table["accuracy"] for table in tables] for variant, tables in measured.items()}
    dense = [source.figures("dense", 0) for source in found]
    first = measured["global"][0]
    extras: dict[str, Any] = {
        "dense": _spread([table["accuracy"] for table in dense]),
        **{variant: _spread(values) for variant, values in accuracy.items()},
        "worst_subject": mean_std([table["worst_subject"] for table in measured["global"]])["mean"],
        "least_kept": {variant: _least_kept(tables) for variant, tables in measured.items()},
        "packed_bytes": first["packed_bytes"],
        "dense_bytes": first["dense_bytes"],
        "operations": {"unit": first["unit"], "dense": first["dense"], "effective": first["effective"]},
        "min_threshold": MIN_THRESHOLD,
        "epochs": EPOCHS[model],
        "title": plan.task.title,
        "model": model,
        "stamps": sorted({stamp for source in found for stamp in source.data.stamps}),
    }
    summary = mean_std(accuracy["global"])
    return Row(
        id=f"compress.gmp.{model}.{sparsity}",
        value=summary["mean"],
        unit="%",
        std=summary["std"],
        n=len(found),
        command=f"python benchmarks/compress.py compress.gmp.{model}.{sparsity}",
        bundle_sha256=found[0].bundle.sha256,
        split=f"{plan.task.split_file(found[0].seed).removesuffix('.json')}, fold 0",
        extras=extras,
    )


def _spread(values: list[float]) -> dict[str, float]:
    summary = mean_std(values)
    return {"mean": summary["mean"], "std": summary["std"]}


def _least_kept(tables: list[dict[str, Any]]) -> list[Any]:
    """[tensor, percent of its weights kept] of the matrix or kernel that lost most, in the first seed."""
    percent = {name: 100 * kept / size for name, (kept, size) in tables[0]["tensors"].items()}
    name = min(tables[0]["prunable"], key=percent.__getitem__)
    return [name, round(percent[name], 2)]


if __name__ == "__main__":
    sys.exit(main())
