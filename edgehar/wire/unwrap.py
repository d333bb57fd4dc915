"""Counters of 32 bits, continued past their end where nothing but themselves tells; with a host's time: `clock`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unwrap32(values: ArrayLike, near: int) -> NDArray[np.int64]:
    """`values` [n], the low 32 bits of a counter, in full: the first nearest to `near`, each next nearest to the last.

    For a clock, `near` is the last value known in full: a heartbeat's t_us, or the last frame's. Right as long as no
    step exceeds 2^31: 35.8 minutes of microseconds, forwards or back.

    >>> unwrap32([4294967295, 3], near=4294967290).tolist()
    [4294967295, 4294967299]
    """
    low = np.asarray(values, np.int64)
    steps = np.diff(low, prepend=near & 0xFFFFFFFF)
    return near + np.cumsum((steps + 2**31) % 2**32 - 2**31)
