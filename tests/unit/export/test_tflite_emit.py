"""Every cell of the TFLite matrix that has an interpreter here: what runs agrees, what does not really fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import conv, random_bundle
from interpreters import Micro
from tflite_cases import SCHEMES, SMALL, check_agreement, expected, quantised, small_bundle

from edgehar.compress.calibration import SEARCH, choose
from edgehar.errors import InputError, UsageError
from edgehar.export.tflite.emit import DTYPES, FORMS, emit_tflite
from edgehar.export.tflite.support import CELLS, RUNTIMES, UNSUPPORTED, Cell, support_table
from edgehar.manifest import FAMILIES
from edgehar.runtimes.exported import model_digest
from edgehar.runtimes.lowered import graph_of
from edgehar.runtimes.tflite_file import read_description

DOCS = Path(__file__).parents[3] / "docs" / "export.md"
HERE = [cell for cell in CELLS if cell.runtime != "tflite-runtime"]  # that one has tests/slow/test_tflite_runtime.py
GROUPED = [
    conv("a", 12, 3),
    conv("b", 8, 2, 2, groups=4),
    conv("c", 16, 3, groups=8, relu=False),
    {"op": "residual", "body": [conv("d", 16, 1), conv("e", 16, 3, groups=16), conv("f", 16, 3, relu=False)]},
    {"op": "mean"},
    {"op": "linear", "name": "head"},
]
VARIANTS = {
    "low-rank": ("fastgrnn", {"hidden": 61, "rank_w": 3, "rank_u": 9}),
    "one factor": ("fastgrnn", {"hidden": 8, "rank_u": 2}),
    "grouped": ("cnn", {"hop": 2, "layers": GROUPED}),
    "one memory, counted": ("l2mu", {"encoder": "single", "readout": "count", "memory": 1, "order": 18}),
    "synaptic": ("l2mu", {"encoder": "plain", "neuron": "synaptic"}),
}


class Litert:
    """A signature of a file in ai-edge-litert, called with positional tensors as tflite-micro is."""

    def __init__(self, model, key="samples"):
        litert = pytest.importorskip("ai_edge_litert.interpreter", reason="pip install ai-edge-litert")
        interpreter = litert.Interpreter(model_content=model, num_threads=1)
        self.run = interpreter.get_signature_runner(key)
        self.inputs = self.run.get_input_details()
        self.order = [told["name"] for told in interpreter.get_input_details()]


def window_logits(runtime, model, x):
    if runtime == "litert":
        run = Litert(model).run
        return np.concatenate([run(x=window)["logits"] for window in x])
    micro = Micro(model)
    return np.concatenate([micro(window)[0] for window in x])


def step_logits(runtime, model, x):
    """States go back in as the raw bytes that came out; a convnet's run on from window to window."""
    litert = Litert(model)
    start = {name: np.zeros(told["shape"], told["dtype"]) for name, told in litert.inputs.items()}
    samples = start.pop("x").shape[0]
    micro = Micro(model) if runtime != "litert" else None
    streams, rows, states = "columns" in start, [], start
    for window in x:
        states, logits = states if streams else start, None
        for at in range(0, len(window), samples):
            given = {"x": window[at : at + samples], **states}
            if micro is None:
                found = litert.run(**given)
                logits, states = found["logits"], {name: found[f"{name}_next"] for name in start}
            else:
                logits, *values = micro(*(given[name] for name in litert.order))
                states = dict(zip(litert.order[1:], values, strict=True))
        rows.append(logits)
    return np.concatenate(rows)


@pytest.mark.parametrize("cell", HERE, ids=" ".join)
def test_a_cell_is_what_the_matrix_says(cell: Cell):
    bundle = small_bundle(cell.family, cell.dtype)
    x = bundle.golden["x"]
    if cell in UNSUPPORTED:
        with pytest.raises((UsageError, RuntimeError)):
            window_logits(cell.runtime, emit_tflite(bundle, cell.form, cell.dtype, entries="samples"), x[:1])
        return
    model = emit_tflite(bundle, cell.form, cell.dtype, entries="samples")
    right = expected(bundle, cell.dtype)
    if cell.form == "window":
        check_agreement(window_logits(cell.runtime, model, x), right, cell.family, cell.dtype)
    else:
        found = step_logits(cell.runtime, model, x[:8])
        check_agreement(found, right[:8], cell.family, cell.dtype)


