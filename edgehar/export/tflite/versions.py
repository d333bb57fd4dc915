"""Which version of an operator a file asks for, and the oldest TFLite release that has it.

An interpreter refuses a version above its own, and may compute something else for one that is too low. The facts are
those of TFLite's public version tables, for the operators, types and options that this package writes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgehar.export.tflite.model import Subgraph, TfliteOp, TfliteTensor

FLOAT, INT8, INT16 = np.dtype(np.float32), np.dtype(np.int8), np.dtype(np.int16)

# Version by the type of the first input, where it is not 1.
_BY_TYPE: Mapping[str, Mapping[np.dtype[np.generic], int]] = {
    "ABS": {INT8: 2, INT16: 3},
    "ADD": {INT8: 2, INT16: 3},  # with pot_scale_int16 off
    "CONCATENATION": {INT8: 2, INT16: 3},
    "DEQUANTIZE": {INT8: 2, INT16: 3},
    "GATHER": {INT8: 2, INT16: 4},
    "GREATER": {INT8: 2},
    "LESS": {INT8: 2},
    "LOGISTIC": {INT8: 2, INT16: 3},
    "MAXIMUM": {INT8: 2, INT16: 4},
    "MEAN": {INT8: 2, INT16: 3},
    "MINIMUM": {INT8: 2, INT16: 4},
    "MUL": {INT8: 2, INT16: 4},
    "PAD": {INT8: 2, INT16: 3},
    "RELU": {INT8: 2, INT16: 3},
    "SLICE": {INT8: 2, INT16: 4},
    "STRIDED_SLICE": {INT8: 2},
    "SUB": {INT8: 2, INT16: 5},  # with pot_scale_int16 off
    "TANH": {INT8: 2, INT16: 3},
}

OLDEST_RELEASE = "1.15.0"
# Releases that brought a version newer than OLDEST_RELEASE.
_RELEASES: Mapping[tuple[str, int], str] = {
    ("ABS", 2): "2.4.0",
    ("ABS", 3): "2.5.0",
    ("ADD", 3): "2.4.0",
    ("CAST", 3): "2.8.0",
    ("CONCATENATION", 3): "2.3.0",
    ("CONV_2D", 4): "2.3.0",
    ("CONV_2D", 5): "2.4.0",
    ("CONV_2D", 6): "2.9.0",
    ("DEPTHWISE_CONV_2D", 5): "2.3.0",
    ("DEPTHWISE_CONV_2D", 6): "2.3.0",
    ("FULLY_CONNECTED", 6): "2.1.0",
    ("FULLY_CONNECTED", 7): "2.3.0",
    ("FULLY_CONNECTED", 9): "2.3.0",
    ("GATHER", 4): "2.4.0",
    ("LOGISTIC", 3): "2.3.0",
    ("MAXIMUM", 4): "2.3.0",
    ("MEAN", 3): "2.4.0",
    ("MINIMUM", 4): "2.3.0",
    ("MUL", 4): "2.3.0",
    ("PAD", 3): "2.4.0",
    ("RELU", 2): "2.1.0",
    ("RELU", 3): "2.5.0",
    ("SLICE", 4): "2.4.0",
    ("SPLIT", 4): "2.3.0",
    ("SUB", 5): "2.4.0",
    ("TANH", 3): "2.3.0",
}


def op_version(op: TfliteOp, graph: Subgraph) -> int:
    """The lowest version of the operator that computes `op` on tensors of these types."""
    tensors = [graph.tensors[name] for name in op.inputs if name is not None]
    outputs = [graph.tensors[name] for name in op.outputs]
    first = tensors[0].dtype
    if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return _conv_version(op.kind, tensors)
    if op.kind == "FULLY_CONNECTED":
        return _fully_connected_version(op, tensors)
    if op.kind == "MUL" and first == INT8:
        return 3 if _product_scale(tensors) >= _scale(outputs[0]) else 2
    if op.kind == "QUANTIZE":
        return 2 if outputs[0].dtype == INT16 else 1
    if op.kind == "CAST":
        return 3 if INT8 in (first, outputs[0].dtype) else 1
    if op.kind == "SPLIT":  # the axis comes first
        return {INT8: 2, INT16: 4, np.dtype(np.int32): 3}.get(tensors[1].dtype, 1)
    return _BY_TYPE.get(op.kind, {}).get(first, 1)


def oldest_release(versions: set[tuple[str, int]]) -> str:
    """The first TFLite release that runs all these (operator, version)."""
    releases = [_RELEASES.get(version, OLDEST_RELEASE) for version in versions] or [OLDEST_RELEASE]
    return max(releases, key=lambda release: [int(part) for part in release.split(".")])


def _conv_version(kind: str, tensors: list[TfliteTensor]) -> int:
    x, w = tensors[:2]
    if kind == "CONV_2D" and w.shape[3] != x.shape[3]:
        return 6  # grouped
    by_type = {(FLOAT, FLOAT): 1, (INT8, INT8): 3, (INT16, INT8): 4, (FLOAT, INT8): 5}
    return by_type[x.dtype, w.dtype] + (kind == "DEPTHWISE_CONV_2D" and w.dtype == INT8 and x.dtype != INT8)


def _fully_connected_version(op: TfliteOp, tensors: list[TfliteTensor]) -> int:
    x, w = tensors[:2]
    if w.dtype == INT8 and x.dtype == INT16:
        return 7
    if w.dtype == INT8 and x.dtype == FLOAT:
        return 9 if op.options.get("asymmetric_quantize_inputs") else 3
    if len(tensors) == 2:
        return 6
    return 5 if op.options.get("keep_num_dims") else 4 if x.dtype == INT8 else 1


def _product_scale(tensors: list[TfliteTensor]) -> float:
    return _scale(tensors[0]) * _scale(tensors[1])


def _scale(tensor: TfliteTensor) -> float:
    return tensor.quant.scale[0] if tensor.quant else 1.0
