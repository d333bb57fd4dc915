"""Quantised bundles in compiled integer arithmetic, bit for bit what `edgehar.graph.intexecute` computes."""

from __future__ import annotations

from collections.abc import Callable

from edgehar.graph.graph import IntGraph
from edgehar.runtimes.kernels.compiler import Engine


def integer_engine(graph: IntGraph) -> Callable[[int], Engine]:
    """Makes the engine of a stream with the hop that it is given; all of them share the model's constants.

    Compiles, or loads from the cache, only the kernels that the model needs.
    """
    if graph.states:
        from edgehar.runtimes.kernels.integer_program import IntegerRecurrentEngine, translate

        program = translate(graph)
        return lambda hop: IntegerRecurrentEngine(program, graph, hop)
    from edgehar.runtimes.kernels.integer_layers import IntegerConvnetEngine, pack_layers

    layers = pack_layers(graph)
    return lambda hop: IntegerConvnetEngine(layers, graph, hop)
