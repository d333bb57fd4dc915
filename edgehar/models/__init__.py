"""Model families, one file each; `MODELS` names them, `make_model` builds a torch one from a seed,
`restore_model` from a bundle.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgehar.errors import InputError, Reason, UsageError
from edgehar.registry import resolve
from edgehar.types import FloatArray

if TYPE_CHECKING:
    from edgehar.manifest import Manifest
    from edgehar.models.base import Model

MODELS: dict[str, str] = {
    "cnn": "edgehar.models.cnn:CNN",
    "csicnn": "edgehar.models.csicnn:CsiCNN",
    "csieffnet": "edgehar.models.csieffnet:CsiEffNet",
    "dscnn": "edgehar.models.dscnn:DSCNN",
    "fastgrnn": "edgehar.models.fastgrnn:FastGRNN",
    "fusion": "edgehar.models.fusion:Fusion",
    "gru": "edgehar.models.gru:GRU",
    "l2mu": "edgehar.models.l2mu:L2MU",
}
"""Torch models. The random forest (`edgehar.models.rf`) is a baseline of the desk: no bundle is made of it."""


def make_model(name: str, *, channels: int, classes: int, window: int, seed: int, **options: object) -> Model:
    """A fresh model whose initial weights depend on `seed` only. Unknown options raise UsageError."""
    import torch

    family = resolve("models", MODELS, name)
    taken = set(inspect.signature(family.build).parameters) - {"channels", "classes", "window"}
    unknown = sorted(set(options) - taken)
    if unknown:
        raise UsageError(
            f"model '{name}' has no option '{unknown[0]}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"its options are: {', '.join(sorted(taken)) or 'none'}",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Model = family.build(channels=channels, classes=classes, window=window, **options)
    return model


def restore_model(manifest: Manifest, weights: Mapping[str, FloatArray]) -> Model:
    """The trainable model that a bundle was exported from, in evaluation mode: the inverse of `Model.export`.

    Options that act in training only, such as dropout, come from the provenance where it names them.
    """
    import torch

    from edgehar.runtimes.layout import check_tensors

    check_tensors(manifest, weights)
    table = manifest.model
    family = resolve("models", MODELS, table["family"])
    told = manifest.provenance.get("options", {})
    options = {name: told[name] for name in family.training_options if name in told}
    try:
        with torch.random.fork_rng(devices=[]):
            model: Model = family.restore(table, weights, window=manifest.window, **options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"manifest.json: provenance.options {options} do not fit the model: {error}",
            reason=Reason.VALUE,
            hint="write the bundle again (edgehar train)",
        ) from None
    return model.eval()
