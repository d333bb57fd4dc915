"""What a block adds to its input in an int8 file: rounded once, as in the integer graph, or in int8 for a chip."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle
from interpreters import Micro, run_litert
from quantised import quantised

from edgehar.bundle import Bundle, save_bundle
from edgehar.errors import UsageError
from edgehar.export.bundles import export_bundle
from edgehar.export.memory import window_ram_bytes
from edgehar.export.tflite.emit import emit_tflite
from edgehar.graph.ops import Conv
from edgehar.runtimes.lowered import graph_of
from edgehar.runtimes.tflite_file import read_description
from edgehar.verify.litert import LitertTarget
from edgehar.verify.run import Status, verify
from edgehar.verify.tflite_constants import tflite_constants

FAMILIES = ("cnn", "csieffnet", "fusion")
WINDOWS = 200


@cache
def bundle_of(family: str) -> Bundle:
    """Its labels are close: no class is ahead of another on the mean of the golden windows."""
    bundle = random_bundle(family, window=48, hop=12, golden_windows=WINDOWS, hidden=24)
    bias = bundle.manifest.model["layers"][-1]["name"] + ".b"
    level = bundle.weights[bias] - bundle.golden["logits"].mean(axis=0)
    return quantised(replace(bundle, weights={**bundle.weights, bias: level}), "int8")


def logits_of(bundle: Bundle, sums: str) -> np.ndarray:
    model = emit_tflite(bundle, "window", "int8", entries="samples", sums=sums)
    return np.concatenate([run_litert(model, {"x": x}, "samples")["logits"] for x in bundle.golden["x"][:40]])


@pytest.mark.parametrize("family", FAMILIES)
def test_sums_in_float32_are_much_nearer_to_the_integer_graph(family: str) -> None:
    bundle = bundle_of(family)
    once, twice = (
        np.sqrt(np.mean(np.square(logits_of(bundle, sums) - bundle.golden["logits"][:40])))
        for sums in ("float32", "int8")
    )
    assert once < 0.2 * twice


@pytest.mark.parametrize("family", FAMILIES)
def test_int8_files_pass_verification(family: str) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    (result,) = verify(bundle_of(family), "model.edgehar", ["litert"], windows=WINDOWS).results
    assert result.status is Status.PASS, result.detail


@pytest.mark.parametrize("family", FAMILIES)
def test_verification_would_see_sums_in_int8(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    bundle = bundle_of(family)
    monkeypatch.setattr(LitertTarget, "emit", lambda _, form: emit_tflite(bundle, form, "int8", sums="int8"))
    (result,) = verify(bundle, "model.edgehar", ["litert"], windows=WINDOWS).results
    assert result.status is Status.FAIL


@pytest.mark.parametrize("family", FAMILIES)
def test_tflite_micro_runs_the_file_of_a_chip(family: str) -> None:
    bundle = bundle_of(family)
    micro = Micro(emit_tflite(bundle, "window", "int8", entries="samples", sums="int8"))
    found = np.concatenate([micro(x)[0] for x in bundle.golden["x"][:8]])
    golden = bundle.golden["logits"][:8]
    assert np.abs(found - golden).max() < 0.05 * np.abs(golden).max()


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_int8_whatever_the_sums_are(family: str) -> None:
    bundle = bundle_of(family)
    files = {sums: emit_tflite(bundle, "window", "int8", sums=sums) for sums in ("float32", "int8")}
    stored = {sums: tflite_constants(content, sums) for sums, content in files.items()}
    for op in graph_of(bundle).step:
        assert isinstance(op, Conv)
        kernels = [stored[sums][f"samples/{op.w.name}"] for sums in files]
        assert all(kernel.dtype == np.int8 and kernel.size == op.w.value.size for kernel in kernels)
        np.testing.assert_array_equal(*kernels)
    assert len(files["float32"]) < 1.1 * len(files["int8"])


@pytest.mark.parametrize(
    ("board", "wish", "sums"),
    [
        ("stm32h743", "auto", "int8"),
        ("stm32h743", "float32", "float32"),
        ("pi-4", "auto", "float32"),
        ("pi-4", "int8", "int8"),
        ("", "auto", "float32"),
    ],
)
def test_the_board_or_the_user_decides_what_an_export_holds(board: str, wish: str, sums: str, tmp_path: Path) -> None:
    bundle = bundle_of("cnn")
    path, out = tmp_path / "model.edgehar", tmp_path / "out"
    save_bundle(bundle, path)
    told = export_bundle(path, out, targets=["tflite"], board=board, form="window", sums=wish)
    content = (out / "model.tflite").read_bytes()
    unpacked = {name for name in tflite_constants(content, "file") if name.endswith(".scales")}
    assert bool(unpacked) == (sums == "float32")
    assert told["exports"][0]["sums"] == read_description(content, "file")["sums"] == sums
    graph = graph_of(bundle)
    lean = window_ram_bytes(graph, graph.inputs, "int8")
    ends = [op for op in graph.step if op.skip]
    kernels = 4 * sum(op.w.value.size for op in ends)
    more = told["exports"][0]["needs"]["ram_bytes"] - lean
    assert more > kernels > 0 if sums == "float32" else more == 0


@pytest.mark.parametrize("sums", ["float32", "int8"])
def test_files_that_were_exported_are_held_to_their_own_sums(sums: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    bundle = bundle_of("csieffnet")
    path, out = tmp_path / "model.edgehar", tmp_path / "out"
    save_bundle(bundle, path)
    export_bundle(path, out, targets=["tflite"], sums=sums)
    (result,) = verify(bundle, "model.edgehar", ["litert"], windows=WINDOWS, exported=out).results
    assert result.status is (Status.PASS if sums == "float32" else Status.FAIL)  # of labels, see above
    assert not any("constant" in line for line in result.detail)
    op = next(op for op in graph_of(bundle).step if isinstance(op, Conv) and op.skip)
    raw = (out / "model.tflite").read_bytes()
    kernel = tflite_constants(raw, "file")[f"samples/{op.w.name}"].tobytes()
    assert raw.count(kernel) == 1
    (out / "model.tflite").write_bytes(raw.replace(kernel, kernel[::-1]))
    (result,) = verify(bundle, "model.edgehar", ["litert"], windows=WINDOWS, exported=out).results
    assert any(f"constant 'samples/{op.w.name}'" in line for line in result.detail), result.detail


def test_a_recurrent_file_has_no_such_sums(tmp_path: Path) -> None:
    bundle = quantised(random_bundle("gru", golden_windows=4), "int8")
    model = emit_tflite(bundle, "step", "int8")
    assert model == emit_tflite(bundle, "step", "int8", sums="int8")
    assert "sums" not in read_description(model, "file")
    save_bundle(bundle, tmp_path / "model.edgehar")
    with pytest.raises(UsageError, match="no file of this export has sums to be in int8"):
        export_bundle(tmp_path / "model.edgehar", tmp_path / "out", sums="int8")
    with pytest.raises(UsageError, match="no kind of sums is called 'int4'"):
        export_bundle(tmp_path / "model.edgehar", tmp_path / "out", sums="int4")


def test_other_sums_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no TFLite sums is called 'int4'"):
        emit_tflite(bundle_of("cnn"), "window", "int8", sums="int4")
