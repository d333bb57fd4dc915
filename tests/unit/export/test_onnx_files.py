"""ONNX files against the reference runtime, in onnxruntime: every family, both forms, preprocessing inside."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from factories import conv, random_bundle

from edgehar.bundle import Bundle
from edgehar.dsp.graph import Preprocess
from edgehar.errors import UsageError
from edgehar.graph.execute import run_graph
from edgehar.runtimes.lowered import graph_of

onnx = pytest.importorskip("onnx", reason="pip install 'edgehar[export]'")
ort = pytest.importorskip("onnxruntime", reason="pip install 'edgehar[ort]'")

from edgehar.export.onnx.emit import emit_onnx  # noqa: E402

GROUPED = [
    conv("a", 12, 3),
    conv("b", 8, 2, 2, groups=4),
    {"op": "residual", "body": [conv("d", 8, 1), conv("e", 8, 3, groups=8), conv("f", 8, 3, relu=False)]},
    {"op": "mean"},
    {"op": "linear", "name": "head"},
]
RECURRENT: dict[str, tuple[str, dict[str, Any]]] = {
    "fastgrnn": ("fastgrnn", {"hidden": 37}),
    "fastgrnn-low-rank": ("fastgrnn", {"hidden": 61, "rank_w": 3, "rank_u": 9}),
    "gru": ("gru", {"hidden": 37}),
    "l2mu-stacked": ("l2mu", {"hidden": 37}),
    "l2mu-single-count": ("l2mu", {"encoder": "single", "readout": "count", "memory": 1, "order": 18}),
    "l2mu-plain-synaptic": ("l2mu", {"encoder": "plain", "neuron": "synaptic"}),
}
CONVNETS: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("cnn", {"hidden": 13}),
    "dscnn": ("dscnn", {"hidden": 11}),
    "fusion": ("fusion", {"hidden": 13}),
    "grouped": ("cnn", {"layers": GROUPED}),
}
FAMILIES = {**RECURRENT, **CONVNETS}
TOLERANCE = 1e-4
WINDOWS = 40
INSTANT = [
    {"op": "select", "channels": ["gyro_z", "acc_x", "acc_y", "acc_z"]},
    {"op": "concat", "parts": [[{"op": "rectify"}], [{"op": "magnitude", "groups": [["acc_x", "acc_y", "acc_z"]]}]]},
    {"op": "scale", "factors": [2.0, 0.5, 1.0, 1.0, 3.0]},
    {"op": "compand", "gain": [0.0, 2.0, 30.0, 0.5, 1.0]},
    {"op": "normalize", "mean": [0.1, 0.2, 0.3, 0.4, 0.5], "std": [1.0, 2.0, 3.0, 0.5, 0.25]},
]
LOWPASS = [[0.2, 0.4, 0.2, 1.0, -0.3, 0.1]]


def session(content: bytes) -> Any:
    onnx.checker.check_model(content, full_check=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def windows(bundle: Bundle, seed: int = 3) -> np.ndarray:
    shape = (WINDOWS, bundle.manifest.window, len(bundle.manifest.contract.channels))
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def preprocessed(bundle: Bundle, x: np.ndarray, ops: Any = None) -> np.ndarray:
    manifest = bundle.manifest
    channels = manifest.contract.channels
    return np.stack([Preprocess(manifest.preprocess if ops is None else ops, channels).push(w) for w in x])


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert (np.abs(found - expected) / np.maximum(1, np.abs(expected))).max() <= TOLERANCE


def run_steps(content: bytes, x: np.ndarray) -> np.ndarray:
    """Logits after the last samples, by the states that the file itself hands on."""
    step = session(content)
    inputs = {i.name: i.shape for i in step.get_inputs()}
    names = [o.name for o in step.get_outputs()]
    assert next(iter(inputs)) == "channels"
    assert names == ["logits", *(f"{name}_next" for name in list(inputs)[1:])]
    states = {n: np.zeros((len(x), *shape[1:]), np.float32) for n, shape in inputs.items() if n != "channels"}
    samples = inputs["channels"][1] if len(inputs["channels"]) == 3 else 0
    found: dict[str, np.ndarray] = {}
    for t in range(0, x.shape[1], samples or 1):
        arriving = x[:, t : t + samples] if samples else x[:, t]
        found = dict(zip(names, step.run(None, {"channels": arriving, **states}), strict=True))
        states = {name: found[f"{name}_next"] for name in states}
    return found["logits"]


@pytest.mark.parametrize("case", FAMILIES)
def test_a_window_gives_the_logits_of_the_reference(case: str) -> None:
    family, options = FAMILIES[case]
    bundle = random_bundle(family, golden_windows=1, **options)
    x = windows(bundle)
    (found,) = session(emit_onnx(bundle)).run(None, {"channels": x})
    assert_close(found, run_graph(graph_of(bundle), x))


@pytest.mark.parametrize("case", FAMILIES)
def test_a_step_hands_its_states_on(case: str) -> None:
    family, options = FAMILIES[case]
    bundle = random_bundle(family, golden_windows=1, **options)
    x = windows(bundle)
    assert_close(run_steps(emit_onnx(bundle, "step"), x), run_graph(graph_of(bundle), x))


@pytest.mark.parametrize("case", CONVNETS)
def test_a_convnets_steps_go_on_over_windows(case: str) -> None:
    """What came before a window has left every state when it ends."""
    family, options = CONVNETS[case]
    bundle = random_bundle(family, golden_windows=1, **options)
    x = windows(bundle)
    longer = np.concatenate([x[::-1], x], axis=1)
    assert_close(run_steps(emit_onnx(bundle, "step"), longer), run_graph(graph_of(bundle), x))


@pytest.mark.parametrize("family", ["fastgrnn", "cnn"])
def test_instantaneous_preprocessing_is_inside(family: str) -> None:
    bundle = random_bundle(family, preprocess=INSTANT, inputs=5, golden_windows=1)
    x = windows(bundle)
    expected = run_graph(graph_of(bundle), preprocessed(bundle, x))
    content = emit_onnx(bundle)
    assert_close(session(content).run(None, {"channels": x})[0], expected)
    assert_close(run_steps(emit_onnx(bundle, "step"), x), expected)
    told = json.loads({p.key: p.value for p in onnx.load_from_string(content).metadata_props}["edgehar"])
    assert told["channels"] == list(bundle.manifest.contract.channels)
    assert told["preprocess_outside"] == []
    assert told["preprocess_inside"] == ["select", "concat", "scale", "compand", "normalize"]


@pytest.mark.parametrize(
    "first", [{"op": "median3"}, {"op": "sos", "sos": LOWPASS}, {"op": "minus_lowpass", "sos": LOWPASS}]
)
def test_a_file_begins_behind_the_last_filter(first: dict[str, Any]) -> None:
    select = {"op": "select", "channels": ["gyro_x", "acc_z"]}
    normalize = {"op": "normalize", "mean": [0.5, 1.0], "std": [2.0, 0.5]}
    ops = [select, {"op": "concat", "parts": [[first]]}, normalize]
    delay = 1 if first["op"] == "median3" else 0
    bundle = random_bundle("gru", preprocess=ops, inputs=2, delay_samples=delay, golden_windows=1)
    content = emit_onnx(bundle)
    told = json.loads(onnx.load_from_string(content).metadata_props[0].value)
    assert told["channels"] == ["gyro_x", "acc_z"]
    assert told["preprocess_outside"] == ops[:2]
    assert told["preprocess_inside"] == ["normalize"]
    behind = windows(bundle)[..., :2]
    expected = run_graph(graph_of(bundle), (behind - [0.5, 1.0]).astype(np.float32) / np.float32([2.0, 0.5]))
    assert_close(session(content).run(None, {"channels": behind})[0], expected)


@pytest.mark.parametrize("case", [case for case in FAMILIES if case != "grouped"])  # its kernels are too small
def test_dynamic_files_are_smaller_and_keep_the_labels(case: str) -> None:
    family, options = FAMILIES[case]
    bundle = random_bundle(family, golden_windows=1, **{"hidden": 48, **options})
    x = windows(bundle)
    content = emit_onnx(bundle, "window", "dynamic")
    assert len(content) < len(emit_onnx(bundle))
    (found,) = session(content).run(None, {"channels": x})
    expected = run_graph(graph_of(bundle), x)
    agreement = (found.argmax(1) == expected.argmax(1)).mean()
    assert agreement >= (0.5 if family == "l2mu" else 0.9)  # random weights decide by little


@pytest.mark.parametrize("form", ["window", "step"])
@pytest.mark.parametrize("case", FAMILIES)
def test_every_node_and_constant_is_read(case: str, form: str) -> None:
    """ONNX Runtime up to 1.18 reuses memory wrongly in a loop that holds a node whose output nobody reads."""
    family, options = FAMILIES[case]
    graphs = [onnx.load_from_string(emit_onnx(random_bundle(family, golden_windows=1, **options), form)).graph]
    graphs += [a.g for node in graphs[0].node for a in node.attribute if a.HasField("g")]
    read = {name for graph in graphs for node in graph.node for name in node.input}
    read |= {output.name for graph in graphs for output in graph.output}
    for graph in graphs:
        assert all(set(node.output) & read for node in graph.node)
        assert {constant.name for constant in graph.initializer} <= read


def test_equal_bundles_give_equal_bytes() -> None:
    for form in ("window", "step"):
        a, b = (emit_onnx(random_bundle("l2mu", golden_windows=1), form) for _ in range(2))
        assert a == b


def test_a_scan_is_small_and_old_runtimes_take_it() -> None:
    content = emit_onnx(random_bundle("fastgrnn", hidden=80, window=128, golden_windows=1))
    assert len(content) < 33_000  # 27 KB of weights
    model = onnx.load_from_string(content)
    assert model.ir_version == 8
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]


def test_the_file_says_whose_it_is() -> None:
    from edgehar.runtimes.exported import model_digest

    bundle = random_bundle("fastgrnn", golden_windows=1)
    told = json.loads(onnx.load_from_string(emit_onnx(bundle)).metadata_props[0].value)
    assert told["model_id"] == bundle.manifest.model_id
    assert told["model_digest"] == model_digest(bundle)
    assert told["labels"] == list(bundle.manifest.labels)
    assert (told["window"], told["hop"]) == (32, 16)
    assert told["units"] == list(bundle.manifest.contract.units)


@pytest.mark.parametrize(
    ("family", "form", "dtype", "named"),
    [
        ("cnn", "step", "float32", "window of 33 samples is not a multiple of its strides"),
        ("gru", "window", "int8", "no int8 ONNX form"),
        ("gru", "window", "int8x16", "int8x16"),
        ("gru", "both", "float32", "both"),
    ],
)
def test_what_there_is_no_file_of_is_refused_by_name(family: str, form: str, dtype: str, named: str) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        emit_onnx(random_bundle(family, golden_windows=1, window=33), form, dtype)
    assert caught.value.hint
