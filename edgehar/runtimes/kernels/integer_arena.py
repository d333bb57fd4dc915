"""Constants of a quantised model laid one behind the other, so that one kernel argument holds all of one type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Arena:
    """Arrays laid one behind the other; `put` returns where one begins. An equal array is stored once."""

    def __init__(self, dtype: type[np.integer[Any]]) -> None:
        self._dtype = dtype
        self._parts: list[NDArray[Any]] = []
        self._places: dict[tuple[str, bytes], int] = {}
        self._used = 0

    def put(self, name: str, value: NDArray[Any]) -> int:
        flat = np.ascontiguousarray(value, self._dtype).ravel()
        key = name, flat.tobytes()
        if key not in self._places:
            self._places[key] = self._used
            self._parts.append(flat)
            self._used += len(flat)
        return self._places[key]

    def array(self) -> NDArray[Any]:
        return np.concatenate([*self._parts, np.zeros(0, self._dtype)])
