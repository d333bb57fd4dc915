"""Every tensor of a window from a TFLite interpreter that keeps them all.

A recurrent model is traced sample by sample in its step form: what happens inside a WHILE cannot be seen from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.export.tflite.builder import Builder
from edgehar.export.tflite.floats import FloatEmitter
from edgehar.export.tflite.form import INPUT_SAMPLES, Door, Emitter, step_form, window_form
from edgehar.export.tflite.integers import int_emitter
from edgehar.export.tflite.writer import write_tflite
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.intops import IntLif, IntMean
from edgehar.runtimes.tflite_file import SIGNATURE_SAMPLES
from edgehar.types import FloatArray
from edgehar.verify.target import Trace


def trace_file(
    graph: Graph | IntGraph, x: FloatArray, interpreter: Callable[[bytes], Any], *, exact: bool = True
) -> Trace:
    """{tensor: [steps, n]} of window x [window, inputs], in the graph's own units; `exact` as in `int_emitter`.

    Integers that the file holds in units of its own are left out: drives, and what is affine in the graph.
    """
    made: list[tuple[Builder, Emitter]] = []

    def make(b: Builder) -> Emitter:
        if isinstance(graph, IntGraph):
            emitter: Emitter = int_emitter(b, graph, exact=exact)
        else:
            emitter = FloatEmitter(b, dynamic=False)
        made.append((b, emitter))
        return emitter

    build = step_form if graph.states else window_form
    subgraphs, signatures = build(graph, make, [Door(SIGNATURE_SAMPLES, INPUT_SAMPLES, None)])
    run = interpreter(write_tflite(subgraphs, signatures))
    builder, emitter = made[0]
    hidden = {s.name for s in graph.states} | _in_other_units(graph)
    shown = {name: key for name, key in emitter.tensors.items() if name not in hidden}
    keys = list(builder.graph.tensors)
    runner = run.get_signature_runner(SIGNATURE_SAMPLES)
    states = {s.name: np.zeros((1, s.size), builder.dtype(s.name)) for s in graph.states}
    rows: dict[str, list[NDArray[Any]]] = {}
    for sample in x[:, None] if graph.states else [x]:
        outputs = runner(**{INPUT_SAMPLES: sample}, **states)
        states = {s.name: outputs[s.next] for s in graph.states}
        for name, key in shown.items():
            value = run.get_tensor(keys.index(key))
            rows.setdefault(name, []).append(_in_units(graph, builder, name, key, value))
    head = {op.out for op in graph.head}  # a step file computes it after every sample, only the last counts
    return {name: values[-1] if name in head else np.concatenate(values) for name, values in rows.items()}


def _in_other_units(graph: Graph | IntGraph) -> set[str]:
    if not isinstance(graph, IntGraph):
        return set()
    affine = {name for name, quant in graph.quants.items() if quant.zero_point != 0}
    sums = {op.out for op in graph.head if isinstance(op, IntMean) and op.zero_point != 0}
    return affine | sums | {op.drive for op in graph.step if isinstance(op, IntLif)}


def _in_units(graph: Graph | IntGraph, b: Builder, name: str, key: str, value: NDArray[Any]) -> NDArray[Any]:
    """Rows of a tensor as the graph counts: real numbers, or integers of the graph's scale."""
    quant = b.quant(key)
    real = value.astype(np.float64)
    if quant is not None:
        real = (real - quant.zero_point[0]) * quant.scale[0]
    if isinstance(graph, IntGraph):
        real = real / graph.quants[name].scale
    return real.reshape(-1, graph.sizes[name])
