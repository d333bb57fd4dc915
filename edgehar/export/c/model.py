"""`eh_model.h` and `eh_model.c` of one bundle, as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgehar.bundle import Bundle, Manifest
from edgehar.errors import Reason, UsageError
from edgehar.export.c import columns, literals
from edgehar.export.c.emitter import Emitter
from edgehar.export.c.floats import FloatEmitter
from edgehar.export.c.integer import IntEmitter
from edgehar.export.c.preprocess import emit_preprocess
from edgehar.export.c.products import Options
from edgehar.export.c.unit import Field, Unit, Vector
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.intexecute import LIMITS, inverse_scale
from edgehar.graph.ops import TENSOR_X
from edgehar.runtimes.exported import model_digest
from edgehar.runtimes.lowered import graph_of, int_graph_of


@dataclass(frozen=True, slots=True)
class Module:
    """A model's own C files by name, its constants' bytes as they lie in flash, and what is worth telling."""

    files: Mapping[str, str]
    constants: Mapping[str, bytes]
    notes: Mapping[str, str]
    scheme: str

    @property
    def constant_bytes(self) -> int:
        """Weights, indices, scales, biases, tables and normaliser."""
        return sum(len(raw) for raw in self.constants.values())


def render(bundle: Bundle, options: Options, *, float32: bool = False) -> Module:
    """The C of a bundle, in integers if it is quantised, unless `float32`.

    Raises UsageError for an operation that C lacks, and for a bundle whose tensors cannot be updated in place.
    """
    graph: Graph | IntGraph = graph_of(bundle) if float32 or bundle.manifest.quant is None else int_graph_of(bundle)
    unit = Unit()
    e: Emitter = IntEmitter(unit, graph, options) if isinstance(graph, IntGraph) else FloatEmitter(unit, graph, options)
    functions = _functions(e, graph)
    text = _source(bundle, unit, functions)
    scheme = graph.scheme if isinstance(graph, IntGraph) else "float32"
    files = {"eh_model.h": _header(bundle, graph, unit, scheme, functions), "eh_model.c": text}
    files["eh_labels.h"] = _labels(bundle)
    return Module(files, unit.raw_constants(), dict(unit.notes), scheme)


@dataclass(frozen=True, slots=True)
class _Functions:
    """Bodies of the core's functions."""

    input: Sequence[str]
    step: Sequence[str]
    head: Sequence[str]
    result: Vector
    filters: str
    filter_fields: Sequence[Field]
    delay: int


def _functions(e: Emitter, graph: Graph | IntGraph) -> _Functions:
    unit = e.unit
    filters = emit_preprocess(unit, graph.preprocess, graph.channels)
    x = e.place_input()
    unit.loop("i", graph.inputs, [f"{x.expr}[i] = {_input(unit, graph)};"])
    made_input, unit.lines = unit.lines, []
    unit.trace(TENSOR_X, x)
    if graph.states:
        check_in_place(graph)
        for state in graph.states:
            e.place_state(state.name, state.next, state.size)
            unit.trace(state.name, e.vectors[state.name])
    else:
        columns.place_rings(e)
        columns.append_input(e, x)
    for op in graph.step:
        e.emit(op)
    step, unit.lines = unit.lines, []
    for op in graph.head:
        e.emit(op)
    head, unit.lines = unit.lines, []
    return _Functions(made_input, step, head, e.vectors[graph.output], *filters)


def check_in_place(graph: Graph | IntGraph) -> None:
    """Refuse a graph in which a state is read after its next value has been made: C keeps one array for both."""
    following = {state.next: state.name for state in graph.states}
    gone: set[str] = set()
    for op in (*graph.step, *graph.head):
        late = gone & _reads(op) if op not in graph.head else set()
        if late:
            raise UsageError(
                f"the C emitter keeps a state and its next value in one place, but {op.out} reads '{min(late)}' late",
                reason=Reason.VALUE,
                hint="export to another format: --target tflite or --target onnx",
            )
        made = {op.out, getattr(op, "potential_out", ""), getattr(op, "current_out", "")}
        gone |= {following[name] for name in made if name in following}


def _reads(op: Any) -> set[str]:
    fields = ("x", "u", "pre", "h", "from_x", "from_h", "drive", "potential", "current", "total", "skip")
    return {getattr(op, name, "") for name in fields} | {term.x for term in getattr(op, "terms", ())}


def _input(unit: Unit, graph: Graph | IntGraph) -> str:
    if isinstance(graph, Graph):
        return "x[i]"
    unit.includes.add("eh_quantise.h")
    quant = graph.quants[TENSOR_X]
    low, high = LIMITS[quant.dtype]
    inverse = unit.indexed("x.inverse_scale", np.array([inverse_scale(quant.scale)], np.float32), "0")
    return f"eh_quantise(x[i], {inverse}, {low}, {high})"


