"""Stream time against wall time: what makes a replay or a simulation run live, faster, or as fast as it goes."""

from __future__ import annotations

import asyncio

NS_PER_S = 1e9


class Pace:
    """Sleeps until stream time t is due, `speed` stream seconds a wall second; speed 0 never sleeps.

    The first call sets the origin. A late caller is not made later: waits are absolute, so delays do not add up.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._origin: tuple[float, int] | None = None

    async def until(self, t_ns: int) -> None:
        """Wait for stream time `t_ns`; always lets other tasks run once."""
        now_s = asyncio.get_running_loop().time()
        if self._origin is None:
            self._origin = (now_s, t_ns)
        wait_s = 0.0
        if self.speed > 0:
            wall_s, stream_ns = self._origin
            wait_s = wall_s + (t_ns - stream_ns) / NS_PER_S / self.speed - now_s
        await asyncio.sleep(max(wait_s, 0.0))
