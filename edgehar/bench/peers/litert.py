"""LiteRT with XNNPACK."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgehar.bench.peers.base import Contestant, Desk, Field, Window, dtype_of, need
from edgehar.bundle import Bundle
from edgehar.types import FloatArray


def litert(bundle: Bundle, desk: Desk) -> Field:
    """A window file, which is one loop inside LiteRT for recurrent models, and step by step.

    Convnets have window files only.
    """
    from edgehar.runtimes.litert import open_interpreter

    need("ai_edge_litert", "ai-edge-litert", "edgehar[litert]")
    version = importlib.metadata.version("ai-edge-litert")
    dtype = dtype_of(bundle)
    made = []
    for form in ["window"] if "layers" in bundle.manifest.model else ["window", "step"]:
        interpreter = open_interpreter(desk.file(bundle, "tflite", form))
        call = _tflite_window(interpreter) if form == "window" else _tflite_steps(interpreter)
        made.append(Contestant("litert", f"XNNPACK, 1 thread, {dtype}, {form} file", version, call))
    return Field(made)


def _tflite_window(interpreter: Any) -> Window:
    interpreter.allocate_tensors()
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    source, target, shape = given["index"], taken["index"], tuple(given["shape"])

    def window(x: FloatArray) -> FloatArray:
        interpreter.set_tensor(source, x.reshape(shape))
        interpreter.invoke()
        logits: FloatArray = interpreter.get_tensor(target).ravel()
        return logits

    return window


def _tflite_steps(interpreter: Any) -> Window:
    runner = interpreter.get_signature_runner("samples")
    start = {k: np.zeros(v["shape"], v["dtype"]) for k, v in runner.get_input_details().items() if k != "x"}

    def window(x: FloatArray) -> FloatArray:
        states: Mapping[str, Any] = start
        outputs: Mapping[str, Any] = {}
        for sample in x:
            outputs = runner(x=sample[None], **states)
            states = {name: outputs[f"{name}_next"] for name in start}
        return np.array(outputs["logits"][0])

    return window
