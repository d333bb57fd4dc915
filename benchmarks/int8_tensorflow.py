"""A graph's equations in TensorFlow, and TFLiteConverter's int8 file of them; runs where tensorflow is."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from edgehar.graph.graph import Graph
from edgehar.graph.ops import (
    Accumulate,
    Conv,
    Expand,
    GatedUpdate,
    GruUpdate,
    Legendre,
    Lif,
    Linear,
    Mean,
    Op,
    float_of,
)

Values = dict[str, Any]


class TensorflowModel:
    """One step with explicit states, or a whole window of a convnet."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tf = importlib.import_module("tensorflow")

    def int8_file(self, samples: list[dict[str, Any]]) -> bytes:
        """Full int8 between float32 inputs and outputs; `samples` are what it is calibrated on."""
        tf, graph = self.tf, self.graph
        rows = 1 if graph.states else graph.window
        names = ["x", *(s.name for s in graph.states)]
        sizes = [(rows, graph.inputs), *((1, s.size) for s in graph.states)]
        specs = [tf.TensorSpec(size, tf.float32, name=name) for name, size in zip(names, sizes, strict=True)]
        module = tf.Module()
        module.run = tf.function(
            lambda *given: self.outputs(dict(zip(names, given, strict=True))), input_signature=specs
        )
        function = module.run.get_concrete_function()
        signatures = {"serving_default": function}

        def representative() -> Iterator[tuple[str, dict[str, Any]]]:
            for sample in samples:
                yield "serving_default", {name: np.asarray(value, np.float32) for name, value in sample.items()}

        tf.saved_model.save(module, folder := self.folder(), signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return bytes(converter.convert())

    def folder(self) -> str:
        """A new directory for the saved model."""
        import tempfile

        return tempfile.mkdtemp(prefix="int8_tensorflow_")

    def outputs(self, values: Values) -> Values:
        """Logits and next states."""
        graph = self.graph
        if not graph.states:
            values["x"] = values["x"][None]  # [1, window, inputs]
        for op in graph.step:
            EQUATIONS[type(op)](self.tf, op, values)
        found = {s.next: values[s.next] for s in graph.states}
        values |= {s.name: values[s.next] for s in graph.states}
        for op in graph.head:
            EQUATIONS[type(op)](self.tf, op, values)
        return {"logits": self.tf.identity(values[graph.output]), **found}


def _linear(tf: Any, op: Linear, v: Values) -> None:
    total = sum((tf.matmul(v[t.x], tf.constant(float_of(t.w).T)) for t in op.terms[1:]), start=_first(tf, op, v))
    v[op.out] = total


def _first(tf: Any, op: Linear, v: Values) -> Any:
    product = tf.matmul(v[op.terms[0].x], tf.constant(float_of(op.terms[0].w).T))
    return product if op.bias is None else product + float_of(op.bias)


def _expand(tf: Any, op: Expand, v: Values) -> None:
    driven = tf.reshape(v[op.x], (-1, 1)) * float_of(op.w) + float_of(op.b)
    v[op.out] = tf.reshape(driven, (1, op.w.value.size))


def _legendre(tf: Any, op: Legendre, v: Values) -> None:
    a, b = float_of(op.a), float_of(op.b)
    rows = tf.matmul(tf.reshape(v[op.x], (-1, len(b))), tf.constant(a.T)) + tf.reshape(v[op.u], (-1, 1)) * b[None]
    v[op.out] = tf.reshape(rows, (1, -1))


def _gated(tf: Any, op: GatedUpdate, v: Values) -> None:
    z, g = tf.sigmoid(v[op.pre] + float_of(op.b_z)), tf.tanh(v[op.pre] + float_of(op.b_h))
    v[op.out] = (float_of(op.zeta) * (1 - z) + float_of(op.nu)) * g + z * v[op.h]


def _gru(tf: Any, op: GruUpdate, v: Values) -> None:
    x_r, x_z, x_n = tf.split(v[op.from_x], 3, axis=1)
    h_r, h_z, h_n = tf.split(v[op.from_h], 3, axis=1)
    r, z = tf.sigmoid(x_r + h_r), tf.sigmoid(x_z + h_z)
    v[op.out] = (1 - z) * tf.tanh(x_n + r * h_n) + z * v[op.h]


def _lif(tf: Any, op: Lif, v: Values) -> None:
    drive, threshold, u = v[op.drive], float_of(op.threshold), v[op.potential]
    if op.alpha is not None:
        drive = v[op.current_out] = float_of(op.alpha) * v[op.current] + drive
    new = float_of(op.beta) * u + drive - threshold * tf.cast(u > threshold, tf.float32)
    v[op.potential_out] = new
    v[op.out] = tf.cast(new > threshold, tf.float32)


def _accumulate(_: Any, op: Accumulate, v: Values) -> None:
    v[op.out] = v[op.total] + v[op.x]


def _conv(tf: Any, op: Conv, v: Values) -> None:
    w = tf.constant(np.ascontiguousarray(float_of(op.w).transpose(2, 1, 0)))  # [kernel, in / groups, out]
    y = tf.nn.conv1d(v[op.x], w, stride=op.stride, padding="VALID") + float_of(op.b)
    if op.skip:
        y = y + v[op.skip][:, op.skip_lag : op.skip_lag + y.shape[1]]
    v[op.out] = tf.nn.relu(y) if op.relu else y


def _mean(tf: Any, op: Mean, v: Values) -> None:
    v[op.out] = tf.reduce_mean(v[op.x], axis=1)


EQUATIONS: Mapping[type[Op], Callable[[Any, Any, Values], None]] = {
    Linear: _linear,
    Expand: _expand,
    Legendre: _legendre,
    GatedUpdate: _gated,
    GruUpdate: _gru,
    Lif: _lif,
    Accumulate: _accumulate,
    Conv: _conv,
    Mean: _mean,
}
