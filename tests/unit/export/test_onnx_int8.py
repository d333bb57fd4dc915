"""Int8 ONNX files of convnets against the integer graph: columns within a unit or two, labels the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories import conv, random_bundle

from edgehar.bundle import Bundle, open_bundle
from edgehar.demo import BUNDLE
from edgehar.errors import UsageError
from edgehar.graph.calibrate import calibrate
from edgehar.graph.execute import trace
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes.lowered import graph_of, int_graph_of

onnx = pytest.importorskip("onnx", reason="pip install 'edgehar[export]'")
ort = pytest.importorskip("onnxruntime", reason="pip install 'edgehar[ort]'")

from edgehar.export.onnx.emit import emit_onnx  # noqa: E402
from edgehar.runtimes.onnx_file import behind_preprocessing, read_description  # noqa: E402

GROUPED = [
    conv("a", 12, 3),
    conv("b", 8, 2, 2, groups=4, relu=False),
    {"op": "residual", "body": [conv("d", 8, 1), conv("e", 8, 3, groups=8), conv("f", 8, 3, relu=False)]},
    {"op": "mean"},
    {"op": "linear", "name": "head"},
]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("cnn", {"hidden": 24}),
    "csieffnet": ("csieffnet", {"hidden": 24}),
    "dscnn": ("dscnn", {"hidden": 24}),
    "grouped": ("cnn", {"layers": GROUPED}),
}


def quantised(bundle: Bundle, x: np.ndarray, per_channel: str = "conv", scheme: str = "int8") -> Bundle:
    ranges = {name: list(found) for name, found in calibrate(graph_of(bundle), x).items()}
    quant = {"scheme": scheme, "per_channel": per_channel, "calibration": "minmax", "ranges": ranges}
    return replace(bundle, manifest=replace(bundle.manifest, quant=quant))


def run(content: bytes, x: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    """As in the file, without the optimiser: intermediate integers are what the file says, not what a fusion keeps."""
    model = onnx.load_from_string(behind_preprocessing(content, read_description(content, "it")["samples"]))
    onnx.checker.check_model(model, full_check=True)
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in outputs)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(["logits", *outputs], {session.get_inputs()[0].name: x})
    return found


@pytest.mark.parametrize("per_channel", ["none", "conv", "all"])
@pytest.mark.parametrize("case", CASES)
def test_columns_are_the_integer_graphs(case: str, per_channel: str) -> None:
    family, options = CASES[case]
    bundle = random_bundle(family, golden_windows=1, **options)
    x = np.random.default_rng(1).standard_normal((16, 32, 6)).astype(np.float32)
    bundle = quantised(bundle, x, per_channel)
    graph = int_graph_of(bundle)
    names = [op.out for op in graph.step]
    found = run(emit_onnx(bundle, "window", "int8"), x[:1], [f"{name}.int" for name in names])
    expected = trace(run_int_graph, graph, x[0])
    for name, columns in zip(names, found[1:], strict=True):
        assert columns.dtype == np.int8
        off = np.abs(columns[0].T.astype(int) - expected[name])
        assert off.max() <= 2, name
        assert (off == 0).mean() > 0.9, name


@pytest.mark.parametrize("case", CASES)
def test_steps_give_the_windows_logits(case: str) -> None:
    family, options = CASES[case]
    x = np.random.default_rng(1).standard_normal((1, 32, 6)).astype(np.float32)
    bundle = quantised(random_bundle(family, golden_windows=1, **options), x)
    (expected,) = run(emit_onnx(bundle, "window", "int8"), x, [])
    step = ort.InferenceSession(emit_onnx(bundle, "step", "int8"), providers=["CPUExecutionProvider"])
    (_, samples, _), *_ = (i.shape for i in step.get_inputs())
    states = {i.name: np.zeros((1, *i.shape[1:]), np.float32) for i in step.get_inputs()[1:]}
    for t in range(0, 32, samples):
        logits, *after = step.run(None, {"channels": x[:, t : t + samples], **states})
        states = dict(zip(states, after, strict=True))
    assert np.allclose(logits, expected, atol=1e-6)


@pytest.mark.parametrize("scheme", ["int8", "int8x16"])
def test_a_real_models_labels_are_the_integer_graphs(scheme: str) -> None:
    bundle = open_bundle(BUNDLE)
    x = bundle.golden["x"]
    made = quantised(bundle, x, scheme=scheme)  # the file is int8 either way
    (logits,) = run(emit_onnx(made, "window", "int8"), x, [])
    expected = run_int_graph(int_graph_of(quantised(bundle, x)), x)
    assert (logits.argmax(1) == expected.argmax(1)).mean() >= 0.995
    assert np.sqrt(np.mean((logits - expected) ** 2)) < 0.02 * expected.std()


def test_int8_files_are_small() -> None:
    bundle = open_bundle(BUNDLE)
    made = emit_onnx(quantised(bundle, bundle.golden["x"][:8]), "window", "int8")
    assert len(made) < 0.4 * len(emit_onnx(bundle))


def test_a_model_without_ranges_is_refused_with_the_command() -> None:
    with pytest.raises(UsageError, match="not quantised") as caught:
        emit_onnx(open_bundle(BUNDLE), "window", "int8")
    assert "edgehar compress" in caught.value.hint
