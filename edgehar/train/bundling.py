"""From a trained network to the one file that a board runs."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgehar import __version__
from edgehar.bundle import Bundle, Contract, Decision, Manifest
from edgehar.contract import sensors_named
from edgehar.datasets.chains import chain
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.uniform import UniformStream, first_spec
from edgehar.datasets.windowset import WindowSet
from edgehar.dsp.graph import Preprocess
from edgehar.errors import InputError, Reason
from edgehar.manifest import SEVERAL_SENSORS
from edgehar.runtimes.digests import with_digests
from edgehar.train.experiment import Parts, Trained
from edgehar.train.supervised import predict
from edgehar.types import FloatArray

GOLDEN_WINDOWS = 256
VERSIONED = ("torch", "numpy", "numba", "snntorch", "scikit-learn")


@dataclass(frozen=True, slots=True)
class SensorStream:
    """What a dataset's windows came through: the stream's contract and the operations applied to it."""

    contract: Contract
    ops: tuple[Mapping[str, Any], ...]
    min_coverage: float = Decision().min_coverage

    @classmethod
    def of(cls, dataset: Dataset, stream: UniformStream | None = None) -> SensorStream:
        """The contract of the raw stream, and the filter chain that the dataset's recordings already went through.

        `stream`: what the windows were cut from, where that is not the recordings as they stand.
        """
        spec = first_spec(dataset)
        if stream is None:
            stream = UniformStream(spec.channels, spec.units, spec.rate_hz)
        channels, units = stream.channels, stream.units
        ops: tuple[Mapping[str, Any], ...] = ()
        if dataset.applied_preprocess:
            applied = chain(dataset.applied_preprocess)
            channels, units, ops = applied.channels, applied.units, applied.operations
        delay = Preprocess(ops, channels).delay
        placements = {recording.placement for recording in dataset.recordings}
        if stream.worn is not None:
            placements = {stream.worn.placement}
        contract = Contract(
            kind=spec.kind,
            channels=channels,
            units=units,
            rate_hz=stream.rate_hz,
            axes=spec.axes,
            placement=placements.pop() if len(placements) == 1 else "",
            rate_tolerance=stream.rate_tolerance,
            delay_samples=delay,
        )
        return cls(contract, ops, stream.min_coverage)


def make_bundle(
    trained: Trained,
    parts: Parts,
    sensor: SensorStream,
    *,
    model_id: str,
    provenance: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    stamps: tuple[str, ...] = (),
) -> Bundle:
    """Weights, preprocessing, contract and golden windows of real people, preferably ones it was not trained on."""
    train = parts.train
    filtered = Preprocess(sensor.ops, sensor.contract.channels).channels_out
    table, tensors = trained.fit.model.export()
    unseen = parts.validation if parts.validation is not None else parts.test
    contract = sensor.contract
    if table["family"] in SEVERAL_SENSORS:
        contract = replace(contract, sensors=sensors_named(contract.channels))
    manifest = Manifest(
        model_id=model_id,
        contract=contract,
        window=train.window,
        hop=train.hop,
        labels=train.labels,
        model=table,
        preprocess=(*sensor.ops, *trained.fit.normaliser.ops(filtered)),
        decision=Decision(temperature=trained.temperature, min_coverage=sensor.min_coverage),
        provenance={**provenance, **people(parts), "versions": versions(), "calibration": calibration(trained)},
        stamps=stamps,
    )
    return with_digests(Bundle(manifest, tensors, golden(trained, unseen if len(unseen) else train), evaluation))


def golden(trained: Trained, windows: WindowSet) -> dict[str, FloatArray]:
    """Evenly spread windows as the runtime sees them, with torch's logits."""
    rows = np.unique(np.linspace(0, len(windows) - 1, GOLDEN_WINDOWS).round().astype(np.int64))
    x = trained.fit.normaliser(windows.x[rows])
    logits = predict(trained.fit.model, x)
    if not np.isfinite(logits).all():
        raise InputError(
            "the trained model gives logits that are not finite",
            reason=Reason.VALUE,
            hint="lower the recipe's lr or set clip_norm = 1.0",
        )
    return {"x": x, "logits": logits}


def people(parts: Parts) -> dict[str, list[str]]:
    """Who was trained on, who was held out for selection and calibration, who was tested.

    Where people are on both sides, because a session or a room was held out, the tested recordings are named too.
    """
    sides = {
        "train_subjects": subjects(parts.train),
        "validation_subjects": [] if parts.validation is None else subjects(parts.validation),
        "test_subjects": subjects(parts.test),
    }
    seen = {*sides["train_subjects"], *sides["validation_subjects"]}
    tested = sorted(set(parts.test.recording.tolist()))
    if seen.isdisjoint(sides["test_subjects"]) or not set(tested).isdisjoint(parts.train.recording.tolist()):
        return sides
    return {**sides, "test_recordings": tested}


def subjects(windows: WindowSet) -> list[str]:
    """Everybody in a window set, sorted."""
    return [str(name) for name in np.unique(windows.subject)]


def calibration(trained: Trained) -> str:
    """How the temperature came about, in words."""
    if trained.calibrated:
        return "temperature fitted on the validation subjects"
    return "temperature 1: the recipe keeps no validation subjects out of training"


def versions() -> dict[str, str]:
    """Versions of what the weights depend on."""
    found = {"edgehar": __version__, "python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
