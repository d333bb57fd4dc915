"""One file per model family, in plain NumPy and straight from the equations: what every faster runtime is held to."""

from __future__ import annotations

from typing import Any, Protocol

from edgehar.types import FloatArray


class Cell(Protocol):
    """A recurrent model: a state that one sample advances and from which logits are read at the window's end."""

    def start(self) -> Any:
        """The state before a window's first sample."""
        ...

    def step(self, state: Any, x: FloatArray) -> Any:
        """The state after sample x [inputs]."""
        ...

    def logits(self, state: Any) -> FloatArray:
        """Logits [classes] of the window that ended with this state."""
        ...

    def spike_rates(self) -> dict[str, float]:
        """Mean over all steps since the cell was made; {} where nothing spikes."""
        ...
