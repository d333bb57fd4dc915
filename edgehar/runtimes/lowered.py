"""A bundle's model as a graph, float or integer: the one place where bundles meet `edgehar.graph`."""

from __future__ import annotations

from edgehar.bundle import Bundle
from edgehar.errors import Reason, UsageError
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.lower import lower
from edgehar.graph.quantise import quantise


def graph_of(bundle: Bundle) -> Graph:
    """The float graph."""
    manifest = bundle.manifest
    return lower(
        manifest.model,
        bundle.weights,
        window=manifest.window,
        hop=manifest.hop,
        preprocess=manifest.preprocess,
        channels=manifest.contract.channels,
    )


def int_graph_of(bundle: Bundle) -> IntGraph:
    """The integer graph of a quantised bundle; raises UsageError for a float one."""
    quant = bundle.manifest.quant
    if quant is None:
        raise UsageError(
            f"the model {bundle.manifest.model_id} is not quantised",
            reason=Reason.VALUE,
            hint="quantise it first: edgehar compress BUNDLE --dataset DIR --quant int8 --out OUT",
        )
    return quantise(graph_of(bundle), quant)
