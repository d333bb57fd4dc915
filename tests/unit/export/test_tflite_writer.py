"""The file format: read back with another reader of the schema, executed by the interpreters, the same bytes twice."""

from __future__ import annotations

import numpy as np
import pytest
from interpreters import Micro, run_litert

from edgehar.errors import InputError
from edgehar.export.tflite.model import Signature, Subgraph, TensorQuant, TfliteOp, TfliteTensor
from edgehar.export.tflite.schema import OPERATORS, OPTIONS, TENSOR_TYPES
from edgehar.export.tflite.writer import write_tflite

F32, I32, I16, I8, BOOL = (np.dtype(t) for t in (np.float32, np.int32, np.int16, np.int8, np.bool_))


def graph_of(inputs, outputs, constants=(), ops=(), name="main"):
    """Tensors as (name, shape, dtype[, quant]), constants as (name, array[, quant]), ops as (kind, in, out, opts)."""
    graph = Subgraph(name, [t[0] for t in inputs], [])
    for name, shape, dtype, *quant in [*inputs, *outputs]:
        graph.add_tensor(TfliteTensor(name, shape, dtype, None, *quant))
    for name, value, *quant in constants:
        graph.add_tensor(TfliteTensor(name, value.shape, value.dtype, value, *quant))
    for kind, ins, outs, options in ops:
        graph.add_op(kind, ins, outs, **options)
    graph.outputs = [t[0] for t in outputs if any(t[0] in op.outputs for op in graph.ops)]
    return graph


def signed(graph, index=0, key="serving_default"):
    return Signature(key, index, {n: n for n in graph.inputs}, {n: n for n in graph.outputs})


def affine():
    w, b = np.array([[1, 2], [3, 4], [5, 6]], np.float32), np.array([1, 2, 3], np.float32)
    options = {"activation": 1}
    return graph_of(
        [("x", (1, 2), F32)], [("y", (1, 3), F32)], [("w", w), ("b", b)], [("FULLY_CONNECTED", "xwb", "y", options)]
    )


def counting(limit=5):
    """WHILE i < limit: i += 1, y += x."""
    names = [("i", (1,), I32), ("x", (1, 3), F32), ("y", (1, 3), F32)]
    cond = graph_of(names, [("more", (1,), BOOL)], [("limit", np.array([limit], np.int32))], name="cond")
    cond.add_op("LESS", ["i", "limit"], ["more"])
    cond.outputs = ["more"]
    body = graph_of(names, [("i2", (1,), I32), ("y2", (1, 3), F32)], [("one", np.array([1], np.int32))], name="body")
    body.add_op("ADD", ["i", "one"], ["i2"])
    body.add_op("ADD", ["y", "x"], ["y2"])
    body.outputs = ["i2", "x", "y2"]
    outs = [("i_end", (1,), I32), ("x_end", (1, 3), F32), ("y_end", (1, 3), F32)]
    zeros = [("i0", np.zeros(1, np.int32)), ("y0", np.zeros((1, 3), np.float32))]
    main = graph_of([("x", (1, 3), F32)], outs, zeros)
    main.add_op("WHILE", ["i0", "x", "y0"], [o[0] for o in outs], cond_subgraph=1, body_subgraph=2)
    main.outputs = ["y_end"]
    return [main, cond, body]


def test_numbers_are_those_of_the_schema():
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="pip install ai-edge-litert")
    names = {"float32": "FLOAT32", "int32": "INT32", "int64": "INT64", "bool": "BOOL", "int16": "INT16", "int8": "INT8"}
    assert {name: getattr(schema.BuiltinOperator, name) for name in OPERATORS} == OPERATORS
    assert {d: getattr(schema.TensorType, names[str(d)]) for d in TENSOR_TYPES} == TENSOR_TYPES
    for kind, table in OPTIONS.items():
        union = {v: k for k, v in vars(schema.BuiltinOptions).items() if isinstance(v, int)}
        written = union[table.code].removesuffix("Options").replace("2D", "").lower()
        shared = {"mean": "reducer", "maximum": "maximumminimum", "minimum": "maximumminimum", "conv": "conv"}
        plain = kind.replace("_2D", "").replace("_", "").lower()
        assert written == shared.get(plain, plain)


