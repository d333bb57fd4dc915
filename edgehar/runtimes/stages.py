"""Every tensor of a quantised bundle's first golden window, as integers: where a target that differs goes wrong first.

They travel in golden.npz as `stage.NAME` [steps, n] in the tensor's own dtype; a convnet's have a row for each column,
a tensor of the head has one row. States are kept as they are after a sample; before it they are the previous row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.graph.execute import trace
from edgehar.graph.graph import IntGraph
from edgehar.graph.intexecute import run_int_graph
from edgehar.types import FloatArray

PREFIX = "stage."
BUDGET = 1 << 20
"""Bytes of all stages together: of a larger model the window's first samples are kept."""


def stages(graph: IntGraph, x: FloatArray) -> dict[str, NDArray[Any]]:
    """{stage.NAME: integers} of one preprocessed window x [window, inputs]."""
    before = {state.name for state in graph.states}
    kept = {
        name: rows.astype(graph.quants[name].dtype)
        for name, rows in trace(run_int_graph, graph, x).items()
        if name not in before
    }
    if graph.states:
        each = sum(rows[0].nbytes for rows in kept.values())
        steps = max(1, min(graph.window, BUDGET // each))
        kept = {name: rows[:steps] for name, rows in kept.items()}
    return {f"{PREFIX}{name}": np.ascontiguousarray(rows) for name, rows in kept.items()}


def stages_of(golden: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """{NAME: integers} of what a bundle's golden arrays hold; {} for a float bundle."""
    return {name.removeprefix(PREFIX): rows for name, rows in golden.items() if name.startswith(PREFIX)}
