"""One weight, one scale, one table entry changed in each kind of artefact: verification fails and names the tensor."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgehar.boards.targets import TARGETS
from edgehar.bundle import Bundle, save_bundle
from edgehar.export.bundles import export_bundle
from edgehar.runtimes.digests import with_digests
from edgehar.runtimes.lowered import int_graph_of
from edgehar.runtimes.stages import stages
from edgehar.verify.run import Result, Status, verify
from edgehar.verify.tflite_constants import tflite_constants
from tests.factories import random_bundle
from tests.quantised import quantised

WINDOWS = 24


def integer_bundle(family: str, scheme: str = "int8") -> Bundle:
    bundle = quantised(random_bundle(family, window=32, hop=16, golden_windows=WINDOWS), scheme)
    recorded = stages(int_graph_of(bundle), bundle.golden["x"][0])
    return with_digests(replace(bundle, golden={**bundle.golden, **recorded}))


@pytest.fixture(scope="module")
def fastgrnn() -> Bundle:
    return integer_bundle("fastgrnn")


@pytest.fixture(scope="module")
def cnn() -> Bundle:
    return integer_bundle("cnn")


def exported(bundle: Bundle, target: str, tmp_path: Path, rounding: str = "auto") -> Path:
    save_bundle(bundle, tmp_path / "model.edgehar")
    export_bundle(tmp_path / "model.edgehar", tmp_path / "out", targets=[target], rounding=rounding)
    return tmp_path / "out"


def run(bundle: Bundle, target: str, directory: Path | None = None) -> Result:
    (result,) = verify(bundle, "model.edgehar", [target], windows=WINDOWS, exported=directory).results
    if result.status is Status.SKIPPED:
        pytest.skip(f"{target}: {result.detail[0]}")
    return result


def change(path: Path, spoil: Callable[[bytes], bytes]) -> None:
    before = path.read_bytes()
    path.write_bytes(spoil(before))
    assert path.read_bytes() != before


def flip(raw: bytes, wanted: bytes, at: int) -> bytes:
    assert raw.count(wanted) == 1, "the test does not know what it would change"
    where = raw.index(wanted) + at
    return raw[:where] + bytes([raw[where] ^ 0x40]) + raw[where + 1 :]


# --- the bundle itself ------------------------------------------------------------------------------------------------


def test_bundle_weight(fastgrnn: Bundle) -> None:
    u = fastgrnn.weights["U"].copy()
    u[2, 3] = -u[2, 3]
    result = run(replace(fastgrnn, weights={**fastgrnn.weights, "U": u}), "reference")
    assert result.status is Status.FAIL
    assert "the tensor 'U' is not what the bundle was made with" in result.detail
    assert "the integer constant 'U' is not what the bundle was made with" in result.detail
    assert any("golden window 0, since the bundle was made: tensor 'pre'" in line for line in result.detail), result


def test_bundle_scale(fastgrnn: Bundle) -> None:
    quant = fastgrnn.manifest.quant
    low, high = quant["ranges"]["x"]
    ranges = {**quant["ranges"], "x": [low, 2 * high]}
    result = run(replace(fastgrnn, manifest=replace(fastgrnn.manifest, quant={**quant, "ranges": ranges})), "reference")
    assert result.status is Status.FAIL
    assert "the scale of 'x' is not what the bundle was made with" in result.detail


def test_bundle_table_entry() -> None:
    """A spiking model's decays are its tables: one entry for each neuron."""
    bundle = integer_bundle("l2mu")
    beta = bundle.weights["beta_h"].copy()
    beta[0] = 0.999 - beta[0]
    result = run(replace(bundle, weights={**bundle.weights, "beta_h": beta}), "reference")
    assert result.status is Status.FAIL
    assert "the integer constant 'beta_h' is not what the bundle was made with" in result.detail


# --- TFLite -----------------------------------------------------------------------------------------------------------