def test_another_reader_finds_what_was_written():
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="pip install ai-edge-litert")
    graph = affine()
    quant = TensorQuant((0.5, 0.25, 0.125), (0, 0, 0), axis=0)
    graph.add_tensor(TfliteTensor("q", (3, 1), I8, np.array([[1], [-2], [3]], np.int8), quant))
    content = write_tflite([graph], [signed(graph)], metadata={"note": b"hello"}, description="what it is")
    assert content[4:8] == b"TFL3"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    assert model.version == 3
    assert model.description == b"what it is"
    (op,) = model.subgraphs[0].operators
    assert op.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.RELU
    assert model.operatorCodes[op.opcodeIndex].builtinCode == schema.BuiltinOperator.FULLY_CONNECTED
    names = [t.name.decode() for t in model.subgraphs[0].tensors]
    q = model.subgraphs[0].tensors[names.index("q")]
    assert q.quantization.scale.tolist() == [0.5, 0.25, 0.125]
    assert q.quantization.zeroPoint.tolist() == [0, 0, 0]
    assert bytes(model.buffers[q.buffer].data) == np.array([1, -2, 3], np.int8).tobytes()
    assert [names[i] for i in model.subgraphs[0].inputs] == ["x"]
    notes = {m.name: bytes(model.buffers[m.buffer].data) for m in model.metadata}
    assert notes == {b"min_runtime_version": b"1.15.0".ljust(16, b"\0"), b"note": b"hello"}
    assert not model.buffers[0].data


def test_equal_models_give_equal_bytes_and_equal_constants_share_a_buffer():
    one, two = affine(), affine()
    content = write_tflite([one, two], [signed(one), signed(two, 1, "second")])
    assert content == write_tflite([affine(), affine()], [signed(one), signed(two, 1, "second")])
    assert content.count(np.array([1, 2, 3, 4, 5, 6], np.float32).tobytes()) == 1


def test_buffers_are_aligned_for_vector_loads():
    big = np.arange(101, dtype=np.float32)
    content = write_tflite([graph_of([], [], [("odd", np.ones(3, np.int8)), ("big", big)])])
    assert content.index(big.tobytes()) % 16 == 0


def test_a_fully_connected_runs_everywhere():
    graph = affine()
    content = write_tflite([graph], [signed(graph)])
    x = np.array([[-2, 1]], np.float32)
    expected = np.array([[1, 0, 0]], np.float32)
    np.testing.assert_array_equal(run_litert(content, {"x": x})["y"], expected)
    np.testing.assert_array_equal(Micro(content)(x)[0], expected)


def test_a_while_loop_runs_everywhere():
    graphs = counting(5)
    content = write_tflite(graphs, [signed(graphs[0])])
    x = np.array([[1, 2, 3]], np.float32)
    np.testing.assert_array_equal(run_litert(content, {"x": x})["y_end"], 5 * x)
    np.testing.assert_array_equal(Micro(content)(x)[0], 5 * x)


def test_a_second_signature_enters_another_subgraph():
    graphs = counting(3)
    other = graph_of([("x", (1, 3), F32)], [("y", (1, 3), F32)], [], [("NEG", "x", "y", {})], name="other")
    content = write_tflite([*graphs, other], [signed(graphs[0]), signed(other, 3, "negated")])
    x = np.array([[1, 2, 3]], np.float32)
    np.testing.assert_array_equal(run_litert(content, {"x": x}, "negated")["y"], -x)


UNARY = {"ABS": np.abs, "LOG": np.log, "SQRT": np.sqrt, "NEG": np.negative, "TANH": np.tanh}
BINARY = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "MAXIMUM": np.maximum, "MINIMUM": np.minimum}


