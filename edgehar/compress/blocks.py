"""What is kept or pruned as one: a block of a matrix, so that a kernel that skips blocks really saves time.

A block is `rows` neighbouring output units times `columns` neighbouring inputs; 1 x 1 is a single weight. Which axis of
an exported tensor counts outputs and which inputs is a property of the model family. Kernels [out, in, taps] are
blocked tap by tap. Rows and columns that do not fill a block form a smaller one at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import Reason, UsageError
from edgehar.types import FloatArray, IntArray

Weights = Mapping[str, FloatArray]
Mask = NDArray[np.bool_]
Masks = dict[str, Mask]

OUTPUTS_LAST: Mapping[str, tuple[str, ...]] = {"fastgrnn": ("W2", "U2"), "l2mu": ("enc0_w",)}
"""Matrices that runtimes apply transposed: their columns are the outputs."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block's size: output rows x input columns."""

    rows: int = 1
    columns: int = 1

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise UsageError(
                f"block {self}", reason=Reason.VALUE, hint="give rows x columns of at least 1, such as 4x1"
            )

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"

    @classmethod
    def parse(cls, text: str) -> Block:
        """Read `4x1`.

        >>> Block.parse("16x1")
        Block(rows=16, columns=1)
        """
        rows, _, columns = text.partition("x")
        try:
            return cls(int(rows), int(columns))
        except ValueError:
            raise UsageError(f"block '{text}'", reason=Reason.VALUE, hint="write ROWSxCOLUMNS, such as 4x1") from None


SINGLE = Block()


@dataclass(frozen=True, slots=True)
class Units:
    """One tensor's blocks: `index` has the tensor's shape and names every weight's block; `size` [n] counts weights."""

    index: IntArray
    size: IntArray

    @classmethod
    def of(cls, shape: tuple[int, ...], block: Block, *, outputs_last: bool = False) -> Units:
        """Number the blocks of a tensor of this shape, along its outputs first."""
        outputs, inputs = (1, 0) if outputs_last else (0, 1)
        number = np.zeros(shape, np.int64)
        counts = [-(-shape[outputs] // block.rows), -(-shape[inputs] // block.columns), *shape[2:]]
        steps = {outputs: block.rows, inputs: block.columns}
        for axis, count in zip((outputs, inputs, *range(2, len(shape))), counts, strict=True):
            place = np.arange(shape[axis]) // steps.get(axis, 1)
            number = number * count + place.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        return cls(number, np.bincount(number.ravel()))

    def scores(self, weights: FloatArray) -> NDArray[np.float64]:
        """Root mean square of every block's weights [n]: their L2 norm, made comparable between sizes."""
        energy = np.bincount(self.index.ravel(), np.square(weights.ravel().astype(np.float64)), len(self.size))
        return np.sqrt(energy / self.size)

    def spread(self, keep: Mask) -> Mask:
        """The tensor's mask from its blocks' [n]."""
        mask: Mask = keep[self.index]
        return mask


def units_of(weights: Weights, family: str, block: Block) -> dict[str, Units]:
    """The blocks of every prunable tensor of a model family."""
    last = OUTPUTS_LAST.get(family, ())
    return {name: Units.of(w.shape, block, outputs_last=name in last) for name, w in weights.items()}


def block_zeros(weights: FloatArray, units: Units) -> tuple[int, int]:
    """(blocks that are all zero, blocks in all)."""
    filled = np.bincount(units.index.ravel(), weights.ravel() != 0, len(units.size))
    return int((filled == 0).sum()), len(units.size)


def as_arrays(parameters: Mapping[str, Any]) -> dict[str, FloatArray]:
    """Torch parameters as NumPy arrays that share their memory."""
    return {name: p.detach().numpy() for name, p in parameters.items()}
