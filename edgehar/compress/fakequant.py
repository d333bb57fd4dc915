"""Fake quantisation: floats rounded to the grid that the integers will have, with gradients passed straight through.

Jacob et al., CVPR 2018. A value inside its range has the gradient of the identity, one that saturates has none.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgehar.graph.graph import Quant
from edgehar.graph.intexecute import LIMITS


class _Grid(torch.autograd.Function):
    """Scale round(x / scale) for low <= x / scale <= high; scale is a number or broadcasts against x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
        q = torch.round(x / scale)
        ctx.save_for_backward((q >= low) & (q <= high))
        return q.clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (inside,) = ctx.saved_tensors
        return grads[0] * inside, None, None, None


def on_grid(x: Tensor, quant: Quant) -> Tensor:
    """X as its integers of this meaning stand for it; int32 has steps too fine to matter and is left alone."""
    if quant.dtype == "int32":
        return x
    low, high = LIMITS[quant.dtype]
    scale = torch.tensor(quant.scale, dtype=x.dtype)
    found: Tensor = _Grid.apply(x, scale, low - quant.zero_point, high - quant.zero_point)  # type: ignore[no-untyped-call]
    return found


def weights_on_grid(w: Tensor, *, per_row: bool) -> Tensor:
    """Int8 weights as `edgehar.graph.quantise` has them: scale = max |w| / 127 of the tensor or of each output row."""
    flat = w.detach().abs().reshape(len(w), -1)
    largest = flat.max(dim=1).values if per_row else flat.max().expand(len(w))
    scale = (largest.clamp_min(1e-12) / 127).reshape(-1, *(1,) * (w.ndim - 1))
    found: Tensor = _Grid.apply(w, scale, -127, 127)  # type: ignore[no-untyped-call]
    return found
