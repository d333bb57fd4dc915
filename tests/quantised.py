"""Quantised twins of the random bundles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgehar.bundle import Bundle
from edgehar.graph.calibrate import calibrate
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes.lowered import graph_of, int_graph_of


def quantised(bundle: Bundle, scheme: str = "int8x16", per_channel: str = "conv") -> Bundle:
    """The bundle with ranges calibrated on its golden windows, and golden logits of its integers."""
    x = bundle.golden["x"]
    ranges = {name: list(ends) for name, ends in calibrate(graph_of(bundle), x).items()}
    quant = {"scheme": scheme, "per_channel": per_channel, "calibration": "minmax of golden windows", "ranges": ranges}
    made = replace(bundle, manifest=replace(bundle.manifest, quant=quant))
    logits = run_int_graph(int_graph_of(made), x).astype(np.float32)
    return replace(made, golden={"x": x, "logits": logits})
