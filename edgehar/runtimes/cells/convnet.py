"""Convolutional networks without time padding (all families with `layers`): whole window, and column by column.

    conv      y[t] = b + sum_k w[:, :, k] x[t stride + k]            valid: no sample outside the window is invented
    residual  y = relu(body(x) + x cropped by half of the body's loss at each side)
    mean      over all columns of the window; linear: logits = fc_w mean + fc_b

Column c of any layer covers samples from c * (stride so far) on. The hop is a multiple of the total stride, so the
columns of a window are columns of the stream, and a stream has to compute each of them once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from edgehar.graph.convplan import ConvPlan, plan_convnet
from edgehar.types import FloatArray


def convnet_window(model: Mapping[str, Any], weights: Mapping[str, FloatArray], x: FloatArray) -> FloatArray:
    """Logits [classes] of one whole window x [window, inputs], layer by layer."""
    *layers, _, linear = model["layers"]
    for layer in layers:
        x = _residual(layer, weights, x) if layer["op"] == "residual" else _conv(layer, weights, x)
    name = linear["name"]
    scores: FloatArray = weights[f"{name}.w"] @ x.mean(axis=0, dtype=np.float32) + weights[f"{name}.b"]
    return scores


def _conv(layer: Mapping[str, Any], weights: Mapping[str, FloatArray], x: FloatArray) -> FloatArray:
    w, b, groups = weights[f"{layer['name']}.w"], weights[f"{layer['name']}.b"], layer["groups"]
    views = sliding_window_view(x, layer["kernel"], axis=0)[:: layer["stride"]]  # [columns, inputs, kernel]
    views = views.reshape(len(views), groups, -1)
    kernels = w.reshape(groups, layer["out"] // groups, -1)
    y: FloatArray = np.einsum("tgi,goi->tgo", views, kernels).reshape(len(views), -1) + b
    return np.maximum(y, 0) if layer["relu"] else y


def _residual(layer: Mapping[str, Any], weights: Mapping[str, FloatArray], x: FloatArray) -> FloatArray:
    y = x
    for conv in layer["body"]:
        y = _conv(conv, weights, y)
    crop = (len(x) - len(y)) // 2
    joined: FloatArray = np.maximum(y + x[crop : crop + len(y)], 0)
    return joined


class ConvStream:
    """Keeps the last columns of every layer and computes only what a new sample adds."""

    def __init__(self, model: Mapping[str, Any], weights: Mapping[str, FloatArray], window: int, hop: int) -> None:
        self._plan: ConvPlan = plan_convnet(model, window)
        self._weights, self._window, self._hop = weights, window, hop
        self.reset()

    def reset(self) -> None:
        self._t = 0
        # columns[i]: the newest columns of layer i's input; the last one: the network's output columns of one window
        self._columns: list[deque[FloatArray]] = [deque(maxlen=length) for length in self._plan.kept]
        self._seen = [0] * len(self._plan.kept)

    def push(self, x: FloatArray) -> FloatArray | None:
        """One sample [inputs]; the logits of the window that it finishes, if it finishes one."""
        self._append(0, x)
        for i, conv in enumerate(self._plan.convs):
            # Output column c needs input columns up to c stride + kernel - 1; this one is just complete, or nothing is.
            if self._seen[i] < conv.kernel or (self._seen[i] - conv.kernel) % conv.stride:
                break
            self._append(i + 1, self._column(i))
        self._t += 1
        since = self._t - self._window
        if since < 0 or since % self._hop:
            return None
        mean = np.stack(self._columns[-1]).mean(axis=0, dtype=np.float32)
        name = self._plan.linear
        scores: FloatArray = self._weights[f"{name}.w"] @ mean + self._weights[f"{name}.b"]
        return scores

    def _append(self, stage: int, column: FloatArray) -> None:
        self._columns[stage].append(column)
        self._seen[stage] += 1

    def _column(self, i: int) -> FloatArray:
        conv = self._plan.convs[i]
        w, b = self._weights[f"{conv.name}.w"], self._weights[f"{conv.name}.b"]
        taps = np.stack(list(self._columns[i])[-conv.kernel :], axis=1)  # [inputs, kernel]
        taps = taps.reshape(conv.groups, -1)
        y: FloatArray = np.einsum("gi,goi->go", taps, w.reshape(conv.groups, len(w) // conv.groups, -1)).ravel() + b
        if conv.skip is not None:
            y = y + self._columns[conv.skip][-1 - conv.skip_lag]
        return np.maximum(y, 0) if conv.relu else y
