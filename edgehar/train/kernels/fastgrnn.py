"""FastGRNN over a whole batch of windows as one autograd step: Numba loops over time around BLAS products.

    s_t = W x_t + U h_{t-1}; z = sigmoid(s + b_z); g = tanh(s + b_h); h_t = (zeta (1 - z) + nu) g + z h_{t-1}

Kusupati et al., NeurIPS 2018. The gates are saved for the way back, the pre-activations are not. Several times faster
than the same loop in torch operations: `benchmarks/train_speed_fastgrnn.py` measures both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgehar.train.kernels.tanh import nopython, tanh32
from edgehar.types import FloatArray

_HALF, _ONE = np.float32(0.5), np.float32(1.0)


@nopython
def _forward(
    x: FloatArray,
    w_t: FloatArray,
    u_t: FloatArray,
    b_z: FloatArray,
    b_h: FloatArray,
    zeta: np.float32,
    nu: np.float32,
    h: FloatArray,
    z: FloatArray,
    g: FloatArray,
) -> None:
    """Fill h [T+1, B, H] (h[0] given), z and g [T, B, H] from x [T, B, D], w_t [D, H], u_t [H, H]."""
    steps, batch, hidden = z.shape
    from_input = np.empty((batch, hidden), np.float32)
    pre = np.empty((batch, hidden), np.float32)
    for t in range(steps):
        np.dot(x[t], w_t, from_input)
        np.dot(h[t], u_t, pre)
        for b in range(batch):
            before, after, gate, candidate = h[t, b], h[t + 1, b], z[t, b], g[t, b]
            row, row_x = pre[b], from_input[b]
            for i in range(hidden):
                s = row[i] + row_x[i]
                zi = _HALF + _HALF * tanh32(_HALF * (s + b_z[i]))
                gi = tanh32(s + b_h[i])
                gate[i] = zi
                candidate[i] = gi
                after[i] = (zeta * (_ONE - zi) + nu) * gi + zi * before[i]


@nopython
def _backward(
    grad_h: FloatArray,
    x: FloatArray,
    w: FloatArray,
    u: FloatArray,
    zeta: np.float32,
    nu: np.float32,
    h: FloatArray,
    z: FloatArray,
    g: FloatArray,
    grad_x: FloatArray,
    grad_w: FloatArray,
    grad_u: FloatArray,
    grad_b: FloatArray,
) -> tuple[float, float]:
    """Add to grad_w [H, D], grad_u [H, H], grad_b [2, H] (b_z, then z and h together); return those of zeta and nu.

    grad_x [T, B, D] is filled unless it is empty. Weight gradients are added step by step while the step's rows are
    still in cache. The inner loop touches few arrays: with more, LLVM gives up proving that they do not overlap.
    """
    steps, batch, hidden = z.shape
    through_u = np.zeros((batch, hidden), np.float32)
    direct = np.zeros((batch, hidden), np.float32)
    grad_s = np.empty((batch, hidden), np.float32)
    step_w, step_u = np.empty_like(grad_w), np.empty_like(grad_u)
    of_gate, of_both = grad_b[0], grad_b[1]
    grad_zeta, grad_nu = 0.0, 0.0
    for t in range(steps - 1, -1, -1):
        for b in range(batch):
            of_zeta, of_nu = np.float32(0), np.float32(0)
            gate, candidate, before = z[t, b], g[t, b], h[t, b]
            out, ds, back, carry = grad_h[t, b], grad_s[b], through_u[b], direct[b]
            for i in range(hidden):
                dh = out[i] + back[i] + carry[i]
                zi, gi = gate[i], candidate[i]
                dz = dh * (before[i] - zeta * gi) * zi * (_ONE - zi)
                ds[i] = dz + dh * (zeta * (_ONE - zi) + nu) * (_ONE - gi * gi)
                carry[i] = dh * zi
                of_gate[i] += dz
                of_zeta += dh * (_ONE - zi) * gi
                of_nu += dh * gi
            grad_zeta += float(of_zeta)
            grad_nu += float(of_nu)
            for i in range(hidden):
                of_both[i] += ds[i]
        np.dot(grad_s, u, through_u)
        np.dot(grad_s.T, x[t], step_w)
        np.dot(grad_s.T, h[t], step_u)
        grad_w += step_w
        grad_u += step_u
        if len(grad_x):
            np.dot(grad_s, w, grad_x[t])
    return grad_zeta, grad_nu


class _FastGRNNSequence(torch.autograd.Function):
    """states [T, B, H] = f(x [T, B, D], W [H, D], U [H, H], b_z [H], b_h [H], zeta [1], nu [1])."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, u: Tensor, b_z: Tensor, b_h: Tensor, zeta: Tensor, nu: Tensor
    ) -> Tensor:
        steps, batch, _ = x.shape
        hidden = u.shape[0]
        h = torch.empty(steps + 1, batch, hidden)
        h[0] = 0
        z, g = torch.empty(steps, batch, hidden), torch.empty(steps, batch, hidden)
        arrays = [_array(a) for a in (x, w.t(), u.t(), b_z, b_h)]
        scalars = np.float32(zeta.item()), np.float32(nu.item())
        _forward(*arrays, *scalars, h.numpy(), z.numpy(), g.numpy())
        ctx.save_for_backward(x, w, u, h, z, g)
        ctx.scalars = scalars
        return h[1:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, w, u, h, z, g = ctx.saved_tensors
        needs_x = ctx.needs_input_grad[0]
        grad_x = torch.empty_like(x) if needs_x else torch.empty(0, *x.shape[1:])
        grad_w, grad_u = torch.zeros(w.shape), torch.zeros(u.shape)
        grad_b = torch.zeros(2, u.shape[0])
        read = [_array(a) for a in (grads[0], x, w, u)]
        saved = [a.numpy() for a in (h, z, g)]
        written = [a.numpy() for a in (grad_x, grad_w, grad_u, grad_b)]
        scalars = _backward(*read, *ctx.scalars, *saved, *written)
        grad_zeta, grad_nu = (torch.tensor([value]) for value in scalars)
        return grad_x if needs_x else None, grad_w, grad_u, grad_b[0], grad_b[1] - grad_b[0], grad_zeta, grad_nu


def _array(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().contiguous().numpy()
    return array


def fastgrnn_states(x: Tensor, w: Tensor, u: Tensor, b_z: Tensor, b_h: Tensor, zeta: Tensor, nu: Tensor) -> Tensor:
    """All hidden states [T, B, H] of x [T, B, D] from a zero state; w [H, D], u [H, H], zeta and nu [1]."""
    if x.dtype != torch.float32 or x.device.type != "cpu":
        return fastgrnn_states_plain(x, w, u, b_z, b_h, zeta, nu)
    states: Tensor = _FastGRNNSequence.apply(x, w, u, b_z, b_h, zeta, nu)  # type: ignore[no-untyped-call]
    return states


def fastgrnn_states_plain(
    x: Tensor, w: Tensor, u: Tensor, b_z: Tensor, b_h: Tensor, zeta: Tensor, nu: Tensor
) -> Tensor:
    """The same in torch operations: the definition that the fused step is tested against, any device and precision."""
    h = x.new_zeros(x.shape[1], u.shape[0])
    states = []
    for from_input in x @ w.t():
        s = from_input + h @ u.t()
        z = torch.sigmoid(s + b_z)
        h = (zeta * (1 - z) + nu) * torch.tanh(s + b_h) + z * h
        states.append(h)
    return torch.stack(states)
