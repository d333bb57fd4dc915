"""Still moments of an inertial stream, found by how little it varies, not by the clock.

Half-second blocks are judged: one is still when its readings vary no more than a hand's tremor, and it goes on with the
moment before it when gravity points the same way. What is left out is the first and last block of a moment: there,
somebody is still settling, or already letting go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_NS = 500_000_000
STILL_G = 0.03  # standard deviation of each axis; a table gives 0.003, a worn wrist held still 0.01
STILL_RADPS = 0.05
SAME_DEG = 4.0  # between a block's gravity and that of the moment so far
LEAST_BLOCKS = 4  # that are kept
FEWEST = 5  # samples a block: below 10 Hz nothing can be said

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Still:
    """A still moment. acc_g [3] and gyro_radps [3] are means, gyro NaN where there is none; blocks [k, 3]: gyro means.

    sway_g: standard deviation of the acceleration's block means, the largest of its axes.
    """

    t0_ns: int
    t1_ns: int
    samples: int
    acc_g: Float64
    gyro_radps: Float64
    gyro_blocks: Float64
    sway_g: float

    @property
    def duration_s(self) -> float:
        """From its first kept sample to its last."""
        return (self.t1_ns - self.t0_ns) / 1e9


@dataclass(frozen=True, slots=True)
class _Block:
    t0_ns: int
    t1_ns: int
    samples: int
    acc: Float64
    gyro: Float64


class StillMoments:
    """`push` samples in order: still moments come out when they end. `still_s`: how long the present one has lasted."""

    def __init__(self) -> None:
        self._t: list[int] = []
        self._rows: list[Float64] = []
        self._blocks: list[_Block] = []
        self.moved = 0  # moments that ended too soon

    @property
    def still_s(self) -> float:
        """0 while it moves."""
        return len(self._blocks) * BLOCK_NS / 1e9

    @property
    def is_long_enough(self) -> bool:
        """Whether the present moment would count if it ended now."""
        return len(self._blocks) >= LEAST_BLOCKS + 2

    def push(self, t_ns: NDArray[np.int64], acc_g: Float64, gyro_radps: Float64) -> list[Still]:
        """Samples at t_ns [n]: acc_g [n, 3], gyro_radps [n, 3] (NaN: none). A pause or a step back ends a moment."""
        found: list[Still] = []
        for t, row in zip(t_ns.tolist(), np.hstack([acc_g, gyro_radps]), strict=True):
            if self._t and not 0 < t - self._t[-1] < BLOCK_NS:
                self._t, self._rows = [], []
                found += self.end()
            self._t.append(t)
            self._rows.append(row)
            if t - self._t[0] >= BLOCK_NS:
                found += self._judge()
                self._t, self._rows = [], []
        return found

    def end(self) -> list[Still]:
        """The present moment, if it was long enough; the next begins anew."""
        blocks, self._blocks = self._blocks, []
        if len(blocks) < LEAST_BLOCKS + 2:
            self.moved += len(blocks) > 1
            return []
        kept = blocks[1:-1]
        acc = np.array([block.acc for block in kept])
        gyro = np.array([block.gyro for block in kept])
        counts = np.array([block.samples for block in kept], np.float64)
        return [
            Still(
                kept[0].t0_ns,
                kept[-1].t1_ns,
                int(counts.sum()),
                np.average(acc, axis=0, weights=counts),
                np.average(gyro, axis=0, weights=counts),
                gyro,
                float(acc.std(axis=0).max()),
            )
        ]

    def _judge(self) -> list[Still]:
        """The block that has just become full."""
        x = np.array(self._rows)
        spread = x.std(axis=0)
        # Written so that NaN, a gyroscope that is not there, does not count as motion.
        quiet = len(x) >= FEWEST and spread[:3].max() <= STILL_G and not (spread[3:] > STILL_RADPS).any()
        if not quiet:
            return self.end()
        mean = x.mean(axis=0)
        block = _Block(self._t[0], self._t[-1], len(x), mean[:3], mean[3:])
        ended = self.end() if self._blocks and not self._goes_on(block) else []
        self._blocks.append(block)
        return ended

    def _goes_on(self, block: _Block) -> bool:
        so_far = np.mean([before.acc for before in self._blocks], axis=0)
        return angle_deg(so_far, block.acc) <= SAME_DEG


def angle_deg(a: Float64, b: Float64) -> float:
    """Between two vectors; 180 where one has no length.

    >>> angle_deg(np.array([1.0, 0, 0]), np.array([0, 2.0, 0]))
    90.0
    """
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(a @ b / length, -1.0, 1.0)))) if length else 180.0
