"""What goes wrong between a sensor and its host, made on purpose: lost packets, late packets, a fast device clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NS_PER_MS = 1e6
PPM = 1e-6


@dataclass(frozen=True, slots=True)
class Faults:
    """loss: probability that a packet is lost; jitter_ms: mean of the exponential delay; drift_ppm: device clock."""

    loss: float = 0.0
    jitter_ms: float = 0.0
    drift_ppm: float = 0.0


class FaultyLink:
    """Applies `Faults` packet by packet, reproducibly; packets stay in order as on a serial or BLE link."""

    def __init__(self, faults: Faults, rng: np.random.Generator) -> None:
        self._faults = faults
        self._rng = rng
        self._last_host_ns = 0

    def lost(self) -> bool:
        """Whether the next packet is lost."""
        return bool(self._rng.random() < self._faults.loss)

    def device_ns(self, t_ns: float) -> int:
        """What the device's clock shows at true time `t_ns`."""
        return round(t_ns * (1 + self._faults.drift_ppm * PPM))

    def host_ns(self, sent_ns: float) -> int:
        """When a packet sent at true time `sent_ns` arrives; never before the packet in front of it."""
        delay_ns = self._rng.exponential(self._faults.jitter_ms) * NS_PER_MS
        self._last_host_ns = max(self._last_host_ns, round(sent_ns + delay_ns))
        return self._last_host_ns
