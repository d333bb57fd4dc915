"""One fold and one seed: train on its training subjects, measure on its test subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgehar.bundle import Contract, Manifest
from edgehar.contract import of_head, sensors_named
from edgehar.datasets.windowset import WindowSet
from edgehar.decide import softmax
from edgehar.errors import InputError, UsageError
from edgehar.evaluate.calibrate import fit_temperature
from edgehar.evaluate.metrics import accuracy, confusion_matrix, macro_f1, summarise
from edgehar.manifest import SEVERAL_SENSORS
from edgehar.models import make_model
from edgehar.models.base import Model
from edgehar.models.rf import RandomForest
from edgehar.runtimes.layout import check_tensors
from edgehar.train.normalise import input_sensors, inputs_seen
from edgehar.train.recipe import Recipe
from edgehar.train.supervised import Epoch, FitResult, Probe, fit
from edgehar.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Parts:
    """A fold's windows. validation are held-out training subjects, or None where all of them are trained on."""

    train: WindowSet
    validation: WindowSet | None
    test: WindowSet

    @classmethod
    def cut(
        cls, windows: WindowSet, train: IntArray, validation: IntArray, test: IntArray, recipe: Recipe | None = None
    ) -> Parts:
        """Rows of a window set; a recipe that trains on validation subjects, or no recipe, merges them."""
        if recipe is None or recipe.train_on_validation:
            train, validation = np.sort(np.concatenate([train, validation])), validation[:0]
        return cls(windows.take(train), windows.take(validation) if len(validation) else None, windows.take(test))


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model with what it says about the windows it never saw, logits [n, heads k]."""

    fit: FitResult
    test_logits: FloatArray
    validation_logits: FloatArray | None
    temperature: float

    @property
    def calibrated(self) -> bool:
        return self.validation_logits is not None

    def test_table(self, test: WindowSet, head: int = 0) -> dict[str, Any]:
        """The `summarise` table on the test subjects; the first head is the one that hears all sensors."""
        logits = of_head(self.test_logits, len(test.labels), head)
        confidence = softmax(logits, self.temperature).max(axis=1)
        return summarise(test.y, logits.argmax(axis=1), test.labels, subject=test.subject, confidence=confidence)

    def alone_tables(self, test: WindowSet) -> dict[str, dict[str, Any]]:
        """The same for each sensor, as the head decides that hears it alone; empty for a model of one head."""
        if self.test_logits.shape[1] == len(test.labels):
            return {}
        return {s.name: self.test_table(test, head) for head, s in enumerate(sensors_named(test.channels), 1)}


def train_network(
    parts: Parts,
    name: str,
    options: Mapping[str, object],
    recipe: Recipe,
    *,
    seed: int,
    checkpoint: Path | None = None,
    probe_test: bool = False,
    progress: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Build, train, calibrate and measure a network. `probe_test` records test figures per epoch, for stamped rows."""
    train = parts.train
    wiring = {"sensor": input_sensors(train.channels, recipe)} if name in SEVERAL_SENSORS else {}
    model = make_model(
        name,
        channels=inputs_seen(train.channels, recipe),
        classes=len(train.labels),
        window=train.window,
        seed=seed,
        **wiring,
        **options,
    )
    check_runs(model, train)
    result = fit(
        model,
        train,
        recipe,
        seed=seed,
        validation=parts.validation,
        probe=test_probe(parts.test) if probe_test else None,
        checkpoint=checkpoint,
        progress=progress,
    )
    validation_logits = None if parts.validation is None else result.logits(parts.validation)
    temperature = 1.0
    if parts.validation is not None and validation_logits is not None:
        temperature = fit_temperature(of_head(validation_logits, len(train.labels)), parts.validation.y)
    return Trained(result, result.logits(parts.test), validation_logits, temperature)


def check_runs(model: Model, train: WindowSet) -> None:
    """Refuse, before hours of training, a model that could not stream at this window and hop."""
    table, tensors = model.export()
    sensors = sensors_named(train.channels) if table["family"] in SEVERAL_SENSORS else ()
    contract = Contract("", train.channels, train.units, train.rate_hz, sensors=sensors)
    manifest = Manifest("untrained", contract, train.window, train.hop, train.labels, table)
    try:
        check_tensors(manifest, tensors)
    except InputError as error:
        raise UsageError(
            f"no runtime could stream this model: {error}",
            reason=error.reason,
            hint="choose another --window or --hop, or other model options: --set options.NAME=VALUE",
        ) from None


def test_probe(test: WindowSet) -> Probe:
    """A probe that measures accuracy and macro F1 on the test windows, as fractions."""

    def probe(logits: Callable[[FloatArray], FloatArray]) -> dict[str, float]:
        classes = len(test.labels)
        confusion = confusion_matrix(test.y, of_head(logits(test.x), classes).argmax(axis=1), classes)
        return {"accuracy": accuracy(confusion), "macro_f1": macro_f1(confusion)}

    return probe


def train_forest(parts: Parts, *, seed: int) -> dict[str, Any]:
    """The `summarise` table of a random forest trained on all training subjects, validation ones included."""
    forest = RandomForest().fit(parts.train, seed=seed)
    probabilities = forest.probabilities(parts.test)
    return summarise(
        parts.test.y,
        probabilities.argmax(axis=1),
        parts.test.labels,
        subject=parts.test.subject,
        confidence=probabilities.max(axis=1),
    )
