"""PyTorch, eager and compiled."""

from __future__ import annotations

import importlib
import importlib.metadata
import shutil
from typing import Any

from edgehar.bench.peers.base import Contestant, Desk, Field, Window, dtype_of, need
from edgehar.bundle import Bundle
from edgehar.errors import InputError, Reason
from edgehar.types import FloatArray

COMPILERS = ("g++", "clang++")  # torch.compile writes C++


def torch(bundle: Bundle, desk: Desk) -> Field:
    """The trained module, without gradients, on one thread; eager, and by torch.compile where a C++ compiler is."""
    need("torch", "torch", "edgehar[train]")
    if bundle.manifest.quant is not None:
        raise InputError(
            f"torch has no form of this {dtype_of(bundle)} bundle",
            reason=Reason.VALUE,
            hint="compare the float bundle that it was made of",
        )
    version = importlib.metadata.version("torch")
    module = importlib.import_module("torch")
    module.set_num_threads(1)
    model = desk.model(bundle)
    made = [Contestant("torch", "1 thread, float32, eager", version, _window(module, model))]
    if not any(shutil.which(name) for name in COMPILERS):
        return Field(made, {"torch, compiled": "torch.compile needs a C++ compiler: sudo apt-get install g++"})
    compiled = _window(module, module.compile(model, mode="max-autotune-no-cudagraphs", dynamic=False))
    return Field([*made, Contestant("torch", "1 thread, float32, compiled (max-autotune)", version, compiled)])


def _window(torch: Any, model: Any) -> Window:
    def window(x: FloatArray) -> FloatArray:
        with torch.inference_mode():
            logits: FloatArray = model(torch.from_numpy(x[None]))[0].numpy()
        return logits

    return window
