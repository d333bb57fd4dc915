"""A run: one model trained on every fold of a split with several seeds, in a directory that resumes.

RUN/config.json                        what was asked for
RUN/fold0/seed0/checkpoint.safetensors  the training's state after its latest epoch; gone once it is done
RUN/fold0/seed0/MODEL.edgehar           the bundle
RUN/fold0/seed0/result.json             its figures on the fold's test subjects
RUN/fold0/forest.json                   the random forest on the same windows
RUN/MODEL.edgehar                       the chosen bundle
RUN/evaluation.json                     everything together
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgehar.bundle import save_bundle
from edgehar.datasets.audit import audit
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.splits import Indices, Split
from edgehar.datasets.uniform import UniformStream
from edgehar.datasets.windowset import WindowSet
from edgehar.datasets.worn import sensors_text
from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.evaluate.metrics import mean_std, summarise_confusion
from edgehar.train.bundling import SensorStream, make_bundle
from edgehar.train.classes import class_table
from edgehar.train.experiment import Parts, Trained, train_forest, train_network
from edgehar.train.run_config import RunConfig, choose_split, load_windows
from edgehar.train.supervised import Epoch

CHECKPOINT = "checkpoint.safetensors"


@dataclass(slots=True)
class Reporter:
    """What a run tells while it works; nothing by default. `began`: something that takes long and has no steps."""

    began: Callable[[str], None] = field(default=lambda _what: None)
    epoch: Callable[[int, int, Epoch], None] = field(default=lambda _fold, _seed, _epoch: None)
    finished: Callable[[str, Mapping[str, Any]], None] = field(default=lambda _what, _result: None)


def open_run(out: Path, config: RunConfig | None, *, resume: bool) -> RunConfig:
    """Make the run directory, or go on with the one that is there; refuses to mix two runs."""
    file = out / "config.json"
    if resume:
        if not file.exists():
            raise MissingError(
                f"there is no run to resume in {out}", reason=Reason.NOT_FOUND, hint="leave --resume out to start one"
            )
        try:
            asked = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{file} is damaged: {error}", reason=Reason.DAMAGED, hint="start the run again"
            ) from error
        return RunConfig.from_dict(asked, where=str(file))
    if config is None:
        raise UsageError(
            "a new run needs a dataset and a model", reason=Reason.VALUE, hint="give --dataset and --model"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        ours = f"go on with it: edgehar train --out {out} --resume; or " if file.is_file() else ""
        raise UsageError(f"{out} exists and is not empty", reason=Reason.EXISTS, hint=f"{ours}choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_json(file, config.to_dict())
    return config


def execute(config: RunConfig, out: Path, reporter: Reporter | None = None) -> dict[str, Any]:
    """Train what is not trained yet; returns what evaluation.json holds."""
    reporter = reporter or Reporter()
    dataset = Dataset.open(config.dataset)
    reporter.began("cut windows")
    windows = load_windows(config, dataset)
    split = choose_split(config, dataset)
    sensor = SensorStream.of(dataset, UniformStream.of(dataset, config.rate_hz, config.sensors))
    rows = [fold.indices(windows) for fold in split.folds]
    stamps = audited(windows, rows, split, allow_leaky=config.allow_leaky)
    stamps += ("SIMULATED",) if simulated(dataset) else ()
    runs: list[dict[str, Any]] = []
    forests: list[dict[str, Any]] = []
    for number, indices in enumerate(rows):
        parts = Parts.cut(windows, *indices, config.settings.recipe)
        whole = Parts.cut(windows, *indices)
        for seed in range(config.seeds):
            folder = out / f"fold{number}" / f"seed{seed}"
            job = _Job(config, dataset, split, sensor, number, seed, stamps, folder)
            runs.append(_cached(folder / "result.json", partial(job.train, parts, reporter)))
            (folder / CHECKPOINT).unlink(missing_ok=True)
            reporter.finished(f"{config.model} fold {number} seed {seed}", runs[-1])
        reporter.began(f"random forest, fold {number}")
        forest = _cached(out / f"fold{number}" / "forest.json", partial(train_forest, whole, seed=0))
        forests.append({"fold": number, "test": forest})
        reporter.finished(f"forest fold {number}", forests[-1])
    chosen = choose(runs)
    shutil.copyfile(out / chosen["folder"] / bundle_name(config), out / bundle_name(config))
    evaluation = {
        "model": config.model,
        "dataset": dataset.name,
        "split": split.name,
        "protocol": split.protocol,
        "stamps": list(stamps),
        **combine(runs),
        **_of_sensors("alone", {name: combine(_alone(runs, name)) for name in runs[0].get("alone", ())}),
        "forest": combine(forests),
        "chosen": {name: chosen[name] for name in ("fold", "seed", "by")} | {"bundle": bundle_name(config)},
        "runs": runs,
    }
    write_json(out / "evaluation.json", evaluation)
    return evaluation


def audited(windows: WindowSet, rows: Sequence[Indices], split: Split, *, allow_leaky: bool) -> tuple[str, ...]:
    """The stamps of a whole run, before anything is trained: a leak in the last fold costs no time in the first."""
    stamps: list[str] = []
    for train, validation, test in rows:
        # A recipe may give the validation people to training, so they count as trained on.
        trained = np.concatenate([train, validation])
        stamps += audit(windows, trained, test, split.protocol, allow_leaky=allow_leaky)
        if len(validation):
            stamps += audit(windows, train, validation, split.protocol, allow_leaky=allow_leaky)
    return tuple(dict.fromkeys(stamps))


def simulated(dataset: Dataset) -> bool:
    """Whether any recording was made by a simulator."""
    return any(spec.simulated for recording in dataset.recordings for spec in recording.open().specs.values())


@dataclass(frozen=True, slots=True)
class _Job:
    """One fold and one seed."""

    config: RunConfig
    dataset: Dataset
    split: Split
    sensor: SensorStream
    fold: int
    seed: int
    stamps: tuple[str, ...]
    folder: Path

    def train(self, parts: Parts, reporter: Reporter) -> dict[str, Any]:
        settings = self.config.settings
        trained = train_network(
            parts,
            self.config.model,
            settings.options,
            settings.recipe,
            seed=self.seed,
            checkpoint=self.folder / CHECKPOINT,
            progress=lambda epoch: reporter.epoch(self.fold, self.seed, epoch),
        )
        table = trained.test_table(parts.test)
        tables = {"test": table, **_of_sensors("alone", trained.alone_tables(parts.test))}
        bundle = make_bundle(
            trained,
            parts,
            self.sensor,
            model_id=f"{self.config.model}-{self.dataset.name}-fold{self.fold}-seed{self.seed}",
            provenance=self.provenance(parts),
            evaluation={**tables, "measured_by": "torch, on the windows of the test subjects"},
            stamps=self.stamps,
        )
        sha256 = save_bundle(bundle, self.folder / bundle_name(self.config))
        return {"fold": self.fold, "seed": self.seed, **figures(trained), "bundle_sha256": sha256, **tables}

    def provenance(self, parts: Parts) -> dict[str, Any]:
        return {
            "dataset": self.dataset.name,
            "licence": self.dataset.licence,
            "citation": self.dataset.citation,
            "split": self.split.name,
            "protocol": self.split.protocol,
            "fold": self.fold,
            "seed": self.seed,
            "classes": class_table(self.config.classes, parts.train.labels),
            **({"sensors": sensors_text(self.config.sensors)} if self.config.sensors else {}),
            **self.config.settings.to_dict(),
            "command": self.config.command,
        }


def figures(trained: Trained) -> dict[str, Any]:
    """How a training went, for its result file."""
    history = trained.fit.history
    return {
        "epochs": len(history),
        "chosen_epoch": trained.fit.chosen_epoch,
        "validation": history[trained.fit.chosen_epoch].validation,
        "temperature": trained.temperature,
        "calibrated": trained.calibrated,
        "seconds": round(trained.fit.seconds, 1),
        "history": [{"loss": epoch.loss, "validation": epoch.validation} for epoch in history],
    }


def choose(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run whose bundle is put forward: best on its validation subjects, never by test figures."""
    measured = [run for run in runs if run["validation"] is not None]
    best = max(measured, key=lambda run: run["validation"]) if measured else runs[0]
    by = "accuracy on validation subjects" if measured else "first fold and seed: nothing was held out to choose on"
    return {**best, "by": by, "folder": f"fold{best['fold']}/seed{best['seed']}"}


