"""Samples on their way through the signal room: fixed arrays that its kernels are bound to."""

from __future__ import annotations

import numpy as np

from edgehar.types import FlagArray, FloatArray, IntArray

FEWEST = 64


class Rows:
    """The `n` samples at hand, of `channels` values each. `generation` changes when the arrays had to grow.

    count [1] int64 is n, for kernels. t_ns [n] is the clock's, the rest is as it left the device.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self.generation = 0
        self.n = 0
        self.count = np.zeros(1, np.int64)
        self._count = self.count.data
        self._allocate(FEWEST)

    def take(self, t_dev_ns: IntArray, t_host_ns: IntArray, x: FloatArray, flags: FlagArray) -> None:
        """Copy these in: t_dev_ns, t_host_ns and flags [n], x [n, channels]."""
        n = len(t_dev_ns)
        if n == 1:  # the live case: single numbers are copied in half the time
            self.n = self._count[0] = 1
            self._t_dev_ns[0], self._t_host_ns[0] = t_dev_ns.item(), t_host_ns.item()
            self._flags[0] = flags.item()
            self._first_x[...] = x  # [:] would make a view of it first
            return
        if n > len(self.t_dev_ns):
            self._allocate(2 * n)
            self.generation += 1
        self.n = self._count[0] = n
        self.t_dev_ns[:n] = t_dev_ns
        self.t_host_ns[:n] = t_host_ns
        self.x[:n] = x
        self.flags[:n] = flags

    def _allocate(self, room: int) -> None:
        self.t_dev_ns: IntArray = np.zeros(room, np.int64)
        self.t_host_ns: IntArray = np.zeros(room, np.int64)
        self.t_ns: IntArray = np.zeros(room, np.int64)
        self.x: FloatArray = np.zeros((room, self._channels), np.float32)
        self.flags: FlagArray = np.zeros(room, np.uint16)
        self._t_dev_ns, self._t_host_ns, self._flags = self.t_dev_ns.data, self.t_host_ns.data, self.flags.data
        self._first_x = self.x[:1]
