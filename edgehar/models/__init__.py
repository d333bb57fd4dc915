"""Model families, one file each; `MODELS` names them, `make_model` builds a torch one from a seed."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from edgehar.errors import Reason, UsageError
from edgehar.registry import resolve

if TYPE_CHECKING:
    from edgehar.models.base import Model

MODELS: dict[str, str] = {
    "cnn": "edgehar.models.cnn:CNN",
    "dscnn": "edgehar.models.dscnn:DSCNN",
    "fastgrnn": "edgehar.models.fastgrnn:FastGRNN",
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
