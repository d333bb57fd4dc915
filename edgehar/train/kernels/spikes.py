"""Products with spikes: a spike selects a row of the weights, so a matrix product becomes a sum of few rows.

At a firing rate of 10 to 25 % this takes a fraction of a dense product's time. Spikes are float arrays of 0 and 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor
from torch.autograd import Function

from edgehar.train.kernels.tanh import nopython


@nopython
def active(spikes: Any, index: Any) -> int:
    """Write the positions of the spikes of one row to `index` (no branches); return how many there are."""
    count = 0
    for j in range(spikes.shape[0]):
        index[count] = j
        count += 1 if spikes[j] > 0 else 0
    return count


@nopython
def add_rows(table: Any, index: Any, count: int, out: Any) -> None:
    """Add to out [n] the sum of table[index[:count]] [., n], four rows at a time."""
    k = 0
    while k + 4 <= count:
        a, b, c, d = table[index[k]], table[index[k + 1]], table[index[k + 2]], table[index[k + 3]]
        for n in range(out.shape[0]):
            out[n] += (a[n] + b[n]) + (c[n] + d[n])
        k += 4
    while k < count:
        a = table[index[k]]
        for n in range(out.shape[0]):
            out[n] += a[n]
        k += 1


@nopython
def _gather(spikes: Any, table: Any, bias: Any, out: Any) -> None:
    index = np.empty(spikes.shape[1] + 1, np.int64)
    for r in range(spikes.shape[0]):
        out[r] = bias
        add_rows(table, index, active(spikes[r], index), out[r])


@nopython
def _scatter(spikes: Any, grad: Any, out: Any) -> None:
    index = np.empty(spikes.shape[1] + 1, np.int64)
    for r in range(spikes.shape[0]):
        count = active(spikes[r], index)
        from_row = grad[r]
        for k in range(count):
            to = out[index[k]]
            for n in range(to.shape[0]):
                to[n] += from_row[n]


def spike_outer(grad: Tensor, spikes: Tensor) -> Tensor:
    """Sum over steps and batch of grad^T spikes: [T, b, to], [T, b, from] -> [to, from]."""
    out = grad.new_zeros(spikes.shape[-1], grad.shape[-1])
    _scatter(spikes.flatten(0, 1).numpy(), grad.flatten(0, 1).numpy(), out.numpy())
    return out.t()


class SpikeLinear(Function):
    """(spikes [T, b, n], weight [to, n], bias [to]) -> spikes weight^T + bias [T, b, to]."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out = spikes.new_empty(*spikes.shape[:-1], weight.shape[0])
        offset = weight.new_zeros(weight.shape[0]) if bias is None else bias.detach()
        _gather(
            spikes.detach().contiguous().flatten(0, 1).numpy(), weight.detach().t().contiguous().numpy(),
            offset.numpy(), out.flatten(0, 1).numpy(),
        )  # fmt: skip
        ctx.save_for_backward(spikes, weight)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        spikes, weight = ctx.saved_tensors
        grad = grad.contiguous()
        to_spikes = (grad.flatten(0, 1) @ weight).view(spikes.shape) if ctx.needs_input_grad[0] else None
        to_bias = grad.sum(dim=(0, 1)) if ctx.needs_input_grad[2] else None
        return to_spikes, spike_outer(grad, spikes.contiguous()), to_bias


def spike_linear(spikes: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """torch.nn.functional.linear for inputs of 0 and 1, [T, b, n] -> [T, b, to]."""
    out: Tensor = SpikeLinear.apply(spikes, weight, bias)  # type: ignore[no-untyped-call]
    return out
