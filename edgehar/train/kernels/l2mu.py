"""The recurrent core of the L2MU (populations u, m, h) as one autograd function over the whole window.

Per step t (all spikes and potentials zero before the window):
    I_u = X_u[t] + E_h S_h[t-1] + E_m S_m[t-1]        -> S_u  [M]
    I_m[i] = A S_m[t-1][i] + B S_u[i], i = 1..M       -> S_m  [M, d]
    I_h = X_h[t] + W_h S_h[t-1] + W_m S_m[t]          -> S_h  [H]
X_u = E_x x and X_h = W_x x are computed outside, one product for all steps; the weight gradients likewise, after the
backward loop. Batch rows are worked in blocks, so that the states of a block stay in the cache.
Triples below are ordered (u, m, h); arrays are time-major [T, batch, n].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from edgehar.train.kernels.lif import fire, unfire
from edgehar.train.kernels.spikes import active, add_rows, spike_outer
from edgehar.train.kernels.tanh import nopython

_BLOCK = 64


@nopython
def _forward(
    drives: Any, weights: Any, b: Any, leaks: Any, potentials: Any, spikes: Any, synaptic: bool, block: int
) -> None:
    """Fill potentials and spikes [T+1, batch, n] (row 0 is the zero start).

    `drives` = (X_u, X_h); `weights` = (E_h, E_m, A, W_h, W_m), each transposed to [from, to]; `leaks` holds
    (alpha, beta, threshold) of u, then m, then h.
    """
    x_u, x_h = drives
    e_h, e_m, a, w_h, w_m = weights
    u_u, u_m, u_h = potentials
    s_u, s_m, s_h = spikes
    steps, batch, units = x_u.shape
    order = a.shape[0]
    sizes = (units, units * order, x_h.shape[2])
    for start in range(0, batch, block):
        stop = min(start + block, batch)
        i_u = np.empty((stop - start, sizes[0]), x_u.dtype)
        i_m = np.zeros((stop - start, sizes[1]), x_u.dtype)
        i_h = np.empty((stop - start, sizes[2]), x_u.dtype)
        j_u, j_m, j_h = np.zeros_like(i_u), np.zeros_like(i_m), np.zeros_like(i_h)
        from_m, from_h = np.empty(sizes[1] + 1, np.int64), np.empty(sizes[2] + 1, np.int64)
        for t in range(steps):
            for r in range(stop - start):
                i_u[r] = x_u[t, start + r]
                i_h[r] = x_h[t, start + r]
                count = active(s_h[t, start + r], from_h)
                add_rows(e_h, from_h, count, i_u[r])
                add_rows(w_h, from_h, count, i_h[r])
                count = active(s_m[t, start + r], from_m)
                add_rows(e_m, from_m, count, i_u[r])
                i_m[r] = 0
                for n in range(count):
                    unit, component = divmod(from_m[n], order)
                    for k in range(order):
                        i_m[r, unit * order + k] += a[component, k]
            fire(i_u, u_u[t, start:stop], u_u[t + 1, start:stop], s_u[t + 1, start:stop], j_u,
                 leaks[0], leaks[1], leaks[2], synaptic)  # fmt: skip
            for r in range(stop - start):
                fired = s_u[t + 1, start + r]
                for i in range(units):
                    for k in range(order):
                        i_m[r, i * order + k] += b[k] * fired[i]
            fire(i_m, u_m[t, start:stop], u_m[t + 1, start:stop], s_m[t + 1, start:stop], j_m,
                 leaks[3], leaks[4], leaks[5], synaptic)  # fmt: skip
            for r in range(stop - start):
                add_rows(w_m, from_m, active(s_m[t + 1, start + r], from_m), i_h[r])
            fire(i_h, u_h[t, start:stop], u_h[t + 1, start:stop], s_h[t + 1, start:stop], j_h,
                 leaks[6], leaks[7], leaks[8], synaptic)  # fmt: skip


@nopython
def _backward(
    grads: Any, weights: Any, b: Any, leaks: Any, potentials: Any, grad_leaks: Any, slope: float, synaptic: bool,
    block: int,
) -> None:  # fmt: skip
    """`grads` = (g_u, g_m, g_h) enter as dL/dS [T, batch, n] from outside the core and leave as dL/dI.

    `weights` = (E_h, E_m, A, W_h, W_m) as stored, [to, from]; `grad_leaks` (as `leaks`) are added to.
    """
    g_u, g_m, g_h = grads
    e_h, e_m, a, w_h, w_m = weights
    u_u, u_m, u_h = potentials
    steps, batch, units = g_u.shape
    order = a.shape[0]
    for start in range(0, batch, block):
        stop = min(start + block, batch)
        rows = stop - start
        carry_u = np.zeros((rows, units), g_u.dtype)
        carry_m = np.zeros((rows, units * order), g_u.dtype)
        carry_h = np.zeros((rows, g_h.shape[2]), g_u.dtype)
        j_u, j_m, j_h = np.zeros_like(carry_u), np.zeros_like(carry_m), np.zeros_like(carry_h)
        part_m, part_h = np.empty_like(carry_m), np.empty_like(carry_h)
        for t in range(steps - 1, -1, -1):
            d_u, d_m, d_h = g_u[t, start:stop], g_m[t, start:stop], g_h[t, start:stop]
            early = max(t - 1, 0)
            if t + 1 < steps:
                np.dot(g_h[t + 1, start:stop], w_h, part_h)
                d_h += part_h
                np.dot(g_u[t + 1, start:stop], e_h, part_h)
                d_h += part_h
                np.dot(g_u[t + 1, start:stop], e_m, part_m)
                d_m += part_m
                later = g_m[t + 1, start:stop].reshape(rows * units, order)
                np.dot(later, a, part_m.reshape(rows * units, order))
                d_m += part_m
            unfire(d_h, u_h[t + 1, start:stop], u_h[t, start:stop], u_h[early, start:stop], carry_h, j_h,
                   leaks[6], leaks[7], leaks[8], grad_leaks[6], grad_leaks[7], grad_leaks[8],
                   slope, synaptic)  # fmt: skip
            np.dot(d_h, w_m, part_m)
            d_m += part_m
            unfire(d_m, u_m[t + 1, start:stop], u_m[t, start:stop], u_m[early, start:stop], carry_m, j_m,
                   leaks[3], leaks[4], leaks[5], grad_leaks[3], grad_leaks[4], grad_leaks[5],
                   slope, synaptic)  # fmt: skip
            for r in range(rows):
                for i in range(units):
                    total = d_u[r, i]
                    for k in range(order):
                        total += d_m[r, i * order + k] * b[k]
                    d_u[r, i] = total
            unfire(d_u, u_u[t + 1, start:stop], u_u[t, start:stop], u_u[early, start:stop], carry_u, j_u,
                   leaks[0], leaks[1], leaks[2], grad_leaks[0], grad_leaks[1], grad_leaks[2],
                   slope, synaptic)  # fmt: skip


def _array(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()


class L2muCore(Function):
    """(X_u, X_h, E_h, E_m, W_h, W_m, A, B, slope, synaptic, 9 leaks) -> spikes S_u, S_m, S_h [T, batch, n].

    The leaks are (alpha, beta, threshold) of u, m, h, each [n]; alpha is ignored by leaky populations. A and B are
    fixed and get no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, x_u: Tensor, x_h: Tensor, e_h: Tensor, e_m: Tensor, w_h: Tensor, w_m: Tensor, a: Tensor, b: Tensor,
        slope: float, synaptic: bool, *leaks: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        steps, batch, units = x_u.shape
        sizes = (units, units * a.shape[0], x_h.shape[2])
        potentials = [x_u.new_empty(steps + 1, batch, n) for n in sizes]
        spikes = [x_u.new_empty(steps + 1, batch, n) for n in sizes]
        for state in (*potentials, *spikes):
            state[0] = 0.0
        _forward(
            (_array(x_u), _array(x_h)), tuple(_array(m.t()) for m in (e_h, e_m, a, w_h, w_m)), _array(b),
            tuple(map(_array, leaks)), tuple(map(_array, potentials)), tuple(map(_array, spikes)), synaptic, _BLOCK,
        )  # fmt: skip
        ctx.save_for_backward(e_h, e_m, a, w_h, w_m, b, *potentials, *spikes, *leaks)
        ctx.slope, ctx.synaptic = slope, synaptic
        ctx.set_materialize_grads(False)
        return tuple(s[1:] for s in spikes)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor | None) -> Any:
        e_h, e_m, a, w_h, w_m, b, *rest = ctx.saved_tensors
        potentials, spikes, leaks = rest[:3], rest[3:6], rest[6:]
        grads = [
            torch.zeros_like(u[1:]) if g is None else g.clone(memory_format=torch.contiguous_format)
            for g, u in zip(outer, potentials, strict=True)
        ]
        grad_leaks = [torch.zeros_like(leak) for leak in leaks]
        _backward(
            tuple(map(_array, grads)), tuple(map(_array, (e_h, e_m, a, w_h, w_m))), _array(b),
            tuple(map(_array, leaks)), tuple(map(_array, potentials)), tuple(map(_array, grad_leaks)),
            ctx.slope, ctx.synaptic, _BLOCK,
        )  # fmt: skip
        g_u, _, g_h = grads
        s_m, s_h = spikes[1], spikes[2]
        weights = (spike_outer(g_u, s_h[:-1]), spike_outer(g_u, s_m[:-1]), spike_outer(g_h, s_h[:-1]))
        return (g_u, g_h, *weights, spike_outer(g_h, s_m[1:]), None, None, None, None, *grad_leaks)
