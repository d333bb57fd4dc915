"""Every script in examples/ and the exported C program run, and give the reference runtime's answers."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle

from edgehar.bundle import Bundle, open_bundle, save_bundle
from edgehar.demo import BUNDLE
from edgehar.dsp.graph import Preprocess
from edgehar.export import export_bundle
from edgehar.runtimes import make_runtime

EXAMPLES = Path(__file__).parents[2] / "examples"
PACKAGES = {"onnx": ("onnxruntime", "ort"), "tflite": ("ai_edge_litert", "litert")}
TARGETS = {"onnx": "onnx", "tflite": "flatbuffers"}
SAMPLES = 700


def needs(target: str) -> None:
    for package, extra in ((TARGETS[target], "export"), PACKAGES[target]):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is missing: pip install 'edgehar[{extra}]'")


def recording(tmp_path: Path, bundle: Bundle, *, header: bool = True, times: bool = True) -> tuple[Path, np.ndarray]:
    """Real samples of the demo bundle's golden windows would be preprocessed already: noise of their size instead."""
    channels = bundle.manifest.contract.channels
    x = np.random.default_rng(2).standard_normal((SAMPLES, len(channels))).astype(np.float32).round(4)
    rows = [",".join(("t_ns", *channels) if times else channels)] if header else []
    rows += [",".join([*([str(20_000_000 * i)] if times else []), *map(str, row)]) for i, row in enumerate(x)]
    path = tmp_path / "samples.csv"
    path.write_text("\n".join(rows) + "\n")
    return path, x


def reference(bundle: Bundle, x: np.ndarray, hop: int) -> dict[int, np.ndarray]:
    """Logits of the windows that end after so many samples."""
    manifest = bundle.manifest
    y = Preprocess(manifest.preprocess, manifest.contract.channels).push(x)
    window = make_runtime("reference", bundle).window
    return {end: window(y[end - manifest.window : end]) for end in range(manifest.window, len(y) + 1, hop)}


def run(script: str, *arguments: object, given: str = "") -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def exported(bundle: Path, tmp_path: Path, target: str) -> Path:
    export_bundle(bundle, tmp_path / "out", targets=[target])
    return tmp_path / "out"


@pytest.mark.parametrize(("script", "target"), [("onnx_window.py", "onnx"), ("tflite_window.py", "tflite")])
def test_windows_of_the_demo_model(script: str, target: str, tmp_path: Path) -> None:
    needs(target)
    bundle = open_bundle(BUNDLE)
    samples, x = recording(tmp_path, bundle)
    printed = run(script, exported(BUNDLE, tmp_path, target) / f"demo.{target}", samples, 50)
    expected = reference(bundle, x, 50)
    assert [int(line[0]) for line in printed] == list(expected)
    for line, logits in zip(printed, expected.values(), strict=True):
        best = int(logits.argmax())
        assert line[1] in (str(best), bundle.manifest.labels[best])
        assert np.allclose(np.array(line[2:], float), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["fastgrnn", "cnn"])
@pytest.mark.parametrize(("script", "target"), [("onnx_stream.py", "onnx"), ("tflite_stream.py", "tflite")])
def test_a_stream_step_by_step(script: str, target: str, family: str, tmp_path: Path) -> None:
    needs(target)
    path = tmp_path / "small.edgehar"
    save_bundle(random_bundle(family, golden_windows=1), path)
    bundle = open_bundle(path)
    samples, x = recording(tmp_path, bundle, header=family == "fastgrnn")  # a file has one, a sensor none
    step = exported(path, tmp_path, target) / f"small.step.{target}"
    window = bundle.manifest.window
    printed = run(script, step, *([window] if target == "tflite" else []), given=samples.read_text())
    expected = reference(bundle, x, window)
    assert [int(line[0]) for line in printed] == list(expected)
    for line, logits in zip(printed, expected.values(), strict=True):
        assert np.allclose(np.array(line[2:], float), logits, rtol=1e-4, atol=1e-4)


def test_the_exported_c_program_reads_a_csv(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    bundle = open_bundle(BUNDLE)
    samples, x = recording(tmp_path, bundle, times=False)
    c = exported(BUNDLE, tmp_path, "c") / "c"
    sources = [c / name for name in ("main.c", "eh_model.c", "eh_stream.c")]
    flags = ["-std=c99", "-O2", "-ffp-contract=off"]
    subprocess.run([compiler, *flags, *sources, "-o", tmp_path / "example", "-lm"], check=True)
    done = subprocess.run([tmp_path / "example", samples], capture_output=True, text=True, check=True)
    printed = [line.split(",") for line in done.stdout.splitlines()]
    expected = reference(bundle, x, bundle.manifest.hop)
    assert [int(line[0]) for line in printed] == list(expected)
    labels = [bundle.manifest.labels[int(logits.argmax())] for logits in expected.values()]
    if bundle.manifest.decision.smooth == 1:
        assert [line[1] for line in printed] == labels


def test_the_scripts_need_nothing_of_edgehar_and_are_all_tested() -> None:
    tested = Path(__file__).read_text()
    for script in EXAMPLES.glob("*.py"):
        text = script.read_text()
        assert "import edgehar" not in text
        assert "from edgehar" not in text
        assert f'"{script.name}"' in tested, script.name
        assert len(text.splitlines()) < 35, "an example is short"
