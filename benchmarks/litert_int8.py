"""int8 TFLite files beside the integer graph: `python benchmarks/litert_int8.py compress.litert_int8.MODEL... | --all`.

Every bundle that `accuracy.py` and `fusion.py` trained for the model's row is quantised to int8 on windows of its
training people; its whole-window file then runs its golden windows in LiteRT, rounded exactly (as exported; `value`)
and as TFLite does (as for chips). Percent of labels, of every head, that are the integer graph's, and in how many
bundles they reach the share that `edgehar verify` asks for. `cpu_ratio`: processor time, exact over TFLite's. Figures
of a bundle are cached in build/compress. Rows go to results/compress.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import numpy as np
from accuracy import jobs_of
from jobs import Job
from resumable import resumable
from row_choice import chosen_rows, row_parser
from rows import RESULTS, Row, merge_rows
from tasks import load_plan, load_windows

from edgehar.bundle import Bundle, open_bundle
from edgehar.compress.calibration import SEARCH, choose
from edgehar.compress.data import Data
from edgehar.compress.quantise import calibration_windows, with_quant
from edgehar.compress.steps import Context
from edgehar.datasets.dataset import Dataset
from edgehar.errors import MissingError, Reason
from edgehar.evaluate.metrics import mean_std
from edgehar.export.tflite.emit import ROUNDINGS, emit_tflite
from edgehar.runtimes.litert import open_interpreter
from edgehar.runtimes.lowered import graph_of
from edgehar.runtimes.tflite_file import SIGNATURE_SAMPLES
from edgehar.types import FloatArray
from edgehar.verify.rules import AGREEMENT

BASES = {
    "cnn": "acc.uci_har6.cnn",
    "csieffnet": "acc.fition6.csieffnet.person",
    "fastgrnn": "acc.uci_har6.fastgrnn",
    "fusion": "fusion.dsads",
    "gru": "acc.uci_har6.gru",
}
CALIBRATION = 512
ROUNDS = 5
"""Of the golden windows through both files in turn; the quickest counts."""
GENERATION = 2
"""Part of every cache key: raise it when a change of the quantiser or the emitter changes results."""


def main() -> int:
    arguments = parse()

    def work() -> None:
        for name in arguments.rows:
            row = row_of(name.rpartition(".")[2], arguments)
            print(f"{row.id}: {row.value:.2f} +- {row.std:.2f} %  {dict(row.extras)}", flush=True)
            merge_rows(RESULTS / "compress.jsonl", [row])

    return resumable("litert_int8", work)


def parse() -> argparse.Namespace:
    known = [f"compress.litert_int8.{model}" for model in BASES]
    arguments = chosen_rows(row_parser(__doc__, known), known)
    arguments.inner = 0
    return arguments


def row_of(model: str, arguments: argparse.Namespace) -> Row:
    """The row of one model family."""
    plan = load_plan(BASES[model])
    found = [measured(job) for job in jobs_of(plan, arguments)]
    agree = {how: [run[how] for run in found] for how in ROUNDINGS}
    enough = {how: sum(share >= 100 * AGREEMENT for share in shares) for how, shares in agree.items()}
    summary = mean_std(agree["exact"])
    return Row(
        id=f"compress.litert_int8.{model}",
        value=summary["mean"],
        unit="%",
        std=summary["std"],
        n=len(found),
        command=f"python benchmarks/litert_int8.py compress.litert_int8.{model}",
        bundle_sha256=found[0]["sha256"],
        extras={
            "worst": min(agree["exact"]),
            "enough": enough["exact"],
            "tflite": mean_std(agree["tflite"])["mean"],
            "tflite_worst": min(agree["tflite"]),
            "tflite_enough": enough["tflite"],
            "cpu_ratio": round(float(np.median([run["cpu_ratio"] for run in found])), 2),
            "windows": sum(run["windows"] for run in found),
            "title": plan.task.title,
            "model": model,
            "base": plan.id,
            "stamps": sorted({stamp for run in found for stamp in run["stamps"]}),
        },
    )


def measured(job: Job) -> dict[str, Any]:
    """Figures of one bundle, from the cache or measured now."""
    file = job.stem.with_suffix(".edgehar")
    if not file.exists():
        raise MissingError(
            f"{file}: no such bundle",
            reason=Reason.NOT_FOUND,
            hint="train it: python benchmarks/" + ("fusion.py" if job.plan.model == "fusion" else "accuracy.py"),
        )
    bundle = open_bundle(file)
    path = job.cache.parent / "compress" / "litert_int8" / f"{bundle.sha256[:16]}_g{GENERATION}.json"
    if path.exists():
        cached: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cached
    windows = load_windows(job.plan.task, job.dataset, job.cache)
    data = Data.of(bundle, Dataset.open(job.dataset), windows=windows)
    calibration = calibration_windows(Context(bundle, data), CALIBRATION)
    quant = choose(graph_of(bundle), calibration, "int8", SEARCH, "conv").quant
    found = {**compared(with_quant(bundle, quant)), "sha256": bundle.sha256, "stamps": list(data.stamps)}
    print(f"{file.parent.name}/{file.stem}: {found}", file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    return found


def compared(bundle: Bundle) -> dict[str, Any]:
    """Percent of the golden windows' labels that are the integer graph's, for both roundings; processor time."""
    x, golden = bundle.golden["x"], bundle.golden["logits"]
    files = {how: emit_tflite(bundle, "window", "int8", entries="samples", rounding=how) for how in ROUNDINGS}
    runs = {how: open_interpreter(content).get_signature_runner(SIGNATURE_SAMPLES) for how, content in files.items()}
    right = labels_of(golden, bundle)
    shares: dict[str, float] = {}
    seconds = dict.fromkeys(ROUNDINGS, np.inf)
    for _ in range(ROUNDS):
        for how, run in runs.items():
            began = time.thread_time()
            logits = np.concatenate([run(x=window)["logits"] for window in x])
            seconds[how] = min(seconds[how], time.thread_time() - began)
            shares[how] = round(100 * float((labels_of(logits, bundle) == right).mean()), 3)
    return {**shares, "cpu_ratio": seconds["exact"] / seconds["tflite"], "windows": len(x)}


def labels_of(logits: FloatArray, bundle: Bundle) -> Any:
    """The label of every window and head."""
    return logits.reshape(len(logits), -1, len(bundle.manifest.labels)).argmax(axis=2)


if __name__ == "__main__":
    sys.exit(main())
