"""The runtime of an exported ONNX file keeps the protocol, and refuses files that are not the bundle's."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import random_bundle

from edgehar.bundle import open_bundle, save_bundle
from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.graph.calibrate import calibrate
from edgehar.runtimes import make_runtime
from edgehar.runtimes.lowered import graph_of
from edgehar.testing.runtime import check_runtime

onnx = pytest.importorskip("onnx", reason="pip install 'edgehar[export]'")
pytest.importorskip("onnxruntime", reason="pip install 'edgehar[ort]'")

from edgehar.export.onnx.emit import emit_onnx  # noqa: E402
from edgehar.runtimes.onnx import OnnxRuntime  # noqa: E402
from edgehar.runtimes.onnx_file import behind_preprocessing, read_description  # noqa: E402

SMALL = {"window": 24, "channels": 5, "classes": 3, "golden_windows": 1}
INSIDE: list[dict[str, Any]] = [
    {"op": "magnitude", "groups": [["acc_x", "acc_y", "acc_z"], ["gyro_x", "gyro_y"]]},
    {"op": "normalize", "mean": [1.0, 0.5], "std": [2.0, 3.0]},
]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "fastgrnn": ("fastgrnn", {"hop": 7, "hidden": 37}),
    "fastgrnn-preprocessing": ("fastgrnn", {"hop": 8, "inputs": 2, "preprocess": INSIDE}),
    "gru": ("gru", {"hop": 30, "hidden": 37}),
    "cnn-preprocessing": ("cnn", {"hop": 6, "hidden": 13, "inputs": 2, "preprocess": INSIDE}),
    "csieffnet": ("csieffnet", {"hop": 6, "hidden": 11}),
    "dscnn": ("dscnn", {"hop": 4, "hidden": 11}),
    "l2mu": ("l2mu", {"hop": 9, "hidden": 37}),
}


def saved(
    tmp_path: Path, family: str = "fastgrnn", form: str = "window", dtype: str = "float32", **options: Any
) -> Any:
    """A bundle on disk with its exported file beside it."""
    bundle = random_bundle(family, **{**SMALL, **options})
    if dtype == "int8":
        x = np.random.default_rng(4).standard_normal((8, 24, 5)).astype(np.float32)
        ranges = {name: list(found) for name, found in calibrate(graph_of(bundle), x).items()}
        quant = {"scheme": "int8", "per_channel": "conv", "calibration": "minmax", "ranges": ranges}
        bundle = replace(bundle, manifest=replace(bundle.manifest, quant=quant))
    save_bundle(bundle, tmp_path / "model.edgehar")
    (tmp_path / "model.onnx").write_bytes(emit_onnx(bundle, form, dtype))
    return open_bundle(tmp_path / "model.edgehar")


@pytest.mark.parametrize("form", ["window", "step"])
@pytest.mark.parametrize("case", CASES)
def test_the_file_beside_the_bundle_keeps_the_protocol(case: str, form: str, tmp_path: Path) -> None:
    family, options = CASES[case]
    bundle = saved(tmp_path, family, form, **options)
    check_runtime(lambda bundle: make_runtime("onnx", bundle), bundle)


@pytest.mark.parametrize("form", ["window", "step"])
def test_integers_keep_it_too_at_their_own_precision(form: str, tmp_path: Path) -> None:
    bundle = saved(tmp_path, "cnn", form, dtype="int8", hop=6)
    check_runtime(lambda bundle: make_runtime("onnx", bundle), bundle, tolerance=0.2)


def test_a_file_can_be_given(tmp_path: Path) -> None:
    bundle = saved(tmp_path)
    (tmp_path / "model.onnx").rename(tmp_path / "other: name.onnx")
    x = np.ones((24, 5), np.float32)
    found = make_runtime(f"onnx:{tmp_path / 'other: name.onnx'}", bundle).window(x)
    assert np.allclose(found, make_runtime("reference", bundle).window(x), atol=1e-5)


def test_a_bundle_without_its_file_names_the_command(tmp_path: Path) -> None:
    bundle = saved(tmp_path)
    (tmp_path / "model.onnx").unlink()
    for asked in (bundle, random_bundle("gru", golden_windows=1)):
        with pytest.raises(MissingError) as caught:
            OnnxRuntime(asked)
        assert caught.value.reason is Reason.NOT_FOUND
        assert "--target onnx" in caught.value.hint


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    bundle = saved(tmp_path)
    other = random_bundle("fastgrnn", seed=1, **SMALL)
    (tmp_path / "model.onnx").write_bytes(emit_onnx(other))
    with pytest.raises(InputError, match="another model"):
        OnnxRuntime(bundle)


@pytest.mark.parametrize("damage", [b"", b"not a model", None])
def test_a_damaged_file_is_refused(damage: bytes | None, tmp_path: Path) -> None:
    bundle = saved(tmp_path)
    content = (tmp_path / "model.onnx").read_bytes()
    (tmp_path / "model.onnx").write_bytes(content[: len(content) // 2] if damage is None else damage)
    with pytest.raises(InputError, match=r"model\.onnx"):
        OnnxRuntime(bundle)


def test_a_runtime_of_the_bundle_itself_takes_no_file() -> None:
    with pytest.raises(UsageError, match="takes no file"):
        make_runtime("numba:model.onnx", random_bundle("gru", golden_windows=1))


def test_the_release_that_dies_on_a_pi_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = saved(tmp_path)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.21.0")
    with pytest.raises(MissingError) as caught:
        OnnxRuntime(bundle)
    assert caught.value.reason is Reason.VERSION
    assert "!=1.21.0" in caught.value.hint


def test_the_cut_file_is_the_same_model_without_its_preprocessing() -> None:
    bundle = random_bundle("gru", preprocess=INSIDE, inputs=2, **SMALL)
    content = emit_onnx(bundle)
    described = read_description(content, "it")
    whole = onnx.load_from_string(content)
    cut = onnx.load_from_string(behind_preprocessing(content, described["samples"]))
    onnx.checker.check_model(cut, full_check=True)
    assert [i.name for i in whole.graph.input] == ["channels"]
    assert [i.name for i in cut.graph.input] == [described["samples"]]
    dropped = len(whole.graph.node) - len(cut.graph.node)
    assert dropped == sum(node.name.startswith("preprocess/") for node in whole.graph.node) > 0
    assert cut.graph.node[:] == whole.graph.node[dropped:]
    assert cut.metadata_props == whole.metadata_props
