"""What integers cost: `python benchmarks/compress_int8.py compress.int8drop.MODEL... | --all`.

Points of accuracy on test people that a trained model loses when it runs in integers, after calibration on windows of
its training people: int8 (the row's value) and int8x16, on the first three seeds of the model's row, fold 0. Bundles
come from `benchmarks/accuracy.py`; one that is not there is trained first. Figures are cached in build/compress.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np
import torch
from jobs import Job, run_job
from resumable import resumable
from row_choice import chosen_rows, row_parser
from rows import RESULTS, Row, merge_rows
from tasks import load_dataset_dir, load_plan, load_windows

from edgehar.bundle import open_bundle
from edgehar.compress.data import Data
from edgehar.compress.measure import logits_of
from edgehar.compress.quantise import Quantise
from edgehar.compress.steps import Context
from edgehar.datasets.dataset import Dataset
from edgehar.evaluate.metrics import mean_std
from edgehar.graph.quantise import SCHEMES

BASES = {
    "cnn": "acc.uci_har6.cnn",
    "dscnn": "compress.int8drop.dscnn",
    "fastgrnn": "acc.har2.fastgrnn",
    "gru": "acc.uci_har6.gru",
    "l2mu": "acc.wisdm7.l2mu.subject",
}
SEEDS = 3
GENERATION = 1
"""Part of every cache key: raise it when a change of the quantiser changes results."""


def main() -> int:
    arguments = parse()
    torch.set_num_threads(1)

    def work() -> None:
        for name in arguments.rows:
            row = row_of(name.rpartition(".")[2], arguments.data, arguments.cache)
            print(f"{row.id}: {row.value:.3f} +- {row.std:.3f} points  {dict(row.extras)}", flush=True)
            merge_rows(RESULTS / "compress.jsonl", [row])

    return resumable("compress_int8", work)


def parse() -> argparse.Namespace:
    known = [f"compress.int8drop.{model}" for model in BASES]
    return chosen_rows(row_parser(__doc__, known), known)


def row_of(model: str, shared: Path, cache: Path) -> Row:
    """The row of one model family."""
    plan = load_plan(BASES[model])
    path = load_dataset_dir(plan.task, shared, cache)
    jobs = [Job(plan, path, cache, 0, seed) for seed in plan.seeds[:SEEDS]]
    runs = [measured(job, cache.parent / "compress" / "int8drop") for job in jobs]
    drops = {scheme: [round(run["float"] - run[scheme]["accuracy"], 3) for run in runs] for scheme in SCHEMES}
    summary = mean_std(drops["int8"])
    return Row(
        id=f"compress.int8drop.{model}",
        value=summary["mean"],
        unit="points",
        std=summary["std"],
        n=len(runs),
        command=f"python benchmarks/compress_int8.py compress.int8drop.{model}",
        bundle_sha256=runs[0]["sha256"],
        split=f"{plan.task.split_file(plan.seeds[0]).removesuffix('.json')}, fold 0",
        extras={
            "float": mean_std([run["float"] for run in runs])["mean"],
            **{scheme: mean_std([run[scheme]["accuracy"] for run in runs])["mean"] for scheme in SCHEMES},
            "drops": drops,
            "agreement": {scheme: mean_std([run[scheme]["agreement"] for run in runs])["mean"] for scheme in SCHEMES},
            "calibration": [run["int8"]["calibration"] for run in runs],
            "title": plan.task.title,
            "model": model,
            "base": plan.id,
            "stamps": sorted({stamp for run in runs for stamp in run["stamps"]}),
        },
    )


def measured(job: Job, folder: Path) -> dict[str, Any]:
    """Figures of one bundle, from the cache or measured now."""
    run_job(job)  # trains it where it is not there yet
    bundle = open_bundle(job.stem.with_suffix(".edgehar"))
    path = folder / f"{bundle.sha256[:16]}_g{GENERATION}.json"
    if path.exists():
        cached: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cached
    windows = load_windows(job.plan.task, job.dataset, job.cache)
    data = Data.of(bundle, Dataset.open(job.dataset), windows=windows)
    context = Context(bundle, data, job.seed)
    x, y = data.normaliser(data.test.x), data.test.y
    labels = logits_of(bundle, x).argmax(axis=1)
    found: dict[str, Any] = {"float": percent(labels == y), "sha256": bundle.sha256, "stamps": list(data.stamps)}
    for scheme in SCHEMES:
        quantised = Quantise(scheme).apply(context)
        integers = logits_of(quantised, x).argmax(axis=1)
        quant = quantised.manifest.quant or {}
        found[scheme] = {"accuracy": percent(integers == y), "agreement": percent(integers == labels)}
        found[scheme]["calibration"] = quant["calibration"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    return found


def percent(hits: np.ndarray[Any, Any]) -> float:
    """Share of true entries."""
    return round(100 * float(hits.mean()), 3)


if __name__ == "__main__":
    sys.exit(main())
