"""int8 TFLite files that round as the integer graph does, and those that round as TFLite does, for a chip."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle
from interpreters import Micro, run_litert
from quantised import quantised

from edgehar.bundle import Bundle, open_bundle, save_bundle
from edgehar.errors import EdgeHarError, UsageError
from edgehar.export.bundles import export_bundle
from edgehar.export.memory import exact_bytes, window_ram_bytes
from edgehar.export.tflite.emit import emit_tflite
from edgehar.graph.execute import trace
from edgehar.graph.intexecute import run_int_graph
from edgehar.graph.ops import Conv, constants_of
from edgehar.runtimes.lowered import graph_of, int_graph_of
from edgehar.runtimes.tflite_file import read_description
from edgehar.verify.litert import LitertTarget
from edgehar.verify.run import Status, verify
from edgehar.verify.tflite_constants import tflite_constants

CONVNETS, GATED = ("cnn", "csieffnet", "fusion"), ("fastgrnn", "gru")
FAMILIES = (*CONVNETS, *GATED)
WINDOWS = 200


@cache
def bundle_of(family: str) -> Bundle:
    """Its labels are close: no class is ahead of another on the mean of the golden windows."""
    bundle = random_bundle(family, window=48, hop=12, golden_windows=WINDOWS, hidden=24)
    bias = "fc_b" if family in GATED else bundle.manifest.model["layers"][-1]["name"] + ".b"
    level = bundle.weights[bias] - bundle.golden["logits"].mean(axis=0)
    return quantised(replace(bundle, weights={**bundle.weights, bias: level}), "int8")


def logits_of(bundle: Bundle, rounding: str) -> np.ndarray:
    model = emit_tflite(bundle, "window", "int8", entries="samples", rounding=rounding)
    return np.concatenate([run_litert(model, {"x": x}, "samples")["logits"] for x in bundle.golden["x"][:40]])


@pytest.mark.parametrize("family", FAMILIES)
def test_exact_rounding_is_much_nearer_to_the_integer_graph(family: str) -> None:
    bundle = bundle_of(family)
    exact, tflite = (
        np.sqrt(np.mean(np.square(logits_of(bundle, rounding) - bundle.golden["logits"][:40])))
        for rounding in ("exact", "tflite")
    )
    assert exact < 0.2 * tflite


VARIANTS = {"low rank": ("fastgrnn", {"hidden": 61, "rank_w": 3, "rank_u": 9}), "large": ("gru", {"hidden": 96})}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("per_channel", ["none", "all"])
def test_gated_states_are_those_of_the_integer_graph(variant: str, per_channel: str) -> None:
    """Sample by sample, from the state that the file itself gave before."""
    family, options = VARIANTS[variant]
    bundle = quantised(random_bundle(family, window=64, golden_windows=8, **options), "int8", per_channel)
    model = emit_tflite(bundle, "step", "int8", entries="samples")
    h, moved = np.zeros((1, options["hidden"]), np.int8), 0
    right = trace(run_int_graph, int_graph_of(bundle), bundle.golden["x"][0])["h_next"]
    for sample, state in zip(bundle.golden["x"][0], right, strict=True):
        h = run_litert(model, {"x": sample[None], "h": h}, "samples")["h_next"]
        moved += int((h[0] != state).sum())
    assert moved <= 0.002 * right.size


@pytest.mark.parametrize("family", FAMILIES)
def test_int8_files_pass_verification(family: str) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    (result,) = verify(bundle_of(family), "model.edgehar", ["litert"], windows=WINDOWS).results
    assert result.status is Status.PASS, result.detail


@pytest.mark.parametrize("family", CONVNETS)
def test_verification_would_see_how_tflite_rounds(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    bundle = bundle_of(family)
    monkeypatch.setattr(LitertTarget, "emit", lambda _, form: emit_tflite(bundle, form, "int8", rounding="tflite"))
    (result,) = verify(bundle, "model.edgehar", ["litert"], windows=WINDOWS).results
    assert result.status is Status.FAIL


@pytest.mark.parametrize("family", FAMILIES)
def test_tflite_micro_rounds_exactly_too(family: str) -> None:
    bundle = bundle_of(family)
    golden = bundle.golden["logits"][:8]
    micro = Micro(emit_tflite(bundle, "window", "int8", entries="samples"))
    found = np.concatenate([micro(x)[0] for x in bundle.golden["x"][:8]])
    assert np.abs(found - golden).max() < 0.01 * np.abs(golden).max()


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_int8_whatever_the_rounding(family: str) -> None:
    bundle = bundle_of(family)
    files = {how: emit_tflite(bundle, "window", "int8", entries="samples", rounding=how) for how in ("exact", "tflite")}
    stored = {how: tflite_constants(content, how) for how, content in files.items()}
    subgraph = "body" if family in GATED else "samples"
    kernels = [c.name for op in graph_of(bundle).step for c in constants_of(op) if c.value.ndim > 1]
    assert kernels
    for name in kernels:
        one, other = (constants[f"{subgraph}/{name}"] for constants in stored.values())
        assert one.dtype == np.int8
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("board", "wish", "rounding"),
    [
        ("stm32h743", "auto", "tflite"),
        ("stm32h743", "exact", "exact"),
        ("pi-4", "auto", "exact"),
        ("pi-4", "tflite", "tflite"),
        ("", "auto", "exact"),
    ],
)
@pytest.mark.parametrize("family", ["cnn", "fastgrnn"])
def test_the_board_or_the_user_decides(family: str, board: str, wish: str, rounding: str, tmp_path: Path) -> None:
    bundle = bundle_of(family)
    path, out = tmp_path / "model.edgehar", tmp_path / "out"
    save_bundle(bundle, path)
    told = export_bundle(path, out, targets=["tflite"], board=board, form="window", rounding=wish)
    content = (out / "model.tflite").read_bytes()
    entries = "channels" if board == "stm32h743" else "both"
    assert content == emit_tflite(open_bundle(path), "window", "int8", entries=entries, rounding=rounding)
    assert told["exports"][0]["rounding"] == read_description(content, "file")["rounding"] == rounding
    graph = graph_of(bundle)
    more = told["exports"][0]["needs"]["ram_bytes"] - window_ram_bytes(graph, graph.inputs, "int8")
    assert more == (exact_bytes(graph) if rounding == "exact" else 0)


def test_what_only_fits_as_tflite_rounds_says_so(tmp_path: Path) -> None:
    bundle = quantised(random_bundle("gru", hidden=80, golden_windows=2), "int8")
    save_bundle(bundle, tmp_path / "model.edgehar")
    with pytest.raises(EdgeHarError, match="does not fit nrf52840") as caught:
        export_bundle(
            tmp_path / "model.edgehar", tmp_path / "out", targets=["tflite"], board="nrf52840", rounding="exact"
        )
    assert "give --rounding tflite" in caught.value.hint


@pytest.mark.parametrize("rounding", ["exact", "tflite"])
def test_files_that_were_exported_are_held_to_their_own_rounding(rounding: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    bundle = bundle_of("csieffnet")
    path, out = tmp_path / "model.edgehar", tmp_path / "out"
    save_bundle(bundle, path)
    export_bundle(path, out, targets=["tflite"], rounding=rounding)
    (result,) = verify(bundle, "model.edgehar", ["litert"], windows=WINDOWS, exported=out).results
    assert result.status is (Status.PASS if rounding == "exact" else Status.FAIL)  # of labels, see above
    assert not any("constant" in line for line in result.detail)
    op = next(op for op in graph_of(bundle).step if isinstance(op, Conv) and op.skip)
    raw = (out / "model.tflite").read_bytes()
    kernel = tflite_constants(raw, "file")[f"samples/{op.w.name}"].tobytes()
    assert raw.count(kernel) == 1
    (out / "model.tflite").write_bytes(raw.replace(kernel, kernel[::-1]))
    (result,) = verify(bundle, "model.edgehar", ["litert"], windows=WINDOWS, exported=out).results
    assert any(f"constant 'samples/{op.w.name}'" in line for line in result.detail), result.detail


@pytest.mark.parametrize("family", ["l2mu", "dscnn"])
def test_others_have_no_choice(family: str, tmp_path: Path) -> None:
    bundle = quantised(random_bundle(family, golden_windows=4), "int8")
    model = emit_tflite(bundle, "window", "int8")
    assert "rounding" not in read_description(model, "file")
    assert model == emit_tflite(bundle, "window", "int8", rounding="tflite")
    save_bundle(bundle, tmp_path / "model.edgehar")
    with pytest.raises(UsageError, match="no file of this export can be rounded 'tflite'"):
        export_bundle(tmp_path / "model.edgehar", tmp_path / "out", rounding="tflite")


def test_an_unknown_rounding_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no TFLite rounding is called 'up'"):
        emit_tflite(bundle_of("cnn"), "window", "int8", rounding="up")
    save_bundle(bundle_of("cnn"), tmp_path / "model.edgehar")
    with pytest.raises(UsageError, match="no rounding is called 'up'"):
        export_bundle(tmp_path / "model.edgehar", tmp_path / "out", rounding="up")
