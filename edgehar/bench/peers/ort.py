"""ONNX Runtime."""

from __future__ import annotations

import importlib.metadata

import numpy as np

from edgehar.bench.peers.base import Contestant, Desk, Field, Window, dtype_of, need
from edgehar.bundle import Bundle
from edgehar.types import FloatArray


def ort(bundle: Bundle, desk: Desk) -> Field:
    """The window file, which of a recurrent model is one Scan, and that loop unrolled; each by `run` and bound arrays.

    Bound arrays are made once; every call copies its window into them.
    """
    need("onnxruntime", "onnxruntime", "edgehar[ort]")
    version = importlib.metadata.version("onnxruntime")
    recurrent = "layers" not in bundle.manifest.model
    files = {"window": "Scan", "unrolled": "unrolled"} if recurrent else {"window": "window file"}
    made = []
    for form, told in files.items():
        run, bound = _calls(desk.file(bundle, "onnx", form), bundle)
        setting = f"1 thread, {dtype_of(bundle)}, {told}"
        made += [
            Contestant("ort", f"{setting}, run", version, run),
            Contestant("ort", f"{setting}, io_binding", version, bound),
        ]
    return Field(made)


def _calls(content: bytes, bundle: Bundle) -> tuple[Window, Window]:
    from edgehar.runtimes.onnx import open_session
    from edgehar.runtimes.onnx_file import SAMPLES, behind_preprocessing, read_description

    entry = str(read_description(content, "the file")[SAMPLES])
    session = open_session(behind_preprocessing(content, entry), "the file")
    (taken,) = (output.name for output in session.get_outputs())
    shape = (1, bundle.manifest.window, bundle.manifest.model["inputs"])
    given, logits = np.zeros(shape, np.float32), np.zeros((1, bundle.manifest.outputs), np.float32)
    binding = session.io_binding()
    binding.bind_input(entry, "cpu", 0, np.float32, shape, given.ctypes.data)
    binding.bind_output(taken, "cpu", 0, np.float32, logits.shape, logits.ctypes.data)

    def run(x: FloatArray) -> FloatArray:
        scores: FloatArray = session.run(None, {entry: x[None]})[0][0]
        return scores

    def bound(x: FloatArray) -> FloatArray:
        given[0] = x
        session.run_with_iobinding(binding)
        scores: FloatArray = logits[0].copy()
        return scores

    return run, bound
