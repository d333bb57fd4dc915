"""Leaky and synaptic integrate-and-fire populations without recurrence, whole sequences at once.

For each neuron, R[t] = H(U[t-1] - thr) is detached and (snntorch semantics, reset by subtraction one step late)
    J[t] = alpha J[t-1] + I[t]            (synaptic; leaky: J = I)
    U[t] = beta U[t-1] + J[t] - R[t] thr,   S[t] = H(U[t] - thr),
    dS/dU = (k/2) / (1 + (pi k (U - thr) / 2)^2)   (ATan surrogate of slope k).
Layout: time-major [T, N_batch, n]. Everything starts at zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from edgehar.train.kernels.tanh import nopython


@nopython
def fire(
    drive: Any, previous: Any, u: Any, s: Any, synapse: Any, alpha: Any, beta: Any, threshold: Any, synaptic: bool
) -> None:
    """One step of a population [b, n]: writes u and s; `synapse` (the state J) is used only when synaptic."""
    one = s.dtype.type(1)
    zero = s.dtype.type(0)
    for b in range(u.shape[0]):
        if synaptic:
            for n in range(u.shape[1]):
                synapse[b, n] = alpha[n] * synapse[b, n] + drive[b, n]
                u[b, n] = synapse[b, n]
        else:
            for n in range(u.shape[1]):
                u[b, n] = drive[b, n]
        for n in range(u.shape[1]):
            reset = threshold[n] if previous[b, n] > threshold[n] else zero
            u[b, n] = beta[n] * previous[b, n] + u[b, n] - reset
            s[b, n] = one if u[b, n] > threshold[n] else zero


@nopython
def unfire(
    grad_s: Any,
    u: Any,
    previous: Any,
    before: Any,
    grad_u: Any,
    grad_synapse: Any,
    alpha: Any,
    beta: Any,
    threshold: Any,
    grad_alpha: Any,
    grad_beta: Any,
    grad_threshold: Any,
    slope: float,
    synaptic: bool,
) -> None:
    """Adjoint of one step. `grad_u` [b, n] enters as dL/dU[t] without the spike path and leaves as beta * dL/dU[t].

    `grad_s` [b, n] enters as dL/dS[t] and leaves as dL/dI[t]. `previous`, `before` are U[t-1], U[t-2] (J[t-1] is
    rebuilt from them). `grad_synapse` carries alpha * dL/dJ[t]; the parameter gradients are added to.
    """
    zero = u.dtype.type(0)
    one = u.dtype.type(1)
    half = u.dtype.type(slope / 2)
    steep = u.dtype.type((np.pi * slope / 2) ** 2)
    for b in range(u.shape[0]):
        for n in range(u.shape[1]):
            distance = u[b, n] - threshold[n]
            through = grad_s[b, n] * (half / (one + steep * distance * distance))
            total = grad_u[b, n] + through
            reset = one if previous[b, n] > threshold[n] else zero
            grad_threshold[n] -= through + total * reset
            grad_beta[n] += total * previous[b, n]
            grad_u[b, n] = beta[n] * total
            grad_s[b, n] = total
        if synaptic:
            for n in range(u.shape[1]):
                reset = threshold[n] if before[b, n] > threshold[n] else zero
                synapse = previous[b, n] - beta[n] * before[b, n] + reset
                total = grad_s[b, n] + grad_synapse[b, n]
                grad_alpha[n] += total * synapse
                grad_synapse[b, n] = alpha[n] * total
                grad_s[b, n] = total


@nopython
def _sequence_forward(drive: Any, u: Any, s: Any, alpha: Any, beta: Any, threshold: Any, synaptic: bool) -> None:
    synapse = np.zeros_like(drive[0])
    for t in range(drive.shape[0]):
        fire(drive[t], u[t], u[t + 1], s[t], synapse, alpha, beta, threshold, synaptic)


@nopython
def _sequence_backward(
    grad: Any,
    grad_membrane: Any,
    u: Any,
    alpha: Any,
    beta: Any,
    threshold: Any,
    grad_alpha: Any,
    grad_beta: Any,
    grad_threshold: Any,
    slope: float,
    synaptic: bool,
) -> None:
    carry = np.zeros_like(u[0])
    synapse = np.zeros_like(u[0])
    has_membrane = grad_membrane.shape[0] > 0
    for t in range(grad.shape[0] - 1, -1, -1):
        if has_membrane:
            carry += grad_membrane[t]
        unfire(
            grad[t], u[t + 1], u[t], u[max(t - 1, 0)], carry, synapse, alpha, beta, threshold,
            grad_alpha, grad_beta, grad_threshold, slope, synaptic,
        )  # fmt: skip


class LifSequence(Function):
    """Spikes and potentials of a population: (I [T,b,n], alpha|None, beta [n], thr [n], slope) -> S, U [T,b,n]."""

    @staticmethod
    def forward(
        ctx: Any, drive: Tensor, alpha: Tensor | None, beta: Tensor, threshold: Tensor, slope: float
    ) -> tuple[Tensor, Tensor]:
        steps, batch, size = drive.shape
        u = drive.new_empty(steps + 1, batch, size)
        u[0] = 0.0
        s = drive.new_empty(steps, batch, size)
        leak = beta.detach() if alpha is None else alpha.detach()
        _sequence_forward(
            drive.detach().contiguous().numpy(), u.numpy(), s.numpy(), leak.contiguous().numpy(),
            beta.detach().contiguous().numpy(), threshold.detach().contiguous().numpy(), alpha is not None,
        )  # fmt: skip
        ctx.save_for_backward(u, leak, beta.detach(), threshold.detach())
        ctx.slope, ctx.synaptic = slope, alpha is not None
        ctx.set_materialize_grads(False)
        return s, u[1:]

    @staticmethod
    def backward(ctx: Any, grad_s: Tensor | None, grad_u: Tensor | None) -> Any:
        u, alpha, beta, threshold = ctx.saved_tensors
        shape = (u.shape[0] - 1, *u.shape[1:])
        grad = u.new_zeros(shape) if grad_s is None else grad_s.clone(memory_format=torch.contiguous_format)
        membrane = u.new_empty(0, *u.shape[1:]) if grad_u is None else grad_u.contiguous()
        parameters = [torch.zeros_like(beta) for _ in range(3)]
        _sequence_backward(
            grad.numpy(), membrane.numpy(), u.numpy(), alpha.contiguous().numpy(), beta.contiguous().numpy(),
            threshold.contiguous().numpy(), *(p.numpy() for p in parameters), ctx.slope, ctx.synaptic,
        )  # fmt: skip
        return grad, parameters[0] if ctx.synaptic else None, parameters[1], parameters[2], None
