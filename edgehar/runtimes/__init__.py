"""Room 4: anything that turns preprocessed samples into logits. Import the package, get only the vocabulary."""

from __future__ import annotations

from typing import Protocol

from edgehar.bundle import Bundle
from edgehar.errors import Reason, UsageError
from edgehar.registry import resolve
from edgehar.types import FloatArray, IntArray

RUNTIMES = {
    "numba": "edgehar.runtimes.numba:NumbaRuntime",
    "reference": "edgehar.runtimes.reference:ReferenceRuntime",
    "litert": "edgehar.runtimes.litert:LitertRuntime",
    "onnx": "edgehar.runtimes.onnx:OnnxRuntime",
    "c": "edgehar.runtimes.c:CRuntime",
}
EXPORTED = ("litert", "onnx", "c")
"""Those that run what `edgehar export` wrote instead of the bundle's own weights."""


class Runtime(Protocol):
    """Logits of every window of a stream. Constructed from a Bundle; checked by `edgehar.testing.check_runtime`.

    Samples are preprocessed float32 [n, inputs]. A window that holds NaN gives logits without meaning; the next
    window, or a reset, is free of it.
    """

    def window(self, x: FloatArray) -> FloatArray:
        """Logits [classes] of one whole window x [window, inputs]; leaves the stream's state alone."""
        ...

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        """Next samples of the stream. Returns (ends [m], logits [m, classes]) of the windows that they finish.

        `ends` counts samples since the last reset, exclusive: window, window + hop, window + 2 hop, ...
        """
        ...

    def reset(self) -> None:
        """Forget the stream: the next sample is the first of a new first window."""
        ...

    def spike_rates(self) -> dict[str, float]:
        """Spikes per neuron and step of every population since the last reset; {} where nothing spikes."""
        ...


def make_runtime(name: str, bundle: Bundle) -> Runtime:
    """The runtime called `name` for this bundle: one of RUNTIMES, or an entry point of edgehar.runtimes.

    "onnx", "litert" and "c" run what was exported beside the bundle; "onnx:FILE", "litert:FILE" and "c:DIR" name it.
    """
    kind, given, file = name.partition(":")
    make = resolve("runtimes", RUNTIMES, kind)
    if given and kind not in EXPORTED:
        raise UsageError(
            f"the runtime {kind} runs the bundle itself and takes no file, '{file}' was given",
            reason=Reason.VALUE,
            hint=f"these take a file: {', '.join(EXPORTED)}",
        )
    runtime: Runtime = make(bundle, file) if given else make(bundle)
    return runtime