def _header(bundle: Bundle, graph: Graph | IntGraph, unit: Unit, scheme: str, functions: _Functions) -> str:
    manifest, decision = bundle.manifest, bundle.manifest.decision
    integer = isinstance(graph, IntGraph)
    lanes = -(-graph.window // graph.hop) if graph.states else 1
    sizes = {
        "EH_CHANNELS": (len(graph.channels), "values of a sample, as the sensor gives them"),
        "EH_INPUTS": (graph.inputs, "values of a sample behind the preprocessing"),
        "EH_CLASSES": (len(manifest.labels), ""),
        "EH_LOGITS": (graph.classes, _heads(manifest)),
        "EH_WINDOW": (graph.window, "samples that a decision looks at"),
        "EH_HOP": (graph.hop, "samples from one decision to the next"),
        "EH_LANES": (lanes, "windows in progress at once"),
        "EH_COLUMNS": (0 if graph.states else 1, "1: one stream of columns serves all windows"),
        "EH_DELAY": (functions.delay, "samples that the preprocessing looks ahead"),
        "EH_SMOOTH": (decision.smooth, "windows whose probabilities are averaged"),
        "EH_MIN_REAL": (min_real(decision.min_coverage, graph.window), "samples of a window that must be real"),
        "EH_TEMPERATURE": (literals.number(np.float32(decision.temperature)), "softmax of logits divided by this"),
        "EH_ABSTAIN_BELOW": (literals.number(np.float32(decision.abstain_below)), "probability"),
        "EH_INTEGER": (int(integer), "1: raw logits are integers"),
        "EH_LOGIT_SCALE": (_logit_scale(graph), "a logit is a raw logit times this"),
    }
    defines = "\n".join(f"#define {n} {v}{f' /* {why} */' if why else ''}" for n, (v, why) in sizes.items())
    rate = f"{manifest.contract.rate_hz:g} samples a second of " + ", ".join(
        f"{channel} [{units}]"
        for channel, units in zip(manifest.contract.channels, manifest.contract.units, strict=True)
    )
    return HEADER.format(
        about=literals.comment(f"{manifest.model_id}: {graph.family}, {scheme}"),
        stream=literals.comment(rate),
        axes=literals.comment(manifest.contract.axes),
        digest=model_digest(bundle),
        defines=defines,
        logit="int32_t" if integer else "float",
        state=_struct(unit.state),
        scratch=_struct(list(unit.scratch.values())),
        filters=_struct(list(functions.filter_fields)),
    )


def _source(bundle: Bundle, unit: Unit, functions: _Functions) -> str:
    includes = "\n".join(f'#include "{name}"' for name in sorted({*unit.includes, "eh_trace.h"}))
    return SOURCE.format(
        about=literals.comment(bundle.manifest.model_id),
        includes=includes,
        constants=unit.constants_text(),
        table=unit.table_text(),
        filters=functions.filters,
        start="\n".join(f"    {line}" for line in unit.started),
        input="\n".join(functions.input),
        step="\n".join(functions.step),
        head="\n".join(functions.head),
        result=functions.result.expr,
    )


def _labels(bundle: Bundle) -> str:
    names = ", ".join(literals.text(label) for label in bundle.manifest.labels)
    return LABELS.format(names=names)


def _heads(manifest: Manifest) -> str:
    """Whose logits stand one after the other, where several heads speak."""
    sensors = [sensor.name for sensor in manifest.contract.sensors]
    if not sensors:
        return ""
    return literals.comment(f"EH_CLASSES from each head: of all sensors, {', '.join(f'{s} alone' for s in sensors)}")


def _struct(fields: Sequence[Field]) -> str:
    return "\n".join(f"    {field.declare()}" for field in fields) or "    char nothing;"


def _logit_scale(graph: Graph | IntGraph) -> str:
    scale = graph.quants[graph.output].scale if isinstance(graph, IntGraph) else 1.0
    return literals.number(np.float32(scale))


def min_real(min_coverage: float, window: int) -> int:
    """The smallest number of real samples for which real / window >= min_coverage."""
    n = math.ceil(min_coverage * window)
    return n - 1 if n > 0 and (n - 1) / window >= min_coverage else n if n / window >= min_coverage else n + 1


HEADER = """\
/* {about}
 *
 * Expects {stream}; axes: {axes}.
 * Written by edgehar; the functions are described in eh_stream.h.
 */
#ifndef EH_MODEL_H
#define EH_MODEL_H

#include <stdint.h>

#include "eh_words.h"

{defines}
#define EH_DIGEST "{digest}" /* of the model; only eh_shared.c keeps it */

typedef {logit} EhLogit;

/* One window in progress, or the columns of the stream. */
typedef struct {{
{state}
}} EhState;

/* What lives within one step. */
typedef struct {{
{scratch}
}} EhScratch;

/* The preprocessing's memory. */
typedef struct {{
{filters}
}} EhFilters;

#include "eh_stream.h"

#endif
"""

SOURCE = """\
/* {about}; written by edgehar. */
#include "eh_model.h"

#include <string.h>

{includes}

{constants}

#ifdef EH_TRACE
EhTrace eh_trace;
const EhConstant eh_constants[] = {{
{table}
}};
const int eh_constants_n = (int)(sizeof eh_constants / sizeof eh_constants[0]);
#endif

{filters}

void eh_core_start(EhState *s)
{{
    memset(s, 0, sizeof *s);
{start}
}}

void eh_core_input(EhScratch *m, const float *x)
{{
{input}
}}

void eh_core_step(EhState *s, EhScratch *m)
{{
{step}
}}

const EhLogit *eh_core_head(const EhState *s, EhScratch *m)
{{
    (void)s;
    (void)m;
{head}
    return {result};
}}
"""

LABELS = """\
/* The classes' names, in the order of the logits. */
#ifndef EH_LABELS_H
#define EH_LABELS_H

#include "eh_model.h"

static const char *const eh_labels[EH_CLASSES] = {{{names}}};

#endif
"""
