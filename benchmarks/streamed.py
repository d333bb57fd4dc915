"""Rows of the shipped pipeline: a finished row's bundles on the raw, continuous recordings of the same people.

    python benchmarks/streamed.py acc.uci_har6.cnn

ROW.free_running: windows wherever the bundle's hop falls. ROW.official_stream: the published windows, cut out of the
raw stream by the pipeline; every decision that differs from the one on the published window is in the result, with the
margin of its logits.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import add_places, jobs_of
from jobs import SPLITS, Job
from near_ties import of_job, summary
from rows import RESULTS, Row, merge_rows
from tasks import Plan, Task, load_dataset_dir, load_plan

from edgehar.bundle import open_bundle
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.splits import load_split
from edgehar.errors import EdgeHarError, MissingError, Reason
from edgehar.evaluate.metrics import mean_std
from edgehar.evaluate.run import evaluate_bundle

RAW = {"uci_har6": ("npz", "uci_har/hapt_raw_50hz.npz"), "har2": ("npz", "uci_har/hapt_raw_50hz.npz")}
"""Task -> format and path of the raw recordings that its windows were made from."""


def main() -> int:
    """Measure the rows that were asked for; exit codes are edgehar's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="ROW_ID", help="finished rows, such as acc.uci_har6.cnn")
    add_places(parser)
    arguments = parser.parse_args()
    arguments.inner = 0
    try:
        for name in arguments.rows:
            plan = load_plan(name)
            jobs = jobs_of(plan, arguments)
            raw = Dataset.open(load_dataset_dir(raw_task(plan.task), arguments.data, arguments.cache))
            for row in rows_of(plan, jobs, raw):
                print(f"{row.id}: {row.value:.2f} +- {row.std:.2f} % (n = {row.n})  {dict(row.extras)}", flush=True)
                merge_rows(RESULTS / "accuracy.jsonl", [row])
    except EdgeHarError as error:
        print(f"streamed: {error}\n  next: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def raw_task(task: Task) -> Task:
    """The same task, read from the raw recordings."""
    if task.name not in RAW:
        raise MissingError(
            f"task {task.name} has no raw recordings", reason=Reason.NOT_FOUND, hint=f"tasks that do: {', '.join(RAW)}"
        )
    format_, path = RAW[task.name]
    return replace(task, format=format_, path=path)


def rows_of(plan: Plan, jobs: list[Job], raw: Dataset) -> list[Row]:
    """Both rows, mean and spread over the plan's bundles."""
    windows_of = Dataset.open(jobs[0].dataset)
    split = load_split(SPLITS / plan.task.split_file(plan.seeds[0])).name
    rows = []
    for suffix, title, cut_by in (
        (".free_running", "raw stream, windows at the free-running hop", None),
        (".official_stream", "raw stream, official windows", windows_of),
    ):
        started = time.perf_counter()
        results = [measure(job, raw, cut_by) for job in jobs]
        accuracies = mean_std([result["accuracy"] for result in results])
        extras: dict[str, Any] = {
            "macro_f1": mean_std([result["macro_f1"] for result in results])["mean"],
            "windows": results[0]["windows"],
            "unlabelled": results[0]["unlabelled"],
            "no_data": results[0]["no_data"],
            "seconds": round(time.perf_counter() - started),
            "title": f"{plan.task.title}: {title}",
            "model": plan.model,
            "stamps": results[0]["stamps"],
        }
        if cut_by is not None:
            extras["confusion_differs"] = sum(differing(job, result) for job, result in zip(jobs, results, strict=True))
            extras |= summary([difference for job in jobs for difference in of_job(job, raw)])
        rows.append(
            Row(
                id=plan.id + suffix,
                value=accuracies["mean"],
                unit="%",
                std=accuracies["std"],
                n=int(accuracies["n"]),
                command=f"python benchmarks/streamed.py {plan.id}",
                bundle_sha256=results[0]["bundle_sha256"],
                split=split,
                extras=extras,
            )
        )
    return rows


def measure(job: Job, raw: Dataset, windows_of: Dataset | None) -> dict[str, Any]:
    """A job's bundle through the pipeline on its test people."""
    path: Path = job.stem.with_suffix(".edgehar")
    if not path.exists():
        raise MissingError(
            f"{job.plan.id} is not finished: {path} is missing",
            reason=Reason.NOT_FOUND,
            hint=f"python benchmarks/accuracy.py {job.plan.id}",
        )
    return evaluate_bundle(open_bundle(path), raw, windows_of=windows_of)


def differing(job: Job, result: dict[str, Any]) -> int:
    """Windows by which the streamed confusion matrix differs from the one that torch gave on the filtered windows."""
    torch_table = json.loads(job.stem.with_suffix(".json").read_text(encoding="utf-8"))["test"]
    return int(np.abs(np.array(torch_table["confusion"]) - np.array(result["confusion"])).sum()) // 2


if __name__ == "__main__":
    sys.exit(main())
