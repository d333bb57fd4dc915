"""One job: a plan's model, trained on one fold with one seed; its result is cached as JSON beside its bundle."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tasks import Plan, load_windows

from edgehar.bundle import save_bundle
from edgehar.datasets.audit import audit
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.splits import GroupFold, Split, load_split
from edgehar.datasets.uniform import UniformStream
from edgehar.datasets.windowset import WindowSet
from edgehar.datasets.worn import sensors_text
from edgehar.train.bundling import SensorStream, make_bundle
from edgehar.train.classes import class_table
from edgehar.train.experiment import Parts, Trained, train_forest, train_network

SPLITS = Path(__file__).parent / "splits"
RATE_WINDOWS = 1024
"""Spike rates are averaged over at most this many test windows."""


@dataclass(frozen=True, slots=True)
class Job:
    """Everything a worker process needs. `inner` > 0: the fold is one of that many inside the training subjects."""

    plan: Plan
    dataset: Path
    cache: Path
    fold: int
    seed: int
    inner: int = 0

    @property
    def stem(self) -> Path:
        """Path of the job's files, less their suffix."""
        inner = f"inner{self.inner}_" if self.inner else ""
        folder = f"{self.plan.task.name}_{self.plan.model}_{self.plan.key(self.seed)}"
        return self.cache / "runs" / folder / f"{inner}fold{self.fold}_seed{self.seed}"

    def cached(self) -> dict[str, Any] | None:
        """The result of an earlier run."""
        path = self.stem.with_suffix(".json")
        if not path.exists():
            return None
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return result


def run_job(job: Job) -> dict[str, Any]:
    """Train and measure, going on from a checkpoint where there is one; called in a process of its own."""
    import torch

    torch.set_num_threads(1)
    done = job.cached()
    if done is not None:
        return done
    started = time.perf_counter()
    windows = load_windows(job.plan.task, job.dataset, job.cache)
    split = load_split(SPLITS / job.plan.task.split_file(job.seed))
    train, validation, test = rows(split, windows, job)
    stamps = audit(windows, np.concatenate([train, validation]), test, split.protocol)
    recipe = None if job.plan.model == "rf" else job.plan.settings.recipe
    parts = Parts.cut(windows, train, validation, test, recipe)
    job.stem.parent.mkdir(parents=True, exist_ok=True)
    if recipe is None:
        result: dict[str, Any] = {"test": train_forest(parts, seed=job.seed)}
    else:
        result = _train_network(job, parts, split, stamps)
    result = {"fold": job.fold, "seed": job.seed, **result, "stamps": list(stamps)}
    result.setdefault("seconds", time.perf_counter() - started)
    _write(job.stem.with_suffix(".json"), result)
    job.stem.with_suffix(".safetensors").unlink(missing_ok=True)
    return result


def rows(split: Split, windows: WindowSet, job: Job) -> tuple[Any, Any, Any]:
    """Window rows for training, validation and test; an inner job tests on training people or windows only."""
    if not job.inner:
        return split.folds[job.fold].indices(windows)
    fold = split.folds[0]
    if isinstance(fold, GroupFold):
        return inner_fold(fold, job.inner, job.fold).indices(windows)
    train, validation, _ = split.folds[job.fold % len(split.folds)].indices(windows)
    return train, validation[:0], validation


def inner_fold(outer: GroupFold, parts: int, part: int) -> GroupFold:
    """Fold `part` of `parts` inside the training people of `outer`, for choosing recipes.

    The next part's people are its validation subjects.
    """
    people = np.random.default_rng(0).permutation(sorted({*outer.train, *outer.validation}))
    groups = [tuple(group.tolist()) for group in np.array_split(people, parts)]
    validation = groups[(part + 1) % parts]
    train = [name for group in groups for name in group if group not in (groups[part], validation)]
    return GroupFold(tuple(train), validation, groups[part], outer.by)


def _train_network(job: Job, parts: Parts, split: Split, stamps: tuple[str, ...]) -> dict[str, Any]:
    plan = job.plan
    trained = train_network(
        parts,
        plan.model,
        plan.settings.options,
        plan.settings.recipe,
        seed=job.seed,
        checkpoint=job.stem.with_suffix(".safetensors"),
        probe_test=plan.test_selected and not job.inner,
    )
    table = trained.test_table(parts.test)
    rates = spike_rates(trained, parts.test)
    alone = trained.alone_tables(parts.test)
    history = [epoch.probe for epoch in trained.fit.history if epoch.probe is not None]
    result: dict[str, Any] = {
        "test": table,
        "epochs": len(trained.fit.history),
        "chosen_epoch": trained.fit.chosen_epoch,
        "temperature": trained.temperature,
        "calibrated": trained.calibrated,
        "rates": rates,
        **({"alone": alone} if alone else {}),
        "parameters": sum(p.numel() for p in trained.fit.model.parameters()),
        "seconds": trained.fit.seconds,
        "history": [{"loss": e.loss, "validation": e.validation} for e in trained.fit.history],
    }
    if history:
        result["probe"] = [dict(probe) for probe in history]
    if not job.inner:
        result["bundle_sha256"] = _save(job, trained, parts, split, stamps)
    return result


def _save(job: Job, trained: Trained, parts: Parts, split: Split, stamps: tuple[str, ...]) -> str:
    plan, dataset = job.plan, Dataset.open(job.dataset)
    bundle = make_bundle(
        trained,
        parts,
        SensorStream.of(dataset, UniformStream.of(dataset, plan.task.rate_hz, plan.task.sensors)),
        model_id=f"{plan.task.name}-{plan.model}-fold{job.fold}-seed{job.seed}",
        provenance={
            "dataset": split.dataset,
            "licence": dataset.licence,
            "citation": dataset.citation,
            "split": split.name,
            "protocol": split.protocol,
            "fold": job.fold,
            "seed": job.seed,
            "classes": class_table(plan.task.classes, parts.train.labels),
            **({"sensors": sensors_text(plan.task.sensors)} if plan.task.sensors else {}),
            "options": dict(plan.settings.options),
            "recipe": plan.settings.recipe.to_dict(),
            "command": f"python benchmarks/accuracy.py {plan.id}",
        },
        evaluation={"test": trained.test_table(parts.test)},
        stamps=stamps,
    )
    return save_bundle(bundle, job.stem.with_suffix(".edgehar"))


def spike_rates(trained: Trained, test: WindowSet) -> dict[str, float]:
    """Mean spike rate of every population on evenly spread test windows; empty for models that do not spike."""
    import torch

    chosen = np.unique(np.linspace(0, len(test) - 1, RATE_WINDOWS).round().astype(np.int64))
    x = torch.from_numpy(trained.fit.normaliser(test.x[chosen]))
    with torch.no_grad():
        return trained.fit.model.rates(x)


def _write(path: Path, result: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(path)