def test_tflite_weight(fastgrnn: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    directory = exported(fastgrnn, "tflite", tmp_path)
    assert run(fastgrnn, "litert", directory).status is Status.PASS
    w = fastgrnn.weights["U"]
    ints = np.rint(w / (np.abs(w).max() / 127)).astype(np.int8)
    change(directory / "model.tflite", lambda raw: flip(raw, ints.tobytes(), 21))
    result = run(fastgrnn, "litert", directory)
    assert result.status is Status.FAIL
    assert any(re.search(r"constant 'body/U.*' element 21 is -?\d+, must be -?\d+", d) for d in result.detail), result


def test_tflite_scale(fastgrnn: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    directory = exported(fastgrnn, "tflite", tmp_path)
    change(directory / "model.tflite", lambda raw: flip(raw, stored(raw, "body/U.multiplier"), 2))
    result = run(fastgrnn, "litert", directory)
    assert result.status is Status.FAIL
    assert any("constant 'body/U.multiplier'" in line for line in result.detail), result


def test_tflite_scale_of_its_own_rounding(fastgrnn: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    directory = exported(fastgrnn, "tflite", tmp_path, rounding="tflite")
    scale = np.float32(np.abs(fastgrnn.weights["U"]).max() / 127).tobytes()
    change(directory / "model.tflite", lambda raw: flip(raw, scale, 2))
    result = run(fastgrnn, "litert", directory)
    assert result.status is Status.FAIL
    assert any("constant 'scale of body/U" in line for line in result.detail), result


def test_tflite_table_entry(fastgrnn: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    directory = exported(fastgrnn, "tflite", tmp_path)
    change(directory / "model.tflite", lambda raw: flip(raw, stored(raw, "body/tanh_table"), 4 * 30 + 2))
    result = run(fastgrnn, "litert", directory)
    assert result.status is Status.FAIL
    assert any("constant 'body/tanh_table' element 30" in line for line in result.detail), result


def test_tflite_of_another_model(fastgrnn: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    directory = exported(fastgrnn, "tflite", tmp_path)
    other = quantised(random_bundle("fastgrnn", window=32, hop=16, golden_windows=WINDOWS, seed=1), "int8")
    result = run(other, "litert", directory)
    assert result.status is Status.FAIL
    assert "another model" in result.detail[0]


def test_tflite_step_file(fastgrnn: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    directory = exported(fastgrnn, "tflite", tmp_path)
    change(directory / "model.step.tflite", lambda raw: flip(raw, stored(raw, "samples/U.multiplier"), 2))
    result = run(fastgrnn, "litert", directory)
    assert result.status is Status.FAIL
    assert any("model.step.tflite: constant 'samples/U.multiplier'" in line for line in result.detail), result


def stored(raw: bytes, name: str) -> bytes:
    return tflite_constants(raw, "file")[name].tobytes()


def test_a_file_for_a_chip_takes_channels_only(fastgrnn: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    save_bundle(fastgrnn, tmp_path / "model.edgehar")
    export_bundle(tmp_path / "model.edgehar", tmp_path / "out", targets=["tflite"], board="stm32h743")
    result = run(fastgrnn, "litert", tmp_path / "out")
    assert result.status is Status.UNSUPPORTED
    assert "channels only" in result.detail[0]


# --- ONNX -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["weight", "scale", "bias"])
def test_onnx(kind: str, cnn: Bundle, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    directory = exported(cnn, "onnx", tmp_path)
    assert run(cnn, "onnxruntime", directory).status is Status.PASS
    path = directory / "model.onnx"
    model = onnx.load(path)
    spoilt = next(t for t in model.graph.initializer if fits(onnx, t, kind))
    value = onnx.numpy_helper.to_array(spoilt).copy()
    flat = value.reshape(-1)
    flat[0] = flat[0] * 4 if value.dtype == np.float32 else flat[0] ^ 0x40
    spoilt.CopyFrom(onnx.numpy_helper.from_array(value, spoilt.name))
    onnx.save(model, path)
    result = run(cnn, "onnxruntime", directory)
    assert result.status is Status.FAIL
    assert any(f"constant '{spoilt.name}' element 0 is" in line for line in result.detail), result


def fits(onnx, tensor, kind: str) -> bool:
    value = onnx.numpy_helper.to_array(tensor)
    if kind == "weight":
        return value.dtype == np.int8 and value.size > 50
    if kind == "scale":
        return value.dtype == np.float32 and "scale" in tensor.name
    return value.dtype == np.int32 and value.size > 1


# --- C ----------------------------------------------------------------------------------------------------------------


def c_or_skip() -> str:
    install = TARGETS["gcc-O0"].missing()
    if install is not None:
        pytest.skip(f"gcc is missing: {install}")
    return "c:gcc-O0"


def test_c_as_exported(fastgrnn: Bundle, tmp_path: Path) -> None:
    assert run(fastgrnn, c_or_skip(), exported(fastgrnn, "c", tmp_path)).status is Status.PASS


@pytest.mark.parametrize("constant", ["c_U", "c_W_multiplier", "c_tanh_table"])
def test_c_constant(constant: str, fastgrnn: Bundle, tmp_path: Path) -> None:
    target = c_or_skip()
    directory = exported(fastgrnn, "c", tmp_path)
    source = directory / "c" / "eh_model.c"
    text = source.read_text()
    pattern = rf"(const \w+ {constant}\b[^=]*= (?:\{{\s*)?(?:-?\d+, ){{0,9}})(-?\d+)"
    found = re.search(pattern, text)
    assert found is not None, constant
    number = int(found[2])
    source.write_text(text[: found.start(2)] + str(-number if abs(number) > 2 else number + 90) + text[found.end(2) :])
    result = run(fastgrnn, target, directory)
    assert result.status is Status.FAIL
    name = constant.removeprefix("c_").replace("_multiplier", ".multiplier")
    assert any(f"constant '{name}'" in line for line in result.detail), result
    assert any("first divergence: tensor '" in line for line in result.detail), result