@pytest.mark.parametrize("kind", [*UNARY, *BINARY, "LOGISTIC", "RELU"])
def test_float_arithmetic_runs_everywhere(kind):
    x, k = np.array([[0.25, 1.5, 3.0]], np.float32), np.array([[2, 0.5, -1]], np.float32)
    function = {**UNARY, "LOGISTIC": lambda v: 1 / (1 + np.exp(-v)), "RELU": lambda v: np.maximum(v, 0)}.get(kind)
    expected = BINARY[kind](x, k) if kind in BINARY else function(x)
    ops = [(kind, ["x", "k"] if kind in BINARY else ["x"], ["y"], {})]
    graph = graph_of([("x", (1, 3), F32)], [("y", (1, 3), F32)], [("k", k)], ops)
    content = write_tflite([graph], [signed(graph)])
    np.testing.assert_allclose(run_litert(content, {"x": x})["y"], expected, rtol=2e-6)
    np.testing.assert_allclose(Micro(content)(x)[0], expected, rtol=2e-6)


def test_int16_gates_run_everywhere_on_int8_state():
    """The chain that an integer recurrent step is made of: cast, 16x8 product, sigmoid, requantise."""
    h8, h16 = TensorQuant((0.01,)), TensorQuant((0.01,))
    pre, gate, small = TensorQuant((2.0**-12,)), TensorQuant((2.0**-15,)), TensorQuant((1 / 128,))
    rng = np.random.default_rng(0)
    w = rng.integers(-127, 128, (4, 5)).astype(np.int8)
    bias = rng.integers(-20_000, 20_000, 4)
    tensors = [
        ("wide", (1, 5), I16, h16),
        ("pre", (1, 4), I16, pre),
        ("z", (1, 4), I16, gate),
        ("y", (1, 4), I8, small),
    ]
    constants = [("w", w, TensorQuant((0.004,))), ("b", bias, TensorQuant((0.004 * 0.01,)))]
    ops = [
        ("CAST", ["h"], ["wide"], {"in_type": TENSOR_TYPES[I8], "out_type": TENSOR_TYPES[I16]}),
        ("FULLY_CONNECTED", ["wide", "w", "b"], ["pre"], {}),
        ("LOGISTIC", ["pre"], ["z"], {}),
        ("QUANTIZE", ["z"], ["y"], {}),
    ]
    graph = graph_of([("h", (1, 5), I8, h8)], tensors, constants, ops)
    graph.outputs = ["y"]
    content = write_tflite([graph], [signed(graph)])
    h = rng.integers(-128, 128, (1, 5)).astype(np.int8)
    real = (0.01 * h) @ (0.004 * w.T) + bias * 0.004 * 0.01
    expected = np.rint(128 / (1 + np.exp(-real)))
    assert np.abs(run_litert(content, {"h": h})["y"] - expected).max() <= 1
    assert np.abs(Micro(content)(h)[0] - expected).max() <= 1


def test_what_cannot_be_written_is_refused():
    with pytest.raises(InputError, match="operator LSTM is not one of"):
        TfliteOp("LSTM", ("x",), ("y",))
    with pytest.raises(InputError, match="ADD has no option stride_w"):
        TfliteOp("ADD", ("x", "y"), ("z",), {"stride_w": 1})
    with pytest.raises(InputError, match="float64"):
        TfliteTensor("x", (1,), np.dtype(np.float64))
    with pytest.raises(InputError, match="two tensors called x"):
        graph_of([("x", (1,), F32)], [("x", (1,), F32)])
    with pytest.raises(InputError, match="unknown tensor y"):
        graph_of([("x", (1,), F32)], [], ops=[("NEG", ["x"], ["y"], {})])
    with pytest.raises(InputError, match="its value int8"):
        TfliteTensor("x", (2,), F32, np.zeros(2, np.int8))
    with pytest.raises(InputError, match="2 scales"):
        TensorQuant((1.0, 2.0), (0,))
