"""Numbers of the TFLite file format (schema version 3): codes, and the slot of every field that we write.

Source: `schema.fbs` of TensorFlow Lite, the format's public description. Slots count the fields of a table from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"

TENSOR_TYPES: Mapping[np.dtype[np.generic], int] = {
    np.dtype(np.float32): 0,
    np.dtype(np.int32): 2,
    np.dtype(np.int64): 4,
    np.dtype(np.bool_): 6,
    np.dtype(np.int16): 7,
    np.dtype(np.int8): 9,
}

OPERATORS: Mapping[str, int] = {
    "ADD": 0,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 4,
    "DEQUANTIZE": 6,
    "FLOOR": 8,
    "FULLY_CONNECTED": 9,
    "LOGISTIC": 14,
    "MUL": 18,
    "RELU": 19,
    "RESHAPE": 22,
    "TANH": 28,
    "PAD": 34,
    "GATHER": 36,
    "MEAN": 40,
    "SUB": 41,
    "STRIDED_SLICE": 45,
    "SPLIT": 49,
    "CAST": 53,
    "MAXIMUM": 55,
    "MINIMUM": 57,
    "LESS": 58,
    "NEG": 59,
    "GREATER": 61,
    "SLICE": 65,
    "LOG": 73,
    "SQRT": 75,
    "ABS": 101,
    "QUANTIZE": 114,
    "WHILE": 119,
}
# Old readers look at an int8 code; operators beyond it say 127 there.
PLACEHOLDER_FOR_LARGE_CODES = 127


class Padding(IntEnum):
    """`padding` of the convolutions."""

    SAME = 0
    VALID = 1


class Activation(IntEnum):
    """`activation` of the operators that can end with one."""

    NONE = 0
    RELU = 1


@dataclass(frozen=True, slots=True)
class Field:
    """One scalar of an options table: slot, flatbuffers type, and the value that is not written."""

    slot: int
    kind: str = "Int32"
    default: int = 0


@dataclass(frozen=True, slots=True)
class OptionsTable:
    """`code`: the table's number in the union BuiltinOptions; `slots`: how many fields the schema gives it."""

    code: int
    slots: int
    fields: Mapping[str, Field]


_ACTIVATION = Field(0, "Int8")
_CONV = {"padding": Field(0, "Int8"), "stride_w": Field(1), "stride_h": Field(2)}

OPTIONS: Mapping[str, OptionsTable] = {
    "ADD": OptionsTable(11, 2, {"activation": _ACTIVATION, "pot_scale_int16": Field(1, "Bool", 1)}),
    "CONCATENATION": OptionsTable(10, 2, {"axis": Field(0), "activation": Field(1, "Int8")}),
    "CONV_2D": OptionsTable(
        1,
        7,
        {**_CONV, "activation": Field(3, "Int8"), "dilation_w": Field(4, default=1), "dilation_h": Field(5, default=1)},
    ),
    "DEPTHWISE_CONV_2D": OptionsTable(
        2,
        7,
        {
            **_CONV,
            "depth_multiplier": Field(3),
            "activation": Field(4, "Int8"),
            "dilation_w": Field(5, default=1),
            "dilation_h": Field(6, default=1),
        },
    ),
    "FULLY_CONNECTED": OptionsTable(
        8,
        6,
        {"activation": _ACTIVATION, "keep_num_dims": Field(2, "Bool"), "asymmetric_quantize_inputs": Field(3, "Bool")},
    ),
    "MUL": OptionsTable(21, 1, {"activation": _ACTIVATION}),
    "RESHAPE": OptionsTable(17, 1, {}),
    "PAD": OptionsTable(22, 0, {}),
    "GATHER": OptionsTable(23, 2, {"axis": Field(0), "batch_dims": Field(1)}),
    "MEAN": OptionsTable(27, 1, {"keep_dims": Field(0, "Bool")}),
    "SUB": OptionsTable(28, 2, {"activation": _ACTIVATION, "pot_scale_int16": Field(1, "Bool", 1)}),
    "STRIDED_SLICE": OptionsTable(32, 6, {"begin_mask": Field(0), "end_mask": Field(1), "shrink_axis_mask": Field(4)}),
    "SPLIT": OptionsTable(35, 1, {"num_splits": Field(0)}),
    "CAST": OptionsTable(37, 2, {"in_type": Field(0, "Int8"), "out_type": Field(1, "Int8")}),
    "DEQUANTIZE": OptionsTable(38, 0, {}),
    "MAXIMUM": OptionsTable(39, 0, {}),
    "MINIMUM": OptionsTable(39, 0, {}),
    "LESS": OptionsTable(41, 0, {}),
    "NEG": OptionsTable(42, 0, {}),
    "GREATER": OptionsTable(44, 0, {}),
    "SLICE": OptionsTable(48, 0, {}),
    "ABS": OptionsTable(78, 0, {}),
    "QUANTIZE": OptionsTable(89, 0, {}),
    "WHILE": OptionsTable(93, 2, {"cond_subgraph": Field(0), "body_subgraph": Field(1)}),
}
