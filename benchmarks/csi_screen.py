"""Try CSI recipes on training people and sessions only: `python benchmarks/csi_screen.py [TRIAL... | --all]`.

csi_trials.toml lists the sets and what was tried on each. One fold of a set's split is left untouched; of the others,
each one's test people (or sessions) are tested in turn on a model trained on the rest of them. Rows go to
results/csi_screen.jsonl, one per trial, `persons` or `sessions` in the order of the folds; nothing else reads them but
`--table`, which prints them as docs/csi-training.md shows them. Runs are cached as those of accuracy.py are.

`--on SET --set KEY=VALUE...` tries something once, prints it and writes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np
from accuracy import add_places
from jobs import SPLITS
from resumable import resumable
from rows import RESULTS, Row, merge_rows, read_rows
from tasks import HERE, Plan, load_dataset_dir, load_task, load_windows

from edgehar.datasets.splits import GroupFold, load_split
from edgehar.datasets.windowset import WindowSet
from edgehar.errors import InputError, Reason
from edgehar.train.experiment import Parts, train_network
from edgehar.train.settings import Settings

ROWS = RESULTS / "csi_screen.jsonl"


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe on one set: the set's `base` with changes. `untouched` is the number of the fold that is kept away."""

    name: str
    about: str
    untouched: int
    plan: Plan

    @property
    def id(self) -> str:
        return f"screen.{self.name}"


def main() -> int:
    arguments = parse()
    trials = load_trials(HERE / "csi_trials.toml")
    if arguments.table:
        print("\n".join(table(trials)))
        return 0
    chosen = [trial for trial in trials.values() if arguments.all or trial.name in arguments.trials]
    if arguments.on:
        base = trials[f"{arguments.on}.base"]
        plan = replace(base.plan, settings=base.plan.settings.changed(arguments.set))
        chosen = [replace(base, name=f"{arguments.on}.once", about=" ".join(arguments.set), plan=plan)]

    def work() -> None:
        unknown = sorted(set(arguments.trials) - set(trials))
        if unknown:
            raise InputError(
                f"no trial {unknown[0]}", reason=Reason.UNKNOWN_NAME, hint=f"choose from: {', '.join(trials)}"
            )
        for trial in chosen:
            row = measure(trial, arguments.data, arguments.cache)
            print(f"{row.id}: {row.value:.1f} %, folds {row.extras['folds']}  ({trial.about})", flush=True)
            if not arguments.on:
                merge_rows(ROWS, [row])

    return resumable("csi_screen", work)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help="trials of csi_trials.toml, such as fition6.base")
    parser.add_argument("--all", action="store_true", help="every trial")
    parser.add_argument("--table", action="store_true", help="print the rows there are as Markdown")
    parser.add_argument("--on", metavar="SET", help="try --set once on this set; prints only")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a change of the set's base")
    add_places(parser)
    return parser.parse_args()


def load_trials(path: Path) -> dict[str, Trial]:
    """Trials by name, SET.TRIAL, in the order of the file."""
    trials = {}
    for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
        base = Settings.from_dict({key: table[key] for key in ("options", "recipe")}, where=f"{path}: {name}")
        task = load_task(table["task"])
        for trial, entry in table["trials"].items():
            settings = base.changed(entry.get("set", []))
            plan = Plan(f"screen.{name}.{trial}", task, entry.get("model", "csicnn"), settings, tuple(table["seeds"]))
            trials[f"{name}.{trial}"] = Trial(f"{name}.{trial}", entry["about"], table["untouched"], plan)
    return trials


def measure(trial: Trial, data: Path, cache: Path) -> Row:
    """Train and test every fold with every seed."""
    plan = trial.plan
    windows = load_windows(plan.task, load_dataset_dir(plan.task, data, cache), cache)
    accuracies = np.array(
        [
            [_run(trial, windows, fold, seed, cache) for fold in folds(plan, trial.untouched, seed)]
            for seed in plan.seeds
        ]
    )
    return Row(
        id=trial.id,
        value=float(accuracies.mean()),
        unit="%",
        std=float(accuracies.mean(axis=1).std(ddof=1)) if len(plan.seeds) > 1 else 0.0,
        n=accuracies.size,
        command=f"python benchmarks/csi_screen.py {trial.name}",
        split=load_split(SPLITS / plan.task.split_file(plan.seeds[0])).name,
        extras={"folds": np.round(accuracies.mean(axis=0), 1).tolist(), "about": trial.about, "model": plan.model},
    )


def folds(plan: Plan, untouched: int, seed: int) -> Iterator[GroupFold]:
    """Leave one group out among the test groups of all folds but the untouched one."""
    split = load_split(SPLITS / plan.task.split_file(seed))
    groups = [fold for number, fold in enumerate(split.folds) if number != untouched]
    for left_out in groups:
        if isinstance(left_out, GroupFold):
            train = [n for fold in groups if isinstance(fold, GroupFold) and fold is not left_out for n in fold.test]
            yield GroupFold(tuple(train), (), left_out.test, left_out.by)


def _run(trial: Trial, windows: WindowSet, fold: GroupFold, seed: int, cache: Path) -> float:
    """Accuracy in percent on the group left out; what was measured before comes from the cache."""
    plan = trial.plan
    key = hashlib.sha256(json.dumps([plan.key(seed), fold.json(), seed]).encode()).hexdigest()[:16]
    path = cache / "screen" / f"{plan.task.name}_{key}.json"
    if not path.exists():
        import torch

        torch.set_num_threads(1)
        train, validation, test = fold.indices(windows)
        parts = Parts.cut(windows, train, validation, test, plan.settings.recipe)
        trained = train_network(parts, plan.model, plan.settings.options, plan.settings.recipe, seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(trained.test_table(parts.test)), encoding="utf-8")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return float(found["accuracy"])


def table(trials: dict[str, Trial]) -> list[str]:
    """The rows as Markdown, a line for each trial that has one."""
    rows = read_rows(ROWS)
    lines = ["| trial | what | mean % | left out, one by one % |", "|---|---|--:|---|"]
    for trial in trials.values():
        if trial.id in rows:
            row = rows[trial.id]
            each = ", ".join(f"{value:.1f}" for value in row["folds"])
            lines.append(f"| `{trial.name}` | {trial.about} | {row['value']:.1f} | {each} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
