"""What the person behind the virtual sensor does next: activities one after another, each for a while."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgehar.sources.cyclic import CyclicModel, Motion

SHORTEST_S = 6.0
BLEND_S = 0.8  # one movement turns into the next over this long


class Script:
    """A Markov chain over one person's activities, every change equally likely, stays exponential with a floor.

    `push(n)` -> x [n, c] at the model's rate. Movements are blended around a change, which is dated to its middle.
    """

    def __init__(self, model: CyclicModel, person: str, dwell_s: float, rng: np.random.Generator) -> None:
        self._model = model
        self._person = person
        self._mean_extra_s = max(dwell_s - SHORTEST_S, 0.0)
        self._rng = rng
        self._blend = round(BLEND_S * model.rate_hz)
        self._done = 0
        self._starts: list[int] = []
        self._names: list[str] = []
        self._next: Motion | None = None
        self._motion = self._enter(model.activities(person), at=0)
        self._ends = self._stay()

    def push(self, n: int) -> NDArray[np.float64]:
        """The next n samples."""
        blocks = []
        left = n
        while left:
            until_blend = self._ends - self._blend - self._done
            if until_blend > 0:
                size = min(left, until_blend)
                blocks.append(self._motion.push(size))
            else:
                size = min(left, self._ends - self._done)
                blocks.append(self._change(size))
            self._done += size
            left -= size
            if self._done == self._ends and self._next is not None:
                self._motion, self._next = self._next, None
                self._ends = self._done + self._stay()
        return np.concatenate(blocks)

    def label_at(self, sample: int) -> str:
        """What was being done at sample number `sample`; "" before the start or beyond what has been generated."""
        place = bisect_right(self._starts, sample) - 1
        return self._names[place] if place >= 0 and sample < self._done else ""

    def _enter(self, choices: Sequence[str], *, at: int) -> Motion:
        name = choices[int(self._rng.integers(len(choices)))]
        self._starts.append(at)
        self._names.append(name)
        # Its own randomness: two movements are generated side by side while one turns into the other.
        return Motion(self._model.styles[self._person, name], self._model.rate_hz, self._rng.spawn(1)[0])

    def _stay(self) -> int:
        stay_s = SHORTEST_S + self._rng.exponential(self._mean_extra_s)
        return math.ceil(stay_s * self._model.rate_hz)

    def _change(self, n: int) -> NDArray[np.float64]:
        if self._next is None:
            others = [name for name in self._model.activities(self._person) if name != self._names[-1]]
            middle = self._ends - self._blend // 2
            self._next = self._enter(others or self._names[-1:], at=middle)
        into = self._blend - (self._ends - self._done) + np.arange(1, n + 1)
        weight = (0.5 - 0.5 * np.cos(np.pi * into / self._blend))[:, None]
        blended: NDArray[np.float64] = (1 - weight) * self._motion.push(n) + weight * self._next.push(n)
        return blended
