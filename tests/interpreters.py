"""Three independent executors of a TFLite file, each as file bytes and named inputs to named outputs."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Tensors = dict[str, np.ndarray]
TFLITE_PYTHON = "EDGEHAR_TFLITE_PYTHON"  # names an interpreter of an environment with tflite-runtime and numpy < 2

# Runs in that environment: a model and windows in by stdin, logits out by stdout, nothing of edgehar is needed. A
# window file gets each window whole, a step file as many samples at a time as it takes, and its states back.
_CHILD = """
import io, sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
given = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
run = Interpreter(model_content=given["model"].tobytes(), num_threads=1).get_signature_runner("samples")
start = {n: np.zeros(told["shape"], told["dtype"]) for n, told in run.get_input_details().items()}
samples = len(start.pop("x"))
rows = []
for window in given["x"]:
    states = start
    for at in range(0, len(window), samples):
        found = run(x=window[at : at + samples], **states)
        states = {n: found[n + "_next"] for n in states}
    rows.append(found["logits"][0])
out = io.BytesIO()
np.save(out, np.stack(rows))
sys.stdout.buffer.write(out.getvalue())
"""


def run_litert(model: bytes, inputs: Mapping[str, np.ndarray], key: str = "serving_default") -> Tensors:
    """One call of a signature in ai-edge-litert."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="pip install ai-edge-litert")
    interpreter = litert.Interpreter(model_content=model, num_threads=1)
    found: Tensors = interpreter.get_signature_runner(key)(**inputs)
    return {name: np.array(value) for name, value in found.items()}


def run_tflite_runtime(model: bytes, x: np.ndarray) -> np.ndarray:
    """Logits [n, classes] of preprocessed windows x [n, window, inputs] in tflite-runtime 2.14's own environment."""
    python = os.environ.get(TFLITE_PYTHON, "")
    if not Path(python).is_file():
        pytest.skip(
            f"{TFLITE_PYTHON} names no interpreter: python3.11 -m venv .venv-tflite && "
            '.venv-tflite/bin/pip install tflite-runtime==2.14.0 "numpy<2"'
        )
    given = io.BytesIO()
    np.savez(given, model=np.frombuffer(model, np.uint8), x=x)
    done = subprocess.run([python, "-c", _CHILD], input=given.getvalue(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])
    return np.load(io.BytesIO(done.stdout), allow_pickle=False)


class Micro:
    """tflite-micro, which runs the first subgraph and knows tensors by position only."""

    def __init__(self, model: bytes, arena_bytes: int = 1 << 20) -> None:
        runtime = pytest.importorskip("tflite_micro", reason="pip install --pre tflite-micro").runtime
        self._interpreter: Any = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        for i, value in enumerate(inputs):
            self._interpreter.set_input(value, i)
        self._interpreter.invoke()
        outputs = []
        while True:
            try:
                outputs.append(np.array(self._interpreter.get_output(len(outputs))))
            except (IndexError, ValueError):
                return outputs
