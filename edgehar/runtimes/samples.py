"""What a runtime accepts as samples: shape checked, copied to writable contiguous float32."""

from __future__ import annotations

import numpy as np

from edgehar.errors import InputError, Reason
from edgehar.manifest import Manifest
from edgehar.types import FloatArray


def check_samples(x: FloatArray, manifest: Manifest) -> FloatArray:
    """X [n, inputs] for any n >= 0."""
    x = np.require(x, np.float32, ["C", "W"])
    if x.ndim != 2 or x.shape[1] != manifest.model["inputs"]:
        raise _shape(x, f"[n, {manifest.model['inputs']}]")
    return x


def check_window(x: FloatArray, manifest: Manifest) -> FloatArray:
    """X [window, inputs]."""
    x = np.require(x, np.float32, ["C", "W"])
    if x.shape != (manifest.window, manifest.model["inputs"]):
        raise _shape(x, f"[{manifest.window}, {manifest.model['inputs']}]")
    return x


def _shape(x: FloatArray, wanted: str) -> InputError:
    return InputError(
        f"the runtime got samples of shape {list(x.shape)}, the model takes {wanted}",
        reason=Reason.SHAPE,
        hint="run the bundle's preprocessing first: edgehar.pipeline.Pipeline does",
    )
