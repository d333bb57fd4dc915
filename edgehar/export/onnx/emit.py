"""From a bundle to an ONNX file: `emit_onnx`."""

from __future__ import annotations

import json

import onnx
from onnx import helper

from edgehar import __version__
from edgehar.bundle import Bundle
from edgehar.errors import Reason, UsageError
from edgehar.export.description import describe
from edgehar.export.onnx.builder import Builder
from edgehar.export.onnx.floats import FloatEmitter
from edgehar.export.onnx.form import Emitter, Made, step_form, window_form
from edgehar.export.onnx.qdq import QdqEmitter
from edgehar.export.onnx.stream import stream_form
from edgehar.export.preprocess import entry_of
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.quantise import quantise
from edgehar.runtimes.exported import METADATA
from edgehar.runtimes.lowered import graph_of, int_graph_of
from edgehar.runtimes.onnx_file import SAMPLES

OPSET, IR_VERSION = 18, 8
"""IR version 8 belongs to opset 15 to 18, so that the older runtimes on Pi and Jetson images take the file."""

FORMS = ("step", "window")
DTYPES = ("float32", "dynamic", "int8")


def emit_onnx(bundle: Bundle, form: str = "window", dtype: str = "float32") -> bytes:
    """An ONNX file that needs nothing but a runtime; equal bundles give equal bytes.

    form   "window": logits of whole windows; "step": logits and next states after one sample (a convnet:
           after as many as its strides multiply to, see `edgehar.export.stream`)
    dtype  "float32"; "dynamic": large matrices int8, float32 in between; "int8" (convnets with `quant`): int8 weights
           and columns between QuantizeLinear and DequantizeLinear, with the scales of `edgehar.graph.quantise`

    Raises UsageError for what a bundle has no file of.
    """
    graph = graph_of(bundle)
    _check(bundle, graph, form, dtype)
    entry = entry_of(graph.preprocess, graph.channels)
    run: Graph | IntGraph = _integers(bundle, graph) if dtype == "int8" else graph

    def make(b: Builder, shared: Builder) -> Emitter:
        return QdqEmitter(b, run) if isinstance(run, IntGraph) else FloatEmitter(b, shared, dynamic=dtype == "dynamic")

    if form == "window":
        made = window_form(run, make, entry)
    else:
        made = step_form(graph, make, entry) if graph.states else stream_form(run, make, entry)
    description = {**describe(bundle, entry, form, dtype), SAMPLES: made.samples}
    return _file(made, json.dumps(description, sort_keys=True, separators=(",", ":")))


def _integers(bundle: Bundle, graph: Graph) -> IntGraph:
    """Int8 whatever the bundle's scheme: opset 18 has no 16-bit QuantizeLinear."""
    quant = bundle.manifest.quant
    return int_graph_of(bundle) if quant is None else quantise(graph, {**quant, "scheme": "int8"})


def _file(made: Made, description: str) -> bytes:
    model = helper.make_model(
        made.graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="edgehar",
        producer_version=__version__,
    )
    helper.set_model_props(model, {METADATA: description})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _check(bundle: Bundle, graph: Graph, form: str, dtype: str) -> None:
    for what, value, allowed in (("form", form, FORMS), ("dtype", dtype, DTYPES)):
        if value not in allowed:
            raise UsageError(
                f"no ONNX {what} is called '{value}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"choose one of: {', '.join(allowed)}",
            )
    if dtype == "int8" and graph.states:
        name = f"the model {bundle.manifest.model_id} ({graph.family})"
        raise UsageError(
            f"{name} has no int8 ONNX form: in ONNX Runtime it is larger and slower than float32",
            reason=Reason.VALUE,
            hint="take --dtype dynamic (int8 weights), or --target c or tflite for integers throughout",
        )
