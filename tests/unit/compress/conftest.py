"""Small bundles trained on toy people, with the dataset they come from."""

from __future__ import annotations

import pytest
import torch
from toys import write_toy_dataset

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.splits import hold_out
from edgehar.train.bundling import SensorStream, make_bundle
from edgehar.train.classes import cut_classes
from edgehar.train.experiment import Parts, train_network
from edgehar.train.recipe import Augment, Recipe

OPTIONS = {
    "cnn": {"width": 8, "width2": 8},
    "fastgrnn": {"hidden": 12, "rank_w": 3, "rank_u": 6},
    "l2mu": {"hidden": 16, "memory": 2, "order": 4, "pop": 4},
}


@pytest.fixture(scope="session")
def toy_dataset(tmp_path_factory):
    return Dataset.open(write_toy_dataset(tmp_path_factory.mktemp("toys") / "data").path)


@pytest.fixture(scope="session")
def toy_bundle(toy_dataset):
    """A function from family to a bundle trained on p0 to p2, chosen on p3, to be tested on p4 and p5."""
    made = {}

    def make(family):
        if family not in made:
            torch.set_num_threads(1)
            windows = cut_classes(toy_dataset, window=48, hop=16)
            fold = hold_out(toy_dataset, ("p4", "p5")).folds[0]
            recipe = Recipe(epochs=8, batch=16, lr=0.02, ema=0.9, compand=5.0, augment=Augment(scale=0.1))
            parts = Parts.cut(windows, *fold.indices(windows), recipe)
            trained = train_network(parts, family, OPTIONS[family], recipe, seed=0)
            provenance = {"dataset": toy_dataset.name, "recipe": recipe.to_dict(), "options": OPTIONS[family]}
            sensor = SensorStream.of(toy_dataset)
            made[family] = make_bundle(
                trained, parts, sensor, model_id=family, provenance=provenance, evaluation={"test": {}}
            )
        return made[family]

    return make
