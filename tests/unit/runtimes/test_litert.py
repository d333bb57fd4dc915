"""The runtime of an exported file: it keeps the protocol, finds its file, and takes the interpreter that is there."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from tflite_cases import small_bundle

from edgehar.bundle import open_bundle, save_bundle
from edgehar.errors import InputError, MissingError, Reason
from edgehar.export.tflite.emit import emit_tflite
from edgehar.runtimes import litert, make_runtime
from edgehar.runtimes.litert import LitertRuntime
from edgehar.testing.runtime import check_runtime

CASES = [
    ("fastgrnn", "step", "float32"),
    ("fastgrnn", "window", "int8"),
    ("gru", "step", "int8"),
    ("gru", "window", "float32"),
    ("l2mu", "step", "int8x16"),
    ("l2mu", "window", "float32"),
    ("cnn", "window", "int8"),
    ("cnn", "step", "int8"),
    ("csieffnet", "step", "int8"),
    ("csieffnet", "window", "float32"),
    ("dscnn", "step", "float32"),
    ("dscnn", "window", "float32"),
]
TOLERANCE = {"float32": 1e-4, "int8": 0.03, "int8x16": 1e-4}


def exported(bundle, directory, form="window", dtype="float32", **options):
    path = directory / "model.tflite"
    path.write_bytes(emit_tflite(bundle, form, dtype, **options))
    return path


@pytest.mark.parametrize(("family", "form", "dtype"), CASES)
def test_it_keeps_the_protocol(family, form, dtype, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    bundle = small_bundle(family, dtype)
    path = exported(bundle, tmp_path, form, dtype)
    check_runtime(lambda b: LitertRuntime(b, path), bundle, tolerance=TOLERANCE[dtype])


def test_the_file_beside_the_bundle_is_found(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    save_bundle(small_bundle("gru"), tmp_path / "walk.edgehar")
    bundle = open_bundle(tmp_path / "walk.edgehar")
    with pytest.raises(MissingError) as caught:
        make_runtime("litert", bundle)
    assert "walk.tflite" in str(caught.value)
    assert "edgehar export" in caught.value.hint
    (tmp_path / "walk.tflite").write_bytes(emit_tflite(bundle))
    x = bundle.golden["x"][0]
    np.testing.assert_allclose(
        make_runtime("litert", bundle).window(x), bundle.golden["logits"][0], rtol=1e-4, atol=1e-5
    )


def test_a_file_of_another_model_is_refused(tmp_path):
    path = exported(small_bundle("gru"), tmp_path)
    with pytest.raises(InputError, match="another model"):
        LitertRuntime(small_bundle("gru", seed=3), path)


def test_a_file_that_takes_raw_channels_only_is_refused(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    path = exported(small_bundle("gru"), tmp_path, entries="channels")
    with pytest.raises(InputError, match="no entry behind its preprocessing"):
        LitertRuntime(small_bundle("gru"), path)


class _Found:
    """Stands for a package's interpreter: remembers what it was opened with."""

    def __init__(self, model_content, num_threads):
        self.opened = (model_content, num_threads)


def installed(monkeypatch, *packages):
    """Only these of the interpreters' modules can be imported."""
    for package, module in litert.INTERPRETERS:
        fake = ModuleType(module)
        fake.Interpreter = type(f"Of_{package}", (_Found,), {})
        monkeypatch.setitem(sys.modules, package, ModuleType(package) if package in packages else None)
        monkeypatch.setitem(sys.modules, module, fake if package in packages else None)


def test_the_first_interpreter_that_is_installed_is_taken(monkeypatch):
    monkeypatch.setattr(litert, "check_numpy", lambda _: None)
    everything = [package for package, _ in litert.INTERPRETERS]
    for i, package in enumerate(everything):
        installed(monkeypatch, *everything[i:])
        found = litert.open_interpreter(b"model")
        assert type(found).__name__ == f"Of_{package}"
        assert found.opened == (b"model", 1)


def test_no_interpreter_is_a_clear_error(monkeypatch):
    installed(monkeypatch)
    with pytest.raises(MissingError) as caught:
        litert.open_interpreter(b"model")
    assert caught.value.reason == Reason.NOT_INSTALLED
    assert "edgehar[litert]" in caught.value.hint


def test_tflite_runtime_is_not_opened_with_numpy_2(monkeypatch):
    installed(monkeypatch, "tflite_runtime")
    monkeypatch.setattr(np, "__version__", "2.4.6")
    with pytest.raises(MissingError, match=r"NumPy below 2, this is 2\.4\.6"):
        litert.open_interpreter(b"model")
    monkeypatch.setattr(np, "__version__", "1.26.4")
    assert type(litert.open_interpreter(b"model")).__name__ == "Of_tflite_runtime"


def test_a_quantised_bundle_names_its_integers(tmp_path):
    """The digest covers the ranges: a file of other scales is another model's."""
    bundle = small_bundle("cnn", "int8")
    path = exported(bundle, tmp_path, "window", "int8")
    other = {**bundle.manifest.quant, "ranges": {**bundle.manifest.quant["ranges"], "x": [-9.0, 9.0]}}
    with pytest.raises(InputError, match="another model"):
        LitertRuntime(replace(bundle, manifest=replace(bundle.manifest, quant=other)), path)
