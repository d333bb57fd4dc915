"""Operator versions and the oldest release of a file, against TFLite's public version tables."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_cases import small_bundle

from edgehar.export.tflite.emit import emit_tflite
from edgehar.export.tflite.model import Subgraph, TensorQuant, TfliteTensor
from edgehar.export.tflite.versions import oldest_release, op_version

F32, I32, I16, I8 = (np.dtype(t) for t in (np.float32, np.int32, np.int16, np.int8))
# (operator, types of its inputs, type of its output) -> version
FACTS = [
    ("ADD", (F32, F32), F32, 1),
    ("ADD", (I8, I8), I8, 2),
    ("ADD", (I16, I16), I16, 3),
    ("ADD", (I32, I32), I32, 1),
    ("SUB", (I16, I16), I16, 5),
    ("MUL", (I16, I16), I16, 4),
    ("FULLY_CONNECTED", (F32, F32, F32), F32, 1),
    ("FULLY_CONNECTED", (I8, I8, I32), I8, 4),
    ("FULLY_CONNECTED", (I16, I8), I16, 7),
    ("FULLY_CONNECTED", (F32, I8, F32), F32, 3),
    ("CAST", (I8,), I16, 3),
    ("CAST", (I16,), I32, 1),
    ("QUANTIZE", (F32,), I8, 1),
    ("QUANTIZE", (F32,), I16, 2),
    ("QUANTIZE", (I16,), I8, 1),
    ("DEQUANTIZE", (I16,), F32, 3),
    ("DEQUANTIZE", (I8,), F32, 2),
    ("LOGISTIC", (I16,), I16, 3),
    ("TANH", (I8,), I8, 2),
    ("MEAN", (I16, I32), I16, 3),
    ("GATHER", (I8, I32), I8, 2),
    ("SLICE", (I8, I32, I32), I8, 2),
    ("CONCATENATION", (I16, I16), I16, 3),
    ("SPLIT", (I32, I16), I16, 4),
    ("LESS", (I32, I32), np.dtype(np.bool_), 1),
    ("FLOOR", (F32,), F32, 1),
]


def graph_of(inputs, output, scale=0.5):
    graph = Subgraph("main")
    quant = TensorQuant((scale,))
    for i, dtype in enumerate(inputs):
        graph.add_tensor(TfliteTensor(f"in{i}", (1, 4), dtype, None, quant))
    graph.add_tensor(TfliteTensor("out", (1, 4), output, None, quant))
    return graph


@pytest.mark.parametrize(("kind", "inputs", "output", "version"), FACTS)
def test_versions_follow_the_types(kind, inputs, output, version):
    graph = graph_of(inputs, output)
    names = [f"in{i}" for i in range(len(inputs))]
    graph.add_op(kind, names, ["out"])
    assert op_version(graph.ops[0], graph) == version


@pytest.mark.parametrize(("scale", "version"), [(0.5, 2), (2.0, 3)])
def test_a_product_that_grows_needs_a_newer_multiplication(scale, version):
    graph = graph_of((I8, I8), I8, scale)
    graph.add_op("MUL", ["in0", "in1"], ["out"])
    assert op_version(graph.ops[0], graph) == version


@pytest.mark.parametrize(
    ("x", "w_dtype", "per_group", "kind", "version"),
    [
        (F32, F32, 3, "CONV_2D", 1),
        (I8, I8, 3, "CONV_2D", 3),
        (I16, I8, 3, "CONV_2D", 4),
        (F32, I8, 3, "CONV_2D", 5),
        (I8, I8, 1, "CONV_2D", 6),
        (F32, F32, 3, "DEPTHWISE_CONV_2D", 1),
        (I8, I8, 3, "DEPTHWISE_CONV_2D", 3),
        (I16, I8, 3, "DEPTHWISE_CONV_2D", 5),
        (F32, I8, 3, "DEPTHWISE_CONV_2D", 6),
    ],
)
def test_versions_of_convolutions(x, w_dtype, per_group, kind, version):
    graph = Subgraph("main")
    graph.add_tensor(TfliteTensor("x", (1, 1, 8, 3), x))
    graph.add_tensor(TfliteTensor("w", (6, 1, 2, per_group), w_dtype))
    graph.add_tensor(TfliteTensor("y", (1, 1, 7, 6), x))
    graph.add_op(kind, ["x", "w", None], ["y"])
    assert op_version(graph.ops[0], graph) == version


def test_the_newest_operator_decides_the_release():
    assert oldest_release({("ADD", 1), ("WHILE", 1)}) == "1.15.0"
    assert oldest_release({("ADD", 3), ("CAST", 3), ("MUL", 4)}) == "2.8.0"


def test_every_file_states_its_release():
    assert b"1.15.0\0" in emit_tflite(small_bundle("gru"))
    assert b"2.8.0\0" in emit_tflite(small_bundle("gru", "int8"), "step", "int8")
