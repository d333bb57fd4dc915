"""The random forest beside an evaluation: trained on the people that the bundle was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgehar.bundle import Bundle
from edgehar.datasets.dataset import Dataset
from edgehar.errors import MissingError, Reason
from edgehar.evaluate.metrics import summarise
from edgehar.evaluate.run import same_people


def forest_beside(bundle: Bundle, dataset: Dataset, subjects: list[str], *, seed: int = 0) -> dict[str, Any]:
    """The `summarise` table of a forest on the same subjects, at the bundle's window and hop.

    Raises MissingError where the dataset does not hold the bundle's training people or all of its classes, or
    scikit-learn is absent.
    """
    from edgehar.models.rf import RandomForest
    from edgehar.train.classes import bundle_stream, cut_classes

    manifest = bundle.manifest
    provenance = manifest.provenance
    trained_on = {*provenance.get("train_subjects", ()), *provenance.get("validation_subjects", ())} - set(subjects)
    if not same_people(str(provenance.get("dataset", "")), dataset.name) or not trained_on & set(dataset.subjects):
        raise MissingError(
            f"{dataset.path} does not hold the people whom the bundle was trained on",
            reason=Reason.NOT_FOUND,
            hint="leave the forest out with --no-forest",
        )
    merged = provenance.get("classes", {})
    classes = {label: list(merged.get(label, [label])) for label in manifest.labels}
    absent = [old for olds in classes.values() for old in olds if old not in dataset.labels]
    if absent:
        raise MissingError(
            f"{dataset.path} has no label {', '.join(absent)}, which the bundle was trained on",
            reason=Reason.NOT_FOUND,
            hint="leave the forest out with --no-forest",
        )
    stream = bundle_stream(bundle, dataset)
    windows = cut_classes(dataset, window=manifest.window, hop=manifest.hop, classes=classes, stream=stream)
    train = windows.take(np.isin(windows.subject, sorted(trained_on)))
    test = windows.take(np.isin(windows.subject, subjects))
    probabilities = RandomForest().fit(train, seed=seed).probabilities(test)
    return summarise(
        test.y,
        probabilities.argmax(axis=1),
        test.labels,
        subject=test.subject,
        confidence=probabilities.max(axis=1),
    )
