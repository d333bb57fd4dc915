"""The people of a compression: fine-tuned on those whom the bundle was trained on, judged on those it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgehar.bundle import Bundle, check_contract
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.windowset import WindowSet
from edgehar.dsp.graph import Preprocess
from edgehar.errors import InputError, MissingError, Reason
from edgehar.evaluate.run import choose_subjects, same_people
from edgehar.train.bundling import SensorStream
from edgehar.train.classes import bundle_stream, cut_classes
from edgehar.train.normalise import Normaliser
from edgehar.train.run import simulated
from edgehar.types import StreamSpec


@dataclass(frozen=True, slots=True)
class Data:
    """Windows in physical units, and the bundle's own normaliser, which no step refits.

    `validation` are the people on whom the bundle's epoch or temperature was chosen, None where there are none.
    `stamps` are the bundle's, and what this data adds.
    """

    train: WindowSet
    validation: WindowSet | None
    test: WindowSet
    normaliser: Normaliser
    stamps: tuple[str, ...]

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        dataset: Dataset,
        *,
        subjects: Sequence[str] = (),
        allow_leaky: bool = False,
        windows: WindowSet | None = None,
    ) -> Data:
        """Divide a dataset as the bundle's provenance says. `windows`: those of `dataset` if they are cut already.

        `subjects` are tested instead of the bundle's test people. Raises LeakageError where one of them was trained
        on (`allow_leaky` stamps LEAKY instead), MissingError where nobody is there whom the bundle was trained on.
        """
        normaliser = bundle_normaliser(bundle, dataset)
        people, stamps = choose_subjects(bundle, dataset, subjects, allow_leaky=allow_leaky)
        trained_on = _trained_on(bundle, dataset)
        if windows is None:
            windows = _cut(bundle, dataset)
        sides = {name: windows.take(np.isin(windows.subject, sorted(who))) for name, who in trained_on.items()}
        test = windows.take(np.isin(windows.subject, sorted(people)))
        for name, side in (("the training people", sides["train"]), ("the test people", test)):
            if not len(side):
                raise InputError(
                    f"{dataset.path} holds no window of {name} with the bundle's labels",
                    reason=Reason.VALUE,
                    hint=f"look at the labels: edgehar data {dataset.path}",
                )
        stamps += ["SIMULATED"] if simulated(dataset) and "SIMULATED" not in stamps else []
        validation = sides["validation"] if len(sides["validation"]) else None
        return cls(sides["train"], validation, test, normaliser, tuple(stamps))


def bundle_normaliser(bundle: Bundle, dataset: Dataset) -> Normaliser:
    """The part of the bundle's preprocessing that the dataset's windows have not gone through yet."""
    manifest = bundle.manifest
    sensor = SensorStream.of(dataset, bundle_stream(bundle, dataset))
    contract = sensor.contract
    spec = StreamSpec(contract.kind, contract.channels, contract.rate_hz, contract.units, axes=contract.axes)
    check_contract(spec, manifest.contract)
    done = len(sensor.ops)
    if [op["op"] for op in manifest.preprocess[:done]] != [op["op"] for op in sensor.ops]:
        raise _other_preprocessing(manifest.preprocess)
    channels = Preprocess(sensor.ops, contract.channels).channels_out
    return _normaliser(manifest.preprocess[done:], channels)


def _normaliser(ops: Sequence[Mapping[str, Any]], channels: Sequence[str]) -> Normaliser:
    """The inverse of `Normaliser.ops`, checked by applying it again."""
    settings: dict[str, Any] = {"gain": np.zeros(0, np.float32)}
    try:
        for op in ops:
            if op["op"] == "normalize":
                settings |= {name: np.array(op[name], np.float32) for name in ("mean", "std")}
                settings["gain"] = np.zeros(len(op["mean"]), np.float32)
            elif op["op"] == "compand":
                settings["gain"] = np.array(op["gain"], np.float32)
            elif op["op"] == "concat" and op["parts"][1][0]["op"] == "magnitude":
                groups = op["parts"][1][0]["groups"]
                settings["triads"] = tuple(tuple(list(channels).index(name) for name in group) for group in groups)
            elif op["op"] == "concat":
                picked = op["parts"][1][0]["channels"]
                settings["rectified"] = tuple(list(channels).index(name) for name in picked)
        found = Normaliser(**settings)
        again = found.ops(channels)
    except (KeyError, IndexError, TypeError, ValueError):
        raise _other_preprocessing(ops) from None
    if again != [dict(op) for op in ops] or len(found.mean) != len(channels) + len(found.triads):
        raise _other_preprocessing(ops)
    return found


def _other_preprocessing(ops: Sequence[Mapping[str, Any]]) -> InputError:
    return InputError(
        f"the bundle's preprocessing {[op.get('op') for op in ops]} is not what training would put behind this dataset",
        reason=Reason.CONTRACT,
        hint="name the dataset that the bundle was trained on",
    )


def _trained_on(bundle: Bundle, dataset: Dataset) -> dict[str, set[str]]:
    """Training and validation people who are in the dataset."""
    provenance = bundle.manifest.provenance
    here = set(dataset.subjects) if same_people(str(provenance.get("dataset", "")), dataset.name) else set()
    sides = {name: here & set(provenance.get(f"{name}_subjects", ())) for name in ("train", "validation")}
    if not sides["train"]:
        raise MissingError(
            f"{dataset.path} does not hold the people whom the bundle was trained on "
            f"(those of '{provenance.get('dataset', '')}')",
            reason=Reason.NOT_FOUND,
            hint="name the dataset that the bundle was trained on",
        )
    return sides


def _cut(bundle: Bundle, dataset: Dataset) -> WindowSet:
    manifest = bundle.manifest
    merged = manifest.provenance.get("classes", {})
    classes = {label: list(merged.get(label, [label])) for label in manifest.labels}
    stream = bundle_stream(bundle, dataset)
    return cut_classes(dataset, window=manifest.window, hop=manifest.hop, classes=classes, stream=stream)
