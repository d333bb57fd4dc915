"""Fine-tuning: how a compressed network is trained on until it is good again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch

from edgehar.bundle import Bundle
from edgehar.compress.data import Data
from edgehar.compress.sparsity import OneShot, present
from edgehar.models import restore_model
from edgehar.models.base import Model
from edgehar.train.constraint import Constraint
from edgehar.train.recipe import Recipe
from edgehar.train.supervised import Epoch, fit

_SHARED = Recipe(schedule="cosine", warmup=0.1, ema=0.99)
# Peak learning rates are those with which 90 and 95 % sparse networks came back to the highest accuracy on their own
# training people in a few epochs: higher than one would take for a dense network that is already trained.
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "cnn": replace(_SHARED, epochs=10, lr=5e-3, weight_decay=0.05, label_smoothing=0.1),
        "csicnn": replace(_SHARED, epochs=10, lr=5e-3, weight_decay=0.05, label_smoothing=0.1),
        "csieffnet": replace(_SHARED, epochs=10, lr=5e-3, weight_decay=0.05, label_smoothing=0.1),
        "dscnn": replace(_SHARED, epochs=10, lr=5e-3, weight_decay=0.05, label_smoothing=0.1),
        "fastgrnn": replace(_SHARED, epochs=20, lr=1e-2, weight_decay=0.01, clip_norm=1.0),
        "fusion": replace(_SHARED, epochs=10, lr=5e-3, weight_decay=0.05, label_smoothing=0.1),
        "gru": replace(_SHARED, epochs=10, lr=3e-3, weight_decay=0.01, clip_norm=1.0),
        "l2mu": replace(_SHARED, epochs=10, lr=4e-3, weight_decay=0.05, clip_norm=1.0, label_smoothing=0.1),
    }
)
RENORMALISE_ON = 1024
"""Training windows that give the batch normalisations their statistics."""


def recipe_for(bundle: Bundle, density_left: float, epochs: int | None = None) -> Recipe:
    """The family's recipe with the bundle's augmentation; weight decay shrinks with the density that will be left."""
    provenance = bundle.manifest.provenance
    told = provenance.get("recipe", {})
    kept = {name: told[name] for name in ("augment",) if name in told}
    recipe = RECIPES[bundle.manifest.model["family"]]
    return replace(
        recipe,
        epochs=recipe.epochs if epochs is None else epochs,
        weight_decay=recipe.weight_decay * density_left,
        augment=Recipe.from_dict(kept, where="manifest.json: provenance.recipe").augment,
    )


def trainable(bundle: Bundle, data: Data) -> Model:
    """The bundle's network with its batch normalisations back between the convolutions."""
    model = restore_model(bundle.manifest, bundle.weights)
    some = np.unique(np.linspace(0, len(data.train) - 1, RENORMALISE_ON).round().astype(np.int64))
    model.renormalise(torch.from_numpy(data.normaliser(data.train.x[some])))
    return model


def fine_tune(
    model: Model,
    data: Data,
    recipe: Recipe,
    *,
    seed: int,
    constraint: Constraint | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> Model:
    """Train a `trainable` model on, on the training people only, and return it with the chosen weights.

    Zeros that it has stay zeros, unless another constraint says what to hold.
    """
    constraint = constraint or OneShot(present(model))
    if isinstance(constraint, OneShot):
        constraint.impose(model)
    recipe = replace(recipe, select="none" if data.validation is None else "best-validation")
    return fit(
        model,
        data.train,
        recipe,
        seed=seed,
        validation=data.validation,
        progress=progress,
        normaliser=data.normaliser,
        constraint=constraint,
    ).model
