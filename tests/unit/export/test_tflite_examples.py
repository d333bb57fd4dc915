"""The example scripts load an exported file with nothing but its interpreter, and find what the runtime finds."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle

from edgehar.dsp.graph import Preprocess
from edgehar.export.tflite.emit import emit_tflite
from edgehar.runtimes import make_runtime

EXAMPLES = Path(__file__).parents[3] / "examples"
SCRIPTS = ("tflite_window.py", "tflite_stream.py")
WINDOW = 16


def classified(script: str, *arguments: object, text: str = "") -> np.ndarray:
    """Rows of end, label, logits that a script prints."""
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    command = [sys.executable, "-I", str(EXAMPLES / script), *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60)
    return np.array([line.split() for line in done.stdout.splitlines()], float)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A bundle with preprocessing, three windows of raw samples as lines of a CSV, and the rows to be printed."""
    ops = [{"op": "normalize", "mean": [1.0, 0.0, -2.0], "std": [2.0, 0.5, 4.0]}]
    bundle = random_bundle("gru", window=WINDOW, hop=WINDOW, channels=3, hidden=8, classes=3, preprocess=ops)
    raw = np.random.default_rng(0).standard_normal((3 * WINDOW, 3)).astype(np.float32)
    lines = [",".join(map(repr, [20_000_000 * i, *map(float, row)])) for i, row in enumerate(raw)]
    ends, logits = make_runtime("reference", bundle).push(Preprocess(ops, bundle.manifest.contract.channels).push(raw))
    rows = np.column_stack([ends, logits.argmax(axis=1), logits])
    return bundle, "\n".join(lines) + "\n", rows, tmp_path_factory.mktemp("walk")


def test_whole_windows_of_a_csv_file(walk):
    bundle, lines, rows, directory = walk
    (directory / "walk.tflite").write_bytes(emit_tflite(bundle, "window"))
    (directory / "walk.csv").write_text("t_ns,acc_x,acc_y,acc_z\n" + lines, encoding="utf-8")
    found = classified("tflite_window.py", directory / "walk.tflite", directory / "walk.csv")
    np.testing.assert_allclose(found, rows, atol=1e-4)


def test_a_csv_file_of_other_channels_is_refused(walk):
    bundle, _, _, directory = walk
    (directory / "walk.tflite").write_bytes(emit_tflite(bundle, "window"))
    (directory / "two.csv").write_text("t_ns,acc_x,acc_y\n" + "0,1.0,2.0\n" * WINDOW, encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        classified("tflite_window.py", directory / "walk.tflite", directory / "two.csv")
    assert "2 channels, the model takes the 3 that export.json names" in caught.value.stderr


def test_a_stream_sample_by_sample(walk):
    bundle, lines, rows, directory = walk
    (directory / "walk.step.tflite").write_bytes(emit_tflite(bundle, "step"))
    found = classified("tflite_stream.py", directory / "walk.step.tflite", WINDOW, text=lines)
    np.testing.assert_allclose(found, rows, atol=1e-4)


@pytest.mark.parametrize("script", SCRIPTS)
def test_they_are_short_and_import_nothing_of_edgehar(script):
    source = (EXAMPLES / script).read_text(encoding="utf-8")
    tree = ast.parse(source)
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"sys", "numpy", "ai_edge_litert.interpreter", "tflite_runtime.interpreter"}
    code = source.split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
