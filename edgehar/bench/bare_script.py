"""A peer alone in a process: load its file, decide windows, print each decision. It imports nothing of edgehar.

Arguments: litert|ort|torch FILE WINDOWS.npy
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def litert(path: str) -> Callable[[Any], Any]:
    """One thread, XNNPACK."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    given, taken = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def window(x: Any) -> Any:
        interpreter.set_tensor(given["index"], x.reshape(given["shape"]))
        interpreter.invoke()
        return interpreter.get_tensor(taken["index"]).ravel()

    return window


def ort(path: str) -> Callable[[Any], Any]:
    """One thread."""
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0].name
    return lambda x: session.run(None, {entry: x[None]})[0][0]


def torch(path: str) -> Callable[[Any], Any]:
    """One thread, TorchScript."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    model = torch.jit.load(path)
    return lambda x: model(torch.from_numpy(x[None]))[0].detach().numpy()


if __name__ == "__main__":
    peer, file, windows = sys.argv[1:]
    decide = {"litert": litert, "ort": ort, "torch": torch}[peer](file)
    for number, x in enumerate(np.load(windows)):
        print(number, int(decide(x).argmax()), flush=True)
