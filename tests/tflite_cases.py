"""Small bundles for every cell of the TFLite matrix, and what their files must compute."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from factories import random_bundle

from edgehar.bundle import Bundle
from edgehar.graph.calibrate import calibrate
from edgehar.graph.execute import run_graph
from edgehar.graph.intexecute import run_int_graph
from edgehar.graph.quantise import quantise
from edgehar.runtimes.lowered import graph_of

SCHEMES = ("int8", "int8x16")
SMALL = {"window": 24, "channels": 5, "classes": 3, "golden_windows": 40}
FAMILIES: dict[str, dict[str, Any]] = {
    "fastgrnn": {"hop": 7, "hidden": 37},
    "gru": {"hop": 5, "hidden": 37},
    "l2mu": {"hop": 8, "hidden": 37},
    "cnn": {"hop": 6, "hidden": 13},
    "csicnn": {"hop": 6, "hidden": 13},
    "csieffnet": {"hop": 6, "hidden": 37},
    "dscnn": {"hop": 4, "hidden": 19},
    "fusion": {"hop": 6, "hidden": 21, "channels": 6},  # a head that is large enough for int8 in a dynamic-range file
}


def quantised(bundle: Bundle, scheme: str, per_channel: str = "conv") -> Bundle:
    """The bundle with the ranges of its own golden windows."""
    ranges = {name: list(ends) for name, ends in calibrate(graph_of(bundle), bundle.golden["x"]).items()}
    quant = {"scheme": scheme, "per_channel": per_channel, "calibration": "minmax", "ranges": ranges}
    return replace(bundle, manifest=replace(bundle.manifest, quant=quant))


@cache
def small_bundle(family: str, dtype: str = "float32", per_channel: str = "conv", **options: Any) -> Bundle:
    """A random bundle that has a file of this dtype."""
    bundle = random_bundle(family, **{**SMALL, **FAMILIES[family], **options})
    return quantised(bundle, dtype, per_channel) if dtype in SCHEMES else bundle


def expected(bundle: Bundle, dtype: str) -> np.ndarray:
    """Logits of the golden windows: by the integer graph for integer files, else by the float graph."""
    graph, x = graph_of(bundle), bundle.golden["x"]
    if dtype in SCHEMES:
        return run_int_graph(quantise(graph, {**bundle.manifest.quant, "scheme": dtype}), x)
    return run_graph(graph, x)


def check_agreement(found: np.ndarray, right: np.ndarray, family: str, dtype: str) -> None:
    """Float within 1e-4, integers by a fraction of the logits' spread (spikes are the reference's own), and labels."""
    error = np.abs(found - right).max() / max(1.0, np.abs(right).max())
    labels = (found.argmax(axis=1) == right.argmax(axis=1)).mean()
    limits = {"float32": 1e-4, "dynamic": 0.05, "int8": 0.03, "int8x16": 2e-3}
    if family == "l2mu":
        # In a dynamic-range file spikes differ, and with them whole logits; only the labels can agree.
        limits = {"float32": 1e-4, "dynamic": np.inf, "int8": 1e-4, "int8x16": 1e-4}
    assert error <= limits[dtype], f"{family} {dtype}: off by {error:.3g} of the logits' range"
    assert labels >= (0.9 if dtype == "dynamic" else 0.975), f"{family} {dtype}: {100 * labels:.1f} % of the labels"
