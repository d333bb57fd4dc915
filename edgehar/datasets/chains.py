"""Named preprocessing chains that published datasets went through, as operations that travel in a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgehar.errors import Reason, UsageError

Operations = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain: what it takes (the contract's channels, units, rate), its operations, what it gives."""

    name: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float
    operations: tuple[Mapping[str, Any], ...]
    channels_out: tuple[str, ...]


def chain(name: str) -> Chain:
    """The chain that a dataset's `applied_preprocess` names."""
    if name == "uci-har":
        return _uci_har()
    raise UsageError(
        f"no preprocessing chain is called '{name}'", reason=Reason.UNKNOWN_NAME, hint="choose one of: uci-har"
    )


def _uci_har() -> Chain:
    """UCI HAR v1.0: raw acceleration (g) and angular rate (rad/s) at 50 Hz to body_acc, body_gyro, total_acc.

    Median of 3 (one sample ahead); Butterworth low-pass of order 10 at 20 Hz gives total_acc; body_acc = total_acc
    minus its Butterworth low-pass of order 3 at 0.3 Hz; body_gyro likewise, order 2 at 0.1 Hz. One pass each from a
    zero state, in float64. The set's own text says order 3 at 20 Hz, which does not give the published numbers.
    """
    from scipy.signal import butter

    rate_hz = 50.0
    acc = tuple(f"acc_{axis}" for axis in "xyz")
    gyro = tuple(f"gyro_{axis}" for axis in "xyz")

    def lowpass(order: int, cutoff_hz: float) -> list[list[float]]:
        sections: list[list[float]] = butter(order, cutoff_hz, fs=rate_hz, output="sos").tolist()
        return sections

    smooth = {"op": "sos", "sos": lowpass(10, 20.0)}
    parts: list[Operations] = [
        [{"op": "select", "channels": list(acc)}, smooth, {"op": "minus_lowpass", "sos": lowpass(3, 0.3)}],
        [{"op": "select", "channels": list(gyro)}, smooth, {"op": "minus_lowpass", "sos": lowpass(2, 0.1)}],
        [{"op": "select", "channels": list(acc)}, smooth],
    ]
    return Chain(
        name="uci-har",
        channels=acc + gyro,
        units=("g",) * 3 + ("radps",) * 3,
        rate_hz=rate_hz,
        operations=({"op": "median3"}, {"op": "concat", "parts": parts}),
        channels_out=tuple(f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"),
    )