@pytest.mark.parametrize("runtime", ["litert", "tflite-micro"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("family", ["cnn", "csicnn", "csieffnet", "fastgrnn", "fusion", "gru"])
def test_a_file_that_rounds_as_tflite_does_runs_as_well(family: str, form: str, runtime: str):
    bundle = small_bundle(family, "int8")
    model = emit_tflite(bundle, form, "int8", entries="samples", rounding="tflite")
    x, right = bundle.golden["x"], expected(bundle, "int8")
    if form == "window":
        check_agreement(window_logits(runtime, model, x), right, family, "int8")
    else:
        check_agreement(step_logits(runtime, model, x[:8]), right[:8], family, "int8")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_layer_is_emitted(variant: str, dtype: str):
    family, options = VARIANTS[variant]
    options = {k: v for k, v in options.items() if k != "layers"}
    layers = VARIANTS[variant][1].get("layers")
    bundle = _variant(family, dtype, options, layers)
    model = emit_tflite(bundle, "window", dtype)
    check_agreement(window_logits("litert", model, bundle.golden["x"]), expected(bundle, dtype), family, dtype)


@pytest.mark.parametrize("per_channel", ["none", "all"])
@pytest.mark.parametrize("family", ["fastgrnn", "l2mu", "cnn"])
def test_weights_may_have_one_scale_or_one_for_each_row(family: str, per_channel: str):
    bundle = small_bundle(family, "int8", per_channel)
    found = window_logits("litert", emit_tflite(bundle, "window", "int8"), bundle.golden["x"])
    check_agreement(found, expected(bundle, "int8"), family, "int8")


@pytest.mark.parametrize("dtype", SCHEMES)
def test_spikes_are_the_integer_graphs_with_a_gain_for_each_neuron(dtype: str):
    bundle = small_bundle("l2mu")
    x = bundle.golden["x"]
    quant = choose(graph_of(bundle), x, dtype, SEARCH, "all").quant
    assert quant["gains"]
    bundle = replace(bundle, manifest=replace(bundle.manifest, quant=quant))
    found = window_logits("litert", emit_tflite(bundle, "window", dtype), x)
    check_agreement(found, expected(bundle, dtype), "l2mu", dtype)


@pytest.mark.parametrize("family", ["gru", "l2mu", "cnn", "dscnn"])
def test_a_step_gives_the_window_to_the_bit(family: str):
    bundle = small_bundle(family, "int8")
    x = bundle.golden["x"][:4]
    step = step_logits("litert", emit_tflite(bundle, "step", "int8"), x)
    np.testing.assert_array_equal(step, window_logits("litert", emit_tflite(bundle, "window", "int8"), x))


def test_states_have_their_names_and_one_meaning_on_both_sides():
    bundle = small_bundle("l2mu", "int8")
    run = Litert(emit_tflite(bundle, "step", "int8")).run
    inputs, outputs = run.get_input_details(), run.get_output_details()
    for state in graph_of(bundle).states:
        before, after = inputs[state.name], outputs[state.next]
        assert (before["dtype"], before["quantization"]) == (after["dtype"], after["quantization"])
    assert inputs["S_h"]["dtype"] == np.int8
    assert inputs["S_h"]["quantization"] == (1.0, 0)
    assert inputs["score"]["dtype"] == np.int32


def test_equal_bundles_give_equal_bytes_and_weights_are_stored_once():
    bundle = small_bundle("fastgrnn")
    model = emit_tflite(bundle, "window", "float32")
    assert model == emit_tflite(bundle, "window", "float32")
    assert model.count(bundle.weights["U"].tobytes()) == 1


def test_an_integer_file_is_a_fraction_of_the_float_one():
    sizes = {d: len(emit_tflite(small_bundle("gru", d, hidden=96), "step", d)) for d in DTYPES}
    assert max(sizes["int8"], sizes["int8x16"], sizes["dynamic"]) < 0.4 * sizes["float32"]


def test_a_file_says_what_it_is():
    bundle = small_bundle("cnn", "int8")
    told = read_description(emit_tflite(bundle, "window", "int8"), "cnn.tflite")
    assert told["model_digest"] == model_digest(bundle)
    assert (told["form"], told["dtype"]) == ("window", "int8")
    assert told["labels"] == list(bundle.manifest.labels)
    assert told["channels"] == list(bundle.manifest.contract.channels)


def test_a_foreign_or_damaged_file_is_refused():
    model = emit_tflite(small_bundle("cnn"), "window", "float32")
    for content, what in (
        (b"PK\3\4 something else", "not a TFLite file"),
        (model[:200], "damaged"),
        (model.replace(b"edgehar\0", b"another\0"), "not exported by edgehar"),
    ):
        with pytest.raises(InputError, match=what):
            read_description(content, "cnn.tflite")


def test_what_has_no_file_is_refused_by_name():
    with pytest.raises(UsageError, match="window of 26 samples is not a multiple of its strides' product 4"):
        emit_tflite(small_bundle("dscnn", window=26), "step")
    skipping = [conv("stem", 8, 2, 3), {"op": "mean"}, {"op": "linear", "name": "fc"}]
    with pytest.raises(UsageError, match=r"layer 'stem' skips samples \(kernel 2, stride 3\)"):
        emit_tflite(random_bundle("cnn", window=24, hop=3, layers=skipping, golden_windows=1), "step")
    with pytest.raises(UsageError, match="not quantised") as caught:
        emit_tflite(small_bundle("gru"), "step", "int8")
    assert "edgehar compress" in caught.value.hint
    with pytest.raises(UsageError, match="no TFLite dtype is called 'int4'") as caught:
        emit_tflite(small_bundle("gru"), "step", "int4")
    assert "int8x16" in caught.value.hint


def test_the_docs_show_the_matrix():
    table = support_table()
    assert table in DOCS.read_text(encoding="utf-8")
    assert table.count("\n| ") == 2 + 2 * len(FAMILIES)
    assert all(reason in table for reason in UNSUPPORTED.values())
    assert all(name in table for name in RUNTIMES.values())


def _variant(family, dtype, options, layers):
    if layers is None:
        return small_bundle(family, dtype, **options)
    bundle = random_bundle(family, **{**SMALL, **options, "layers": layers})
    return quantised(bundle, dtype) if dtype in SCHEMES else bundle
