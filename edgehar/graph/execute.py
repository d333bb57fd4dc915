"""A graph on whole windows in NumPy, many at once: what emitters are checked against, and what calibration watches.

Arrays carry a leading axis of windows: [b, n] for a vector, [b, t, n] for a convnet's columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgehar.graph.graph import Graph, State
from edgehar.graph.ops import (
    TENSOR_X,
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
from edgehar.types import FloatArray

Values = dict[str, NDArray[Any]]
Watch = Callable[[Mapping[str, NDArray[Any]]], None]
"""Sees every tensor: after each sample of a recurrent model, once for a convnet, and after the head."""


def run_graph(graph: Graph, x: FloatArray, watch: Watch | None = None) -> FloatArray:
    """Logits [b, classes] of preprocessed windows x [b, window, inputs]."""
    values = run_steps(graph.states, x, graph.step, lambda op, v: EQUATIONS[type(op)](op, v), np.float32, watch)
    for op in graph.head:
        values[op.out] = EQUATIONS[type(op)](op, values)
    if watch is not None and graph.head:
        watch(values)
    logits: FloatArray = values[graph.output]
    return logits


def run_steps(
    states: tuple[State, ...],
    x: NDArray[Any],
    step: tuple[Any, ...],
    apply: Callable[[Any, Values], Any],
    dtype: type[np.generic],
    watch: Watch | None,
) -> Values:
    """Tensors after the last sample of x [b, w, inputs]; without states, x is one value with a time axis.

    `apply(op, values)` gives the value of op.out, or a dict of the values of all that the operation writes.
    """
    values: Values = {state.name: np.zeros((len(x), state.size), dtype) for state in states}
    for sample in np.moveaxis(x, 1, 0) if states else [x]:
        values[TENSOR_X] = sample
        for op in step:
            result = apply(op, values)
            values |= result if isinstance(result, dict) else {op.out: result}
        if watch is not None:
            watch(values)
        for state in states:
            values[state.name] = values[state.next]
    return values


def trace(run: Callable[..., Any], graph: Any, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Every tensor of one window x [w, inputs] through `run_graph` or `run_int_graph`: {name: [steps, n]}.

    A recurrent tensor has one row per sample, a convnet's one per column; a tensor of the head has one row.
    """
    rows: dict[str, list[NDArray[Any]]] = {}

    def watch(values: Mapping[str, NDArray[Any]]) -> None:
        for name, value in values.items():
            rows.setdefault(name, []).append(np.array(value[0]))

    run(graph, x[None], watch)
    head = {op.out for op in graph.head}
    told: dict[str, NDArray[Any]] = {}
    for name, found in rows.items():
        if name in head:
            told[name] = found[-1][None]
        elif graph.states:
            told[name] = np.stack(found[: len(x)])
        else:
            told[name] = found[0]
    return told


def sigmoid(v: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + exp(-v)) in float32."""
    return np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * v)


def columns_of(x: NDArray[Any], kernel: int, stride: int) -> NDArray[Any]:
    """Overlapping views [b, columns, channels, kernel] of x [b, t, channels]."""
    return sliding_window_view(x, kernel, axis=1)[:, ::stride]


def _linear(op: Linear, v: Values) -> NDArray[Any]:
    total = sum((v[t.x] @ float_of(t.w).T for t in op.terms), np.float32(0))
    return np.asarray(total if op.bias is None else total + float_of(op.bias))


def _expand(op: Expand, v: Values) -> NDArray[Any]:
    driven = v[op.x][:, :, None] * float_of(op.w) + float_of(op.b)
    return driven.reshape(len(driven), -1)


def _legendre(op: Legendre, v: Values) -> NDArray[Any]:
    a, b, u = float_of(op.a), float_of(op.b), v[op.u]
    rows = v[op.x].reshape(len(u), u.shape[1], len(b))
    held: NDArray[Any] = (rows @ a.T + u[:, :, None] * b).reshape(len(u), -1)
    return held if op.gain is None else held * float_of(op.gain)


def _gated(op: GatedUpdate, v: Values) -> NDArray[Any]:
    z, g = sigmoid(v[op.pre] + float_of(op.b_z)), np.tanh(v[op.pre] + float_of(op.b_h))
    return np.asarray((float_of(op.zeta) * (1 - z) + float_of(op.nu)) * g + z * v[op.h])


def _gru(op: GruUpdate, v: Values) -> NDArray[Any]:
    x_r, x_z, x_n = np.split(v[op.from_x], 3, axis=1)
    h_r, h_z, h_n = np.split(v[op.from_h], 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return np.asarray((1 - z) * np.tanh(x_n + r * h_n) + z * v[op.h])


def _lif(op: Lif, v: Values) -> Values:
    drive, threshold, u = v[op.drive], float_of(op.threshold), v[op.potential]
    made: Values = {}
    if op.alpha is not None:
        drive = made[op.current_out] = float_of(op.alpha) * v[op.current] + drive
    new = (float_of(op.beta) * u + drive) - np.where(u > threshold, threshold, np.float32(0))
    return {**made, op.potential_out: new, op.out: (new > threshold).astype(np.float32)}


def _accumulate(op: Accumulate, v: Values) -> NDArray[Any]:
    return np.asarray(v[op.total] + v[op.x])


def _conv(op: Conv, v: Values) -> NDArray[Any]:
    w = float_of(op.w)
    views = columns_of(v[op.x], op.kernel, op.stride)  # [b, t, in, kernel]
    taps = views.reshape(*views.shape[:2], op.groups, -1)
    kernels = w.reshape(op.groups, len(w) // op.groups, -1)
    y = np.einsum("btgi,goi->btgo", taps, kernels, optimize=True).reshape(*views.shape[:2], -1) + float_of(op.b)
    if op.skip:
        y = y + v[op.skip][:, op.skip_lag : op.skip_lag + y.shape[1]]
    return np.asarray(np.maximum(y, 0) if op.relu else y, np.float32)


def _mean(op: Mean, v: Values) -> NDArray[Any]:
    return np.asarray(v[op.x].mean(axis=1, dtype=np.float32))


EQUATIONS: Mapping[type[Op], Callable[[Any, Values], Any]] = {
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
