"""Exported ONNX files in an old ONNX Runtime, as board images ship them, in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle

from edgehar.graph.execute import run_graph
from edgehar.runtimes.lowered import graph_of

RELEASE = "1.16.3"
FAMILIES = {
    "fastgrnn": {},
    "gru": {},
    "cnn": {},
    "dscnn": {},
    "fusion": {},
    "l2mu": {},
    # A membrane readout leaves spikes unread, around which ONNX Runtime up to 1.18 computes wrong loops.
    "l2mu-plain": {"encoder": "plain", "neuron": "synaptic", "readout": "membrane"},
}
CHILD = """
import sys
import numpy as np, onnxruntime
assert onnxruntime.__version__ == sys.argv[1]
for path in sys.argv[2:]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.load(path + ".x.npy")
    found = [session.run(None, {"channels": x[i : i + 1]})[0] for i in range(len(x))]
    np.save(path + ".one.npy", np.concatenate(found))
    np.save(path + ".all.npy", session.run(None, {"channels": x})[0])
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.version_info >= (3, 12):
        pytest.skip(f"onnxruntime {RELEASE} has no wheels for this Python: use Python 3.11")
    place = tmp_path_factory.mktemp("old") / "env"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip = [place / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, f"onnxruntime=={RELEASE}", "numpy<2"], check=True)
    return place / "bin" / "python"


def test_every_family_gives_the_reference_logits(python: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="pip install 'edgehar[export]'")
    from edgehar.export.onnx.emit import emit_onnx

    expected = {}
    for case, options in FAMILIES.items():
        bundle = random_bundle(case.partition("-")[0], golden_windows=1, **options)
        x = np.random.default_rng(3).standard_normal((40, 32, 6)).astype(np.float32)
        path = tmp_path / f"{case}.onnx"
        path.write_bytes(emit_onnx(bundle))
        np.save(f"{path}.x.npy", x)
        expected[path] = run_graph(graph_of(bundle), x)
    done = subprocess.run([python, "-c", CHILD, RELEASE, *expected], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for path, logits in expected.items():
        for how in ("one", "all"):
            off = np.abs(np.load(f"{path}.{how}.npy") - logits) / np.maximum(1, np.abs(logits))
            assert off.max() <= 1e-4, f"{path.name}, {how}"
