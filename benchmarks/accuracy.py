"""Train and measure accuracy rows: `python benchmarks/accuracy.py ROW_ID... | --all`.

A row is recipes/ROW_ID.toml: a model with its options and recipe on a task (tasks/*.toml), trained on every fold with
every seed. Each of these jobs is cached, so that an interrupted command goes on where it stopped and a finished row is
rebuilt at once. Rows go to results/accuracy.jsonl; `python benchmarks/readme.py` puts them into README.md.

For choosing a recipe, `--inner K` trains K folds by subject inside the training people of the split's first fold (the
test people are not touched), `--set` varies a setting, and the outcome is printed, never written to the results.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np
from jobs import SPLITS, Job, run_job
from resumable import resumable
from rows import RESULTS, ROOT, Row, merge_rows
from tasks import Plan, known_rows, load_dataset_dir, load_plan, load_windows

from edgehar.datasets.splits import load_split
from edgehar.evaluate.metrics import mean_std

TEST_SELECTED = "TEST-SELECTED"


def main() -> int:
    arguments = parse()

    def work() -> None:
        plans = [changed(load_plan(name), arguments.set) for name in arguments.rows or known_rows()]
        plans = [replace(plan, seeds=tuple(arguments.seeds)) if arguments.seeds else plan for plan in plans]
        for plan in plans:
            results = run_all(jobs_of(plan, arguments), arguments.jobs)
            if arguments.inner:
                show_inner(plan, results)
                continue
            rows = rows_of(plan, results)
            for row in rows:
                print(f"{row.id}: {row.value:.2f} +- {row.std:.2f} % (n = {row.n})  {dict(row.extras)}", flush=True)
            if not arguments.seeds:
                merge_rows(RESULTS / "accuracy.jsonl", rows)

    return resumable("accuracy", work)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW_ID", help="rows to measure, such as acc.uci_har6.cnn")
    parser.add_argument("--all", action="store_true", help="measure every row that has a recipe")
    add_places(parser)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--inner", type=int, default=0, metavar="K", help="K folds inside the training people")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="vary a setting (with --inner)")
    parser.add_argument("--seeds", type=int, nargs="+", help="these seeds only; prints, does not write the row")
    arguments = parser.parse_args()
    if bool(arguments.rows) == arguments.all:
        parser.error(f"name rows or give --all; there are: {', '.join(known_rows())}")
    if arguments.set and not arguments.inner:
        parser.error("--set is for choosing a recipe: give --inner K too; rows come from committed recipes only")
    return arguments


def add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "imu", help="source data")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "accuracy", help="imports, checkpoints, results")


def changed(plan: Plan, changes: list[str]) -> Plan:
    return replace(plan, settings=plan.settings.changed(changes)) if changes else plan


def jobs_of(plan: Plan, arguments: argparse.Namespace) -> list[Job]:
    """All jobs of a plan; imports the dataset and cuts its windows first, so that no two workers do."""
    dataset = load_dataset_dir(plan.task, arguments.data, arguments.cache)
    load_windows(plan.task, dataset, arguments.cache)
    jobs = []
    for seed in plan.seeds:
        folds = arguments.inner or len(load_split(SPLITS / plan.task.split_file(seed)).folds)
        jobs += [Job(plan, dataset, arguments.cache, fold, seed, arguments.inner) for fold in range(folds)]
    return jobs


def run_all(jobs: list[Job], processes: int) -> list[dict[str, Any]]:
    """Results in the order of `jobs`; finished ones come from the cache."""
    found = {number: job.cached() for number, job in enumerate(jobs)}
    results = {number: result for number, result in found.items() if result is not None}
    missing = [number for number in found if number not in results]
    if not missing:
        return [results[number] for number in range(len(jobs))]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(missing)), mp_context=context) as pool:
        waiting = {pool.submit(run_job, jobs[number]): number for number in missing}
        try:
            for done in as_completed(waiting):
                number = waiting[done]
                results[number] = done.result()
                show_progress(jobs[number], results[number], len(results), len(jobs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[number] for number in range(len(jobs))]


def show_progress(job: Job, result: dict[str, Any], done: int, total: int) -> None:
    print(
        f"{job.plan.id} fold {job.fold} seed {job.seed}: {result['test']['accuracy']:.2f} % "
        f"in {result['seconds']:.0f} s ({done} of {total})",
        file=sys.stderr,
        flush=True,
    )


def show_inner(plan: Plan, results: list[dict[str, Any]]) -> None:
    summary = summarise(results, [result["test"]["accuracy"] for result in results])
    print(f"{plan.id} inside the training people: {summary}", flush=True)


def rows_of(plan: Plan, results: list[dict[str, Any]]) -> list[Row]:
    """The row of a finished plan and, where it was asked for, its test-selected twin from the same runs."""
    split = load_split(SPLITS / plan.task.split_file(plan.seeds[0]))
    stamps = sorted({stamp for result in results for stamp in result["stamps"]})
    scores = [("", [result["test"]["accuracy"] for result in results], stamps)]
    if plan.test_selected:
        best = [100 * max(probe["accuracy"] for probe in result["probe"]) for result in results]
        scores.append((".test_selected", best, [*stamps, TEST_SELECTED]))
    rows = []
    for suffix, values, marks in scores:
        summary = summarise(results, values)
        names = ("std_seeds", "std_folds", "seconds", "parameters", "rates", *(() if suffix else ("macro_f1",)))
        extras = {name: summary[name] for name in names if name in summary}
        row = Row(
            id=plan.id + suffix,
            value=summary["accuracy"]["mean"],
            unit="%",
            std=summary["accuracy"]["std"],
            n=summary["accuracy"]["n"],
            command=f"python benchmarks/accuracy.py {plan.id}",
            bundle_sha256="" if suffix else results[0].get("bundle_sha256", ""),
            split=split.name,
            extras={**extras, "title": plan.task.title, "model": plan.model, "stamps": marks, "note": plan.note},
        )
        rows.append(row)
    return rows


def summarise(results: list[dict[str, Any]], accuracies: list[float]) -> dict[str, Any]:
    """Mean over all runs; the spread over all runs, over seeds (of fold means) and over the folds within a seed."""
    groups: dict[int, list[float]] = {}
    for result, value in zip(results, accuracies, strict=True):
        groups.setdefault(result["seed"], []).append(value)
    summary: dict[str, Any] = {
        "accuracy": mean_std(accuracies),
        "macro_f1": mean_std([result["test"]["macro_f1"] for result in results])["mean"],
        "std_seeds": mean_std([float(np.mean(values)) for values in groups.values()])["std"],
        "seconds": round(sum(result["seconds"] for result in results)),
    }
    if all(len(values) > 1 for values in groups.values()):
        # A fold's number means other people under each seed where the seed draws the folds.
        summary["std_folds"] = float(np.mean([mean_std(values)["std"] for values in groups.values()]))
    if "parameters" in results[0]:
        summary["parameters"] = results[0]["parameters"]
    if results[0].get("rates"):
        summary["rates"] = {
            name: round(float(np.mean([result["rates"][name] for result in results])), 4)
            for name in results[0]["rates"]
        }
    return summary


if __name__ == "__main__":
    sys.exit(main())
