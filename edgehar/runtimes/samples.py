"""What a runtime accepts as samples: shape checked, copied to writable contiguous float32; and one by one."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from edgehar.errors import InputError, Reason
from edgehar.manifest import Manifest
from edgehar.types import FloatArray, IntArray


class SampleStream(Protocol):
    """Something that advances by one sample; `seen` counts them since its reset."""

    seen: int

    def step(self, x: FloatArray, /) -> FloatArray | None:
        """Logits [classes] of the window that sample x [inputs] ends, if it ends one."""
        ...


def push_one_by_one(stream: SampleStream, x: FloatArray, classes: int) -> tuple[IntArray, FloatArray]:
    """`Runtime.push` of checked samples x [n, inputs] on such a stream."""
    ends: list[int] = []
    logits = [np.zeros((0, classes), np.float32)]
    for sample in x:
        scores = stream.step(sample)
        if scores is not None:
            ends.append(stream.seen)
            logits.append(scores[None])
    return np.array(ends, np.int64), np.concatenate(logits)


FLOAT32: Final = np.dtype(np.float32)


def _readable(x: FloatArray) -> FloatArray:
    """X as kernels take it: itself where it is that already, which a stream's samples are."""
    if type(x) is np.ndarray and x.dtype is FLOAT32 and x.flags.carray:
        return x  # np.require takes a microsecond to find the same
    return np.require(x, np.float32, ["C", "W"])


def check_samples(x: FloatArray, manifest: Manifest) -> FloatArray:
    """X [n, inputs] for any n >= 0."""
    x = _readable(x)
    if x.ndim != 2 or x.shape[1] != manifest.model["inputs"]:
        raise _shape(x, f"[n, {manifest.model['inputs']}]")
    return x


def check_window(x: FloatArray, manifest: Manifest) -> FloatArray:
    """X [window, inputs]."""
    x = _readable(x)
    if x.shape != (manifest.window, manifest.model["inputs"]):
        raise _shape(x, f"[{manifest.window}, {manifest.model['inputs']}]")
    return x


def _shape(x: FloatArray, wanted: str) -> InputError:
    return InputError(
        f"the runtime got samples of shape {list(x.shape)}, the model takes {wanted}",
        reason=Reason.SHAPE,
        hint="run the bundle's preprocessing first: edgehar.pipeline.Pipeline does",
    )
