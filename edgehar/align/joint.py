"""A contract for streams that no bundle asks for: all their channels on one grid."""

from __future__ import annotations

from collections.abc import Mapping

from edgehar.contract import MOST_TOLERANT, Contract, Sensor
from edgehar.dsp.view import FRAME_MEAN, KIND, amplitude_channels
from edgehar.types import StreamSpec


def joint_contract(specs: Mapping[str, StreamSpec], rate_hz: float | None = None) -> Contract:
    """Every channel of every stream as NAME.CHANNEL at `rate_hz`, by default that of the slowest.

    CSI gives its amplitudes, each frame divided by its mean: real and imaginary parts cannot be put onto a grid.
    """
    channels: list[str] = []
    units: list[str] = []
    sensors = []
    for name, spec in specs.items():
        own, own_units = spec.channels, spec.units
        if spec.kind == KIND:
            own = amplitude_channels(spec.channels)
            own_units = (FRAME_MEAN,) * len(own)
        sensors.append(Sensor(name, tuple(range(len(channels), len(channels) + len(own)))))
        channels += [f"{name}.{channel}" for channel in own]
        units += own_units
    return Contract(
        "+".join(dict.fromkeys(spec.kind for spec in specs.values())),
        tuple(channels),
        tuple(units),
        min(spec.rate_hz for spec in specs.values()) if rate_hz is None else rate_hz,
        next((spec.axes for spec in specs.values() if spec.kind != KIND), ""),
        rate_tolerance=MOST_TOLERANT,
        sensors=tuple(sensors),
    )
