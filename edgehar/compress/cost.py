"""What a bundle costs, counted from its tensors alone: bytes and operations per decision.

Operations are multiply-accumulates, or for a spiking model synaptic operations: one addition per spike and weight that
it meets. All are those of one whole window: a convolutional network in a stream reuses most of them, a recurrent one
with overlapping windows repeats them. `dense` counts every weight at every step; `effective` leaves out zero weights
and neurons that are silent (as NeuroBench counts dense operations and effective accumulates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.bundle import Bundle
from edgehar.graph.convplan import plan_convnet
from edgehar.types import FloatArray

FLOAT32 = 4
MAC, SYNAPTIC = "MAC", "synaptic operation"
Rates = Mapping[str, NDArray[np.float64]]
"""Mean spikes per step of every neuron [n] of each population."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`packed_bytes`: each tensor as it is, or as a bit per weight and its non-zero values, whichever is smaller."""

    parameters: int
    nonzeros: int
    dense_bytes: int
    packed_bytes: int
    unit: str
    dense: int
    effective: int

    def to_dict(self) -> dict[str, Any]:
        """A table that JSON can hold."""
        return asdict(self)


def cost(bundle: Bundle, rates: Rates | None = None) -> Cost:
    """Count a bundle; a spiking one needs the measured `rates` of its populations, or counts as always spiking."""
    weights = bundle.weights.values()
    dense, effective = operations(bundle, rates)
    return Cost(
        parameters=sum(w.size for w in weights),
        nonzeros=sum(int(np.count_nonzero(w)) for w in weights),
        dense_bytes=sum(FLOAT32 * w.size for w in weights),
        packed_bytes=sum(packed_bytes(w, width(bundle, w)) for w in weights),
        unit=SYNAPTIC if bundle.manifest.model["family"] == "l2mu" else MAC,
        dense=dense,
        effective=effective,
    )


def tensor_counts(bundle: Bundle) -> dict[str, list[int]]:
    """Name -> [non-zeros, weights] of every tensor."""
    return {name: [int(np.count_nonzero(w)), w.size] for name, w in sorted(bundle.weights.items())}


def width(bundle: Bundle, tensor: FloatArray) -> int:
    """Bytes of one value: a quantised bundle's matrices and kernels take 1, all else 4."""
    return 1 if bundle.manifest.quant is not None and tensor.ndim > 1 else FLOAT32


def packed_bytes(tensor: FloatArray, bytes_each: int) -> int:
    """Bytes of a tensor, dense or with a bit mask."""
    masked = -(-tensor.size // 8) + bytes_each * int(np.count_nonzero(tensor))
    return min(bytes_each * tensor.size, masked)


def operations(bundle: Bundle, rates: Rates | None = None) -> tuple[int, int]:
    """(dense, effective) operations of one window."""
    manifest, weights = bundle.manifest, bundle.weights
    family = manifest.model["family"]
    if family == "l2mu":
        return _spiking(manifest.model, weights, manifest.window, rates or {})
    if family in ("cnn", "csicnn", "csieffnet", "dscnn", "fusion"):
        return _convolutional(manifest.model, weights, manifest.window)
    heads = ("fc_w",)
    step = [w for name, w in weights.items() if w.ndim > 1 and name not in heads]
    dense = manifest.window * sum(w.size for w in step) + weights["fc_w"].size
    effective = manifest.window * sum(int(np.count_nonzero(w)) for w in step) + int(np.count_nonzero(weights["fc_w"]))
    return dense, effective


def _convolutional(model: Mapping[str, Any], weights: Mapping[str, FloatArray], window: int) -> tuple[int, int]:
    plan = plan_convnet(model, window)
    head = weights[f"{plan.linear}.w"]
    dense, effective = head.size, int(np.count_nonzero(head))
    length = window
    for conv in plan.convs:
        kernel = weights[f"{conv.name}.w"]
        length = (length - kernel.shape[2]) // conv.stride + 1
        dense += length * kernel.size
        effective += length * int(np.count_nonzero(kernel))
    return dense, effective


def _spiking(model: Mapping[str, Any], weights: Mapping[str, FloatArray], window: int, rates: Rates) -> tuple[int, int]:
    """Weights [to, from] behind the population that feeds them; an analogue input meets its weights at every step."""
    encoder, memory, order = model["encoder"], int(model["memory"]), int(model["order"])
    features = {"plain": "", "single": "enc0", "stacked": "enc2"}[encoder]
    sources = {"E_x": features, "W_x": features, "E_h": "h", "W_h": "h", "E_m": "m", "W_m": "m", "W_o": "h"}
    if encoder == "stacked":
        sources |= {"enc1_w": "enc0", "enc2_w": "enc1"}
    met = {name: (np.count_nonzero(weights[name], axis=0), source) for name, source in sources.items()}
    # Each of the memory units has the same A and B.
    met["A"] = np.tile(np.count_nonzero(weights["A"], axis=0), memory), "m"
    met["B"] = np.full(memory, np.count_nonzero(weights["B"])), "u"
    effective = sum((float((found * rates.get(source, 1.0)).sum()) for found, source in met.values()), 0.0)
    dense = sum(weights[name].size for name in sources) + memory * order * (order + 1)
    if encoder != "plain":
        dense += weights["enc0_w"].size
        effective += int(np.count_nonzero(weights["enc0_w"]))
    return window * dense, round(window * effective)
