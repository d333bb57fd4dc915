"""Quantisation-aware training: a few more epochs with weights, inputs and states on the grids of their integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from edgehar.bundle import Bundle
from edgehar.compress.calibration import choose
from edgehar.compress.finetune import fine_tune, recipe_for
from edgehar.compress.graphnet import GraphNet
from edgehar.compress.quantise import Quantise, calibration_windows, recalibrated, with_quant
from edgehar.compress.steps import Context
from edgehar.models.base import Model
from edgehar.runtimes.lowered import graph_of

GENTLE = 0.25
"""Of a pruned network's learning rate: nothing was taken away that other weights must learn to do instead."""


@dataclass(frozen=True, slots=True)
class QAT:
    """Train on with the ranges that `Quantise` would choose, then run in integers with those ranges.

    Fields as in `Quantise`. Zeros of an earlier pruning stay. Of a spiking model only the ranges can be chosen.
    """

    name: ClassVar[str] = "qat"
    scheme: str = "int8"
    calibration: str = "search"
    per_channel: str = "conv"
    windows: int = 512

    def __post_init__(self) -> None:
        self.post_training()

    def post_training(self) -> Quantise:
        """The same without training."""
        return Quantise(self.scheme, self.calibration, self.per_channel, self.windows)

    def apply(self, context: Context) -> Bundle:
        bundle = context.bundle
        context.restore()  # refuses what is quantised already
        x = calibration_windows(context, self.windows)
        quant = choose(graph_of(bundle), x, self.scheme, self.calibration, self.per_channel).quant
        manifest = bundle.manifest
        net: Model = GraphNet.restore(manifest.model, bundle.weights, window=manifest.window, quant=quant)
        if context.epochs != 0:
            recipe = recipe_for(bundle, 1.0, context.epochs)
            recipe = replace(recipe, lr=GENTLE * recipe.lr)
            net = fine_tune(net, context.data, recipe, seed=context.seed, progress=lambda _: context.tick())
            told = f"{quant['calibration']}, then {recipe.epochs} epochs of training on the grid"
            quant = {**quant, "calibration": told}
        table, tensors = net.export()
        trained = replace(bundle, manifest=replace(manifest, model=table), weights=tensors)
        return recalibrated(with_quant(trained, quant), context)