def combine(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over all runs; the confusion matrix and its per-class figures are pooled over them."""
    tables = [run["test"] for run in runs]
    pooled = np.sum([table["confusion"] for table in tables], axis=0)
    people: dict[str, list[float]] = {}
    for table in tables:
        for name, value in table["per_subject"].items():
            people.setdefault(name, []).append(value)
    per_subject = {name: round(float(np.mean(values)), 3) for name, values in sorted(people.items())}
    return {
        "accuracy": mean_std([table["accuracy"] for table in tables]),
        "macro_f1": mean_std([table["macro_f1"] for table in tables]),
        "per_subject": per_subject,
        "subject_spread": mean_std(list(per_subject.values())) | {"worst": min(per_subject.values())},
        "pooled": summarise_confusion(pooled, tables[0]["labels"]),
    }


def _alone(runs: list[dict[str, Any]], sensor: str) -> list[dict[str, Any]]:
    """The runs as the head decides that hears this sensor alone."""
    return [{**run, "test": run["alone"][sensor]} for run in runs]


def _of_sensors(name: str, tables: Mapping[str, Any]) -> dict[str, Any]:
    """An entry that only models of several sensors have."""
    return {name: dict(tables)} if tables else {}


def bundle_name(config: RunConfig) -> str:
    """File name of a run's bundles."""
    return f"{config.model}.edgehar"


def write_json(path: Path, table: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _cached(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the file holds, or what `make` returns, written there."""
    if path.exists():
        try:
            table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{path} is damaged: {error}", reason=Reason.DAMAGED, hint=f"remove it, and resume: rm {path}"
            ) from error
        return table
    made = make()
    write_json(path, made)
    return made
