"""`export_bundle`: what is written for which target, dtype, form and board, and what is refused with which advice."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import random_bundle

from edgehar.bundle import open_bundle, save_bundle
from edgehar.errors import EdgeHarError, MissingError, Reason, UsageError
from edgehar.export import export_bundle
from edgehar.export.targets import EMITTERS
from edgehar.graph.calibrate import calibrate
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes import make_runtime
from edgehar.runtimes.lowered import graph_of, int_graph_of

pytest.importorskip("onnx", reason="pip install 'edgehar[export]'")
pytest.importorskip("flatbuffers", reason="pip install 'edgehar[export]'")


def saved(tmp_path: Path, family: str = "fastgrnn", scheme: str = "", **options: Any) -> Path:
    bundle = random_bundle(family, **options)
    if scheme:
        x = np.random.default_rng(4).standard_normal((8, 32, 6)).astype(np.float32)
        ranges = {name: list(found) for name, found in calibrate(graph_of(bundle), x).items()}
        quant = {"scheme": scheme, "per_channel": "conv", "calibration": "minmax", "ranges": ranges}
        bundle = replace(bundle, manifest=replace(bundle.manifest, quant=quant))
        golden = {"x": x, "logits": run_int_graph(int_graph_of(bundle), x)}
        bundle = replace(bundle, golden=golden)
    path = tmp_path / "watch.edgehar"
    save_bundle(bundle, path)
    return path


def written(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def chosen(told: dict[str, Any]) -> dict[str, set[str]]:
    return {
        made["target"]: {m["dtype"] for m in told["exports"] if m["target"] == made["target"]}
        for made in told["exports"]
    }


def test_a_directory_holds_every_target_the_bundle_and_what_they_are(tmp_path: Path) -> None:
    path, out = saved(tmp_path), tmp_path / "deep" / "out"
    told = export_bundle(path, out)
    assert told == json.loads((out / "export.json").read_text())
    top = {"watch.tflite", "watch.step.tflite", "watch.onnx", "watch.step.onnx", "watch.edgehar", "export.json"}
    assert {name for name in written(out) if "/" not in name} == top
    assert {"c/eh_model.c", "c/eh_model.h", "c/eh_stream.c"} <= written(out)
    assert set(told["files"]) == written(out) - {"export.json"}
    for name, measured in told["files"].items():
        content = (out / name).read_bytes()
        assert measured == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert told["bundle_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["input"]["channels"] == ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
    assert told["input"]["units"] == ["g", "g", "g", "radps", "radps", "radps"]
    assert (told["input"]["window"], told["input"]["rate_hz"]) == (32, 50.0)
    assert not list(tmp_path.glob("**/.*")), "nothing temporary is left"


def test_equal_bundles_give_equal_directories(tmp_path: Path) -> None:
    path = saved(tmp_path)
    told = [export_bundle(path, tmp_path / name)["files"] for name in ("a", "b")]
    assert told[0] == told[1]


def test_the_directory_runs(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="pip install 'edgehar[ort]'")
    export_bundle(saved(tmp_path, "cnn"), tmp_path / "out", targets=["onnx"])
    bundle = open_bundle(tmp_path / "out" / "watch.edgehar")
    x = bundle.golden["x"][0]
    assert np.allclose(make_runtime("onnx", bundle).window(x), make_runtime("reference", bundle).window(x), atol=1e-5)


@pytest.mark.parametrize(
    ("family", "scheme", "expected"),
    [
        ("gru", "", {"tflite": "float32", "onnx": "float32", "c": "float32"}),
        ("gru", "int8", {"tflite": "int8", "onnx": "dynamic", "c": "int8"}),
        ("gru", "int8x16", {"tflite": "int8x16", "onnx": "dynamic", "c": "int8x16"}),
        ("cnn", "int8", {"tflite": "int8", "onnx": "int8", "c": "int8"}),
    ],
)
def test_auto_takes_the_bundles_integers_where_they_exist(
    family: str, scheme: str, expected: dict[str, str], tmp_path: Path
) -> None:
    told = export_bundle(saved(tmp_path, family, scheme), tmp_path / "out")
    assert chosen(told) == {target: {dtype} for target, dtype in expected.items()}


def test_what_has_no_step_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path, "cnn", window=33)
    told = export_bundle(path, tmp_path / "out", targets=["onnx", "tflite"])
    assert [(gap["target"], gap["form"]) for gap in told["unsupported"]] == [("tflite", "step"), ("onnx", "step")]
    assert all("33 samples" in gap["reason"] for gap in told["unsupported"])
    with pytest.raises(UsageError, match="no step form"):
        export_bundle(path, tmp_path / "other", targets=["onnx"], form="step")
    assert not (tmp_path / "other").exists()


def test_filters_outside_a_file_are_listed(tmp_path: Path) -> None:
    ops = [{"op": "median3"}, {"op": "normalize", "mean": [0.0] * 6, "std": [1.0] * 6}]
    told = export_bundle(saved(tmp_path, preprocess=ops, delay_samples=1), tmp_path / "out", form="window")
    by_target = {made["target"]: made for made in told["exports"]}
    for target in ("tflite", "onnx"):
        assert by_target[target]["preprocess_outside"] == ops[:1]
        assert by_target[target]["preprocess_inside"] == ["normalize"]
    assert by_target["c"]["preprocess_outside"] == []
    assert by_target["c"]["preprocess_inside"] == ["median3", "normalize"]


def test_a_chip_gets_what_it_runs(tmp_path: Path) -> None:
    path = saved(tmp_path)
    told = export_bundle(path, tmp_path / "out", board="nrf52840")
    assert {made["target"] for made in told["exports"]} == {"tflite", "c"}
    assert told["board"] == "nrf52840"
    both = export_bundle(path, tmp_path / "desk", targets=["tflite"])
    assert told["files"]["watch.tflite"]["bytes"] <= both["files"]["watch.tflite"]["bytes"]


@pytest.mark.parametrize(
    ("asked", "named", "advice"),
    [
        ({"board": "nrf5284O"}, "nrf5284O", "nrf52840"),
        ({"board": "nrf52840", "targets": ["onnx"]}, "does not run onnx", "tflite"),
        ({"board": "nrf52840", "targets": ["tflite"], "dtype": "dynamic"}, "tflite dynamic", "int8"),
        ({"targets": ["onx"]}, "onx", "onnx"),
        ({"targets": ["c"], "dtype": "dynamic"}, "dynamic", "--dtype float32"),
        ({"dtype": "int4"}, "int4", "int8x16"),
        ({"form": "stream"}, "stream", "window"),
        ({"dtype": "int8"}, "not quantised to int8", "edgehar compress"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(asked: dict[str, Any], named: str, advice: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        export_bundle(saved(tmp_path), tmp_path / "out", **asked)
    assert advice in caught.value.hint
    assert written(tmp_path) == {"watch.edgehar"}


def test_another_scheme_than_the_bundles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="int8x16 but to int8") as caught:
        export_bundle(saved(tmp_path, scheme="int8"), tmp_path / "out", dtype="int8x16")
    assert "edgehar compress FLOAT_BUNDLE" in caught.value.hint  # a quantised bundle takes no further step


def test_a_model_that_does_not_fit_is_refused_with_numbers_and_the_compression(tmp_path: Path) -> None:
    path = saved(tmp_path, hidden=270, golden_windows=8)
    with pytest.raises(EdgeHarError, match=r"does not fit nrf52840: \d+ bytes of flash, .* 262144") as caught:
        export_bundle(path, tmp_path / "out", board="nrf52840")
    assert caught.value.hint.startswith(f"edgehar compress {path} --quant int8")
    assert not (tmp_path / "out").exists()


def test_a_form_that_does_not_fit_is_left_out_where_another_does(tmp_path: Path) -> None:
    path = saved(tmp_path, window=3000, hop=3000, golden_windows=8)
    told = export_bundle(path, tmp_path / "out", board="nrf52840", targets=["tflite"])
    assert [made["form"] for made in told["exports"]] == ["step"]
    (gap,) = told["unsupported"]
    assert gap["form"] == "window"
    assert "bytes of RAM" in gap["reason"]
    with pytest.raises(EdgeHarError, match="bytes of RAM"):
        export_bundle(path, tmp_path / "whole", board="nrf52840", targets=["tflite"], form="window")


def test_a_missing_package_is_named_with_its_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = saved(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnx" or "export.onnx" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingError, match="onnx") as caught:
        export_bundle(path, tmp_path / "out", targets=["onnx"])
    assert caught.value.reason is Reason.NOT_INSTALLED
    assert "edgehar[export]" in caught.value.hint


def test_progress_counts_the_files_to_make(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    export_bundle(saved(tmp_path), tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 5) for i in range(5)]


def test_the_registry_is_literal() -> None:
    assert list(EMITTERS) == ["tflite", "onnx", "c"]


def test_an_emitter_may_come_from_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    def found(group: str) -> list[EntryPoint]:
        value = "edgehar.export.targets:onnx_files"
        return [EntryPoint("twin", value, group)] if group == "edgehar.emitters" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", found)
    told = export_bundle(saved(tmp_path), tmp_path / "out", targets=["twin", "c"], form="window")
    assert [made["target"] for made in told["exports"]] == ["c", "twin"]
    assert (tmp_path / "out" / "watch.onnx").is_file()
