"""Post-training quantisation: ranges from windows of training people, then integers in every runtime and export.

Schemes: `int8` has int8 weights, activations and states; `int8x16` has int8 weights and int16 activations and states
(the 16x8 of TFLite). *Dynamic range* (int8 weights, float activations) is no scheme of a bundle: it leaves the model's
arithmetic in float, needs no calibration, and is chosen when a TFLite file is written: `edgehar export`, type dynamic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from edgehar.bundle import Bundle
from edgehar.compress.calibration import SEARCH, choose, percentiles_of
from edgehar.compress.steps import Context
from edgehar.contract import of_head
from edgehar.errors import Reason, UsageError
from edgehar.evaluate.calibrate import fit_temperature
from edgehar.graph.quantise import SCHEMES
from edgehar.manifest import PER_CHANNEL
from edgehar.runtimes.digests import with_digests
from edgehar.runtimes.intwindows import int_logits
from edgehar.runtimes.lowered import graph_of, int_graph_of
from edgehar.runtimes.stages import stages
from edgehar.types import FloatArray


@dataclass(frozen=True, slots=True)
class Quantise:
    """Run the model in integers from now on; the last step of a compression.

    calibration: "minmax" takes true extremes, "percentile:99.99" leaves 0.01 % of the values at each end out, "search"
    tries several and takes the one whose logits are nearest to the float model's. per_channel: whose weights get a
    scale for each output: none, conv (convolutions), all. windows: how many of the training people's, evenly spread.
    """

    name: ClassVar[str] = "quantise"
    scheme: str = "int8"
    calibration: str = SEARCH
    per_channel: str = "conv"
    windows: int = 512

    def __post_init__(self) -> None:
        for what, value, known in (
            ("quantisation", self.scheme, tuple(SCHEMES)),
            ("choice of per-channel scales", self.per_channel, PER_CHANNEL),
        ):
            if value not in known:
                raise UsageError(
                    f"no {what} is called '{value}'",
                    reason=Reason.UNKNOWN_NAME,
                    hint=f"choose one of: {', '.join(known)}",
                )
        percentiles_of(self.calibration)
        if self.windows < 1:
            raise UsageError(
                f"{self.windows} calibration windows", reason=Reason.VALUE, hint="give 1 or more, such as 512"
            )

    def apply(self, context: Context) -> Bundle:
        bundle = context.bundle
        if bundle.manifest.quant is not None:
            raise UsageError(
                f"{bundle.manifest.model_id} is quantised already ({bundle.manifest.quant['scheme']})",
                reason=Reason.VALUE,
                hint="quantise the float bundle that it was made from",
            )
        x = calibration_windows(context, self.windows)
        choice = choose(graph_of(bundle), x, self.scheme, self.calibration, self.per_channel)
        return recalibrated(with_quant(bundle, choice.quant), context)


def calibration_windows(context: Context, count: int) -> FloatArray:
    """Preprocessed windows [n, window, inputs] of training people, evenly spread over all of theirs."""
    train = context.data.train
    rows = np.unique(np.linspace(0, len(train) - 1, count).round().astype(np.int64))
    return context.data.normaliser(train.x[rows])


def with_quant(bundle: Bundle, quant: Mapping[str, Any]) -> Bundle:
    """The bundle running in integers: golden logits of its integer program, and every tensor of the first window."""
    quantised = replace(bundle, manifest=replace(bundle.manifest, quant=quant), signature=None, sha256="")
    graph = int_graph_of(quantised)
    x = bundle.golden["x"]
    golden = {"x": x, "logits": int_logits(quantised, x), **stages(graph, x[0])}
    return with_digests(replace(quantised, golden=golden))


def recalibrated(bundle: Bundle, context: Context) -> Bundle:
    """The bundle with a temperature fitted to its integer logits of the validation people, where there are any."""
    validation = context.data.validation
    if validation is None:
        return bundle
    logits = of_head(int_logits(bundle, context.data.normaliser(validation.x)), len(bundle.manifest.labels))
    temperature = fit_temperature(logits, validation.y)
    decision = replace(bundle.manifest.decision, temperature=temperature)
    return replace(bundle, manifest=replace(bundle.manifest, decision=decision))
