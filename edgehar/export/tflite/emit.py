"""From a bundle to a TFLite file: `emit_tflite`."""

from __future__ import annotations

from collections.abc import Mapping

from edgehar.archive import encode_json
from edgehar.bundle import Bundle
from edgehar.errors import MissingError, Reason, UsageError
from edgehar.export.description import describe
from edgehar.export.memory import has_rounding
from edgehar.export.preprocess import Entry, entry_of
from edgehar.export.tflite.builder import Builder
from edgehar.export.tflite.floats import FloatEmitter
from edgehar.export.tflite.form import INPUT_CHANNELS, INPUT_SAMPLES, Door, Emitter, step_form, window_form
from edgehar.export.tflite.integers import int_emitter
from edgehar.export.tflite.model import Signature, Subgraph
from edgehar.export.tflite.stream import stream_form
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.quantise import quantise
from edgehar.runtimes.exported import METADATA
from edgehar.runtimes.lowered import graph_of
from edgehar.runtimes.tflite_file import SIGNATURE_CHANNELS, SIGNATURE_SAMPLES

FORMS = ("step", "window")
SCHEMES = ("int8", "int8x16")
DTYPES = ("float32", "dynamic", *SCHEMES)
ROUNDINGS = ("exact", "tflite")


def emit_tflite(
    bundle: Bundle,
    form: str = "window",
    dtype: str = "float32",
    *,
    entries: str = "both",
    rounding: str = "exact",
) -> bytes:
    """A TFLite file that needs nothing but an interpreter.

    form    "window": logits of one whole window; "step": logits and next states after one sample (a convnet: after as
            many as its strides multiply to, see `stream`)
    dtype   "float32"; "dynamic": int8 weights, float32 in between; "int8", "int8x16" (bundles with `quant`): int8
            weights, states and columns of that width, with the integers of `edgehar.graph.quantise`
    entries signature `serving_default` takes float32 channels in physical units, `samples` what the preprocessing made
            of them; "both", or only "channels" or "samples" (smaller; tflite-micro knows the first only)
    rounding    of int8 files of gated and residual models: "exact" as in the integer graph, by float32 that holds its
            integers; "tflite" as TFLite's integer operators round, which moves labels that are close, but needs no
            float32 tensors and unpacked weights

    Filters with a memory stay outside: then the channels are those behind the last of them, which the metadata
    `edgehar` (JSON) lists as `preprocess_outside`. Raises UsageError for what a bundle has no file of.
    """
    _check(form, FORMS, "form")
    _check(dtype, DTYPES, "dtype")
    _check(entries, ("both", "channels", "samples"), "entries")
    _check(rounding, ROUNDINGS, "rounding")
    graph = graph_of(bundle)
    entry = entry_of(graph.preprocess, graph.channels)
    build = window_form if form == "window" else step_form if graph.states else stream_form
    run: Graph | IntGraph = _integer_graph(bundle, graph, dtype) if dtype in SCHEMES else graph

    def make(b: Builder) -> Emitter:
        if isinstance(run, IntGraph):
            return int_emitter(b, run, exact=rounding == "exact")
        return FloatEmitter(b, dynamic=dtype == "dynamic")

    subgraphs, signatures = build(run, make, _doors(entry, entries))
    if not entry.inside:
        signatures = _both_names(signatures, entries)
    described = describe(bundle, entry, form, dtype)
    if has_rounding(graph, dtype):
        described["rounding"] = rounding
    metadata = {METADATA: encode_json(described)}
    return _written(subgraphs, signatures, metadata)


def _integer_graph(bundle: Bundle, graph: Graph, dtype: str) -> IntGraph:
    if bundle.manifest.quant is None:
        raise UsageError(
            f"the model {bundle.manifest.model_id} is not quantised, {dtype} needs the ranges of its tensors",
            reason=Reason.VALUE,
            hint="quantise it first (edgehar compress BUNDLE --dataset DIR --quant int8 --out OUT), or --dtype dynamic",
        )
    return quantise(graph, {**bundle.manifest.quant, "scheme": dtype})


def _doors(entry: Entry, entries: str) -> list[Door]:
    """Without preprocessing in the file one subgraph serves under both names."""
    channels, samples = Door(SIGNATURE_CHANNELS, INPUT_CHANNELS, entry), Door(SIGNATURE_SAMPLES, INPUT_SAMPLES, None)
    if entries == "both":
        return [channels, samples] if entry.inside else [samples]
    return [channels if entries == "channels" else samples]


def _both_names(signatures: list[Signature], entries: str) -> list[Signature]:
    if entries != "both":
        return signatures
    (samples,) = signatures
    inputs = {INPUT_CHANNELS if k == INPUT_SAMPLES else k: v for k, v in samples.inputs.items()}
    return [Signature(SIGNATURE_CHANNELS, samples.subgraph, inputs, samples.outputs), samples]


def _written(subgraphs: list[Subgraph], signatures: list[Signature], metadata: Mapping[str, bytes]) -> bytes:
    try:
        from edgehar.export.tflite.writer import write_tflite
    except ImportError:
        raise MissingError(
            "the package flatbuffers is not installed",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[export]'",
        ) from None
    return write_tflite(subgraphs, signatures, metadata=metadata)


def _check(value: str, allowed: tuple[str, ...], what: str) -> None:
    if value not in allowed:
        raise UsageError(
            f"no TFLite {what} is called '{value}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose one of: {', '.join(allowed)}",
        )
