"""Accuracy of the two-sensor model on DSADS, with both sensors and with either lost: `python benchmarks/fusion.py`.

Leave one subject out. Beside the fusion stand what one would have without it: a network of the same encoder trained on
the sensor that is left, one network on the channels of both, and random forests. Each training is recipes/fusion.*.toml
and cached as those of accuracy.py are, so that an interrupted command goes on where it stopped. Rows go to
results/fusion.jsonl; a lost sensor's row is what the lone head of the other says, which depends on nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import Any

from accuracy import add_places, jobs_of, run_all, summarise
from jobs import SPLITS
from resumable import resumable
from rows import RESULTS, Row, merge_rows
from tasks import Plan, load_plan

from edgehar.datasets.splits import load_split
from edgehar.evaluate.metrics import mean_std

FUSION = "fusion.dsads"
LOST = {"wrist": "leg", "leg": "wrist"}
"""A lost sensor -> the one whose lone head speaks then."""
PEERS = ("wrist_lost.cnn", "leg_lost.cnn", "both.cnn", "both.rf", "wrist_lost.rf", "leg_lost.rf")


def main() -> int:
    arguments = parse()

    def work() -> None:
        plan, results = trained(FUSION, arguments)
        lost = {sensor: [of_head(result, left) for result in results] for sensor, left in LOST.items()}
        report(row_of(plan, "both", results), *(row_of(plan, f"{s}_lost", heard) for s, heard in lost.items()))
        for name in PEERS:
            plan, results = trained(f"{FUSION}.{name}", arguments)
            report(row_of(plan, name, results))

    def report(*rows: Row) -> None:
        for row in rows:
            print(f"{row.id}: {row.value:.2f} +- {row.std:.2f} % (n = {row.n})  {dict(row.extras)}", flush=True)
        if not arguments.seeds:
            merge_rows(RESULTS / "fusion.jsonl", rows)

    return resumable("fusion", work)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_places(parser)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--seeds", type=int, nargs="+", help="these seeds only; prints, does not write the rows")
    return argparse.Namespace(**vars(parser.parse_args()), inner=0)


def trained(name: str, arguments: argparse.Namespace) -> tuple[Plan, list[dict[str, Any]]]:
    """The plan of recipes/NAME.toml and the results of its runs."""
    plan = load_plan(name)
    plan = replace(plan, seeds=tuple(arguments.seeds)) if arguments.seeds else plan
    return plan, run_all(jobs_of(plan, arguments), arguments.jobs)


def of_head(result: dict[str, Any], sensor: str) -> dict[str, Any]:
    """A run's result as the lone head of this sensor decides."""
    return {**result, "test": result["alone"][sensor]}


def row_of(plan: Plan, name: str, results: list[dict[str, Any]]) -> Row:
    """Mean over all runs; `std_subjects` is the spread of the people's means over the seeds."""
    summary = summarise(results, [result["test"]["accuracy"] for result in results])
    people: dict[str, list[float]] = {}
    for result in results:
        for person, value in result["test"]["per_subject"].items():
            people.setdefault(person, []).append(value)
    means = {person: round(sum(values) / len(values), 2) for person, values in sorted(people.items())}
    names = ("std_seeds", "macro_f1", "seconds", "parameters")
    return Row(
        id=f"{FUSION}.{name}",
        value=summary["accuracy"]["mean"],
        unit="%",
        std=summary["accuracy"]["std"],
        n=summary["accuracy"]["n"],
        command="python benchmarks/fusion.py",
        bundle_sha256=results[0].get("bundle_sha256", ""),
        split=load_split(SPLITS / plan.task.split_file(plan.seeds[0])).name,
        extras={
            **{key: summary[key] for key in names if key in summary},
            "std_subjects": mean_std(list(means.values()))["std"],
            "worst_subject": min(means.values()),
            "per_subject": means,
            "title": plan.task.title,
            "model": plan.model,
            "stamps": sorted({stamp for result in results for stamp in result["stamps"]}),
            "note": plan.note,
        },
    )


if __name__ == "__main__":
    sys.exit(main())
