"""`edgehar.runtimes.lanes` for kernels: window j covers [j hop, j hop + window) and lives in lane j mod K."""

from __future__ import annotations

from edgehar.runtimes.kernels.compiler import Indices, kernel


@kernel
def lanes_of(t: int, window: int, hop: int, lanes: int, active: Indices) -> int:
    """Write the lanes whose window contains sample t to `active`, oldest first; return how many there are."""
    oldest = 0 if t < window else (t - window) // hop + 1
    count = t // hop + 1 - oldest
    for i in range(count):
        active[i] = (oldest + i) % lanes
    return max(count, 0)


@kernel
def in_a_window(t: int, window: int, hop: int) -> bool:
    """Whether any window contains sample t; with a hop beyond the window some belong to none."""
    return t % hop < window


@kernel
def lane_done(t: int, window: int, hop: int, lanes: int) -> int:
    """The lane whose window ends with sample t, or -1."""
    since = t + 1 - window
    return (since // hop) % lanes if since >= 0 and since % hop == 0 else -1
