"""What `edgehar calibrate` found out about one sensor as it is worn: a small TOML file, and its use on a stream.

    corrected = (reading - offset) / gain * mirror          per channel, in g and rad/s

Recordings keep what the sensor said and the calibration beside it, so that a better one can be used later.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgehar.dsp.imu_mirror import AXES, mirror_signs
from edgehar.dsp.imu_still import Float64
from edgehar.errors import ContractError, InputError, MissingError, Reason, UsageError
from edgehar.types import Chunk, StreamSpec

SCHEMA_VERSION = 1
EXTRA = "calibration"  # key in a recording's extra metadata; with several streams, EXTRA.STREAM
CHANNELS = tuple(f"{what}_{axis}" for what in ("acc", "gyro") for axis in AXES)
UNIT_OF = {"g": 1.0, "mps2": 9.80665, "radps": 1.0, "dps": 180 / math.pi}  # a stream's units in 1 g or 1 rad/s
MOST_BYTES = 65_536
_KEYS = frozenset({"schema_version", "offset", "gain", "mirror", "simulated", "about"})


@dataclass(frozen=True, slots=True)
class Calibration:
    """offset and gain by channel, in g and rad/s; a channel left out keeps its reading. mirror: "", "x", "y" or "z".

    about: what it was made from and how well it fits, for people and programs to read; nothing here depends on it.
    """

    offset: Mapping[str, float] = field(default_factory=dict)
    gain: Mapping[str, float] = field(default_factory=dict)
    mirror: str = ""
    simulated: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)

    def toml(self) -> str:
        """The file."""
        lines = ["# A sensor's calibration, as edgehar calibrate writes it. Offsets in g and rad/s."]
        lines += [f"schema_version = {SCHEMA_VERSION}", f'mirror = "{self.mirror}"']
        lines.append(f"simulated = {str(self.simulated).lower()}")
        for name, table in (("offset", self.offset), ("gain", self.gain), ("about", self.about)):
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Correction:
    """A calibration for one stream: `apply` gives its chunks with corrected values and everything else as it was."""

    _offset: Float64
    _factor: Float64

    def apply(self, chunk: Chunk) -> Chunk:
        """The chunk with x corrected; NaN stays NaN."""
        x = ((chunk.x - self._offset) * self._factor).astype(np.float32)
        return replace(chunk, x=x)


def correction(calibration: Calibration, spec: StreamSpec, sensor: str = "") -> Correction:
    """For a stream's channels; `sensor`: of a stream that holds several, the one that this is (`wrist.acc_x`).

    Raises ContractError where the stream lacks a channel that the calibration is for, has it in a unit that is none of
    a motion sensor, or is real where the calibration is of a simulated sensor.
    """
    if calibration.simulated and not spec.simulated:
        raise ContractError(
            "the calibration was made with a simulated sensor, the stream comes from a real one",
            reason=Reason.CONTRACT,
            hint="calibrate this sensor: edgehar calibrate --source SOURCE --out FILE.toml",
        )
    prefix = f"{sensor}." if sensor else ""
    offset, factor = np.zeros(len(spec.channels)), np.ones(len(spec.channels))
    signs = dict(
        zip(CHANNELS, mirror_signs(calibration.mirror).tolist() if calibration.mirror else [1.0] * 6, strict=True)
    )
    touched = {*calibration.offset, *calibration.gain}
    missing = sorted(name for name in touched if prefix + name not in spec.channels)
    if missing:
        raise ContractError(
            f"the calibration is for {', '.join(missing)}\n  but the stream has {', '.join(spec.channels)}",
            reason=Reason.CONTRACT,
            hint="name the sensor that it belongs to: --calibration NAME=FILE"
            if not prefix
            else "calibrate this sensor",
        )
    for i, (channel, unit) in enumerate(zip(spec.channels, spec.units, strict=True)):
        name = channel.removeprefix(prefix)
        if not channel.startswith(prefix) or name not in CHANNELS:
            continue
        if unit not in UNIT_OF:
            raise ContractError(
                f"channel {channel} is in '{unit}'", reason=Reason.CONTRACT, hint=f"known units: {', '.join(UNIT_OF)}"
            )
        offset[i] = calibration.offset.get(name, 0.0) * UNIT_OF[unit]
        factor[i] = signs[name] / calibration.gain.get(name, 1.0)
    return Correction(offset, factor)


def read_calibration(path: str | Path) -> Calibration:
    """From a file. Errors name it and the key."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(MOST_BYTES)
    except FileNotFoundError:
        raise MissingError(
            f"{path}: no such file", reason=Reason.NOT_FOUND, hint="edgehar calibrate --source SOURCE --out FILE.toml"
        ) from None
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}", reason=Reason.PERMISSION, hint="check the path and its permissions"
        ) from None
    return parse_calibration(text.decode(errors="replace"), str(path))


def parse_calibration(text: str, where: str) -> Calibration:
    """Raises InputError for what is no calibration; `where` names it."""

    def bad(what: str, reason: Reason = Reason.FORMAT) -> InputError:
        return InputError(f"{where}: {what}", reason=reason, hint="make it anew: edgehar calibrate --out FILE.toml")

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise bad(f"no TOML file: {error}") from None
    if table.get("schema_version") != SCHEMA_VERSION:
        raise bad(f"schema_version is {table.get('schema_version')}, not {SCHEMA_VERSION}", Reason.VERSION)
    if unknown := sorted(set(table) - _KEYS):
        raise bad(f"unknown key '{unknown[0]}'")
    numbers: dict[str, dict[str, float]] = {}
    for name in ("offset", "gain"):
        numbers[name] = {}
        for channel, value in dict(table.get(name, {})).items():
            # A gain far from 1 is no calibration but a wrong range or unit.
            least, most = (0.5, 2.0) if name == "gain" else (-10.0, 10.0)
            if channel not in CHANNELS or not isinstance(value, int | float) or not least <= value <= most:
                raise bad(f"{name}.{channel} = {value} is none of {', '.join(CHANNELS)} from {least:g} to {most:g}")
            numbers[name][channel] = float(value)
    mirror, simulated = table.get("mirror", ""), table.get("simulated", False)
    if mirror not in ("", *AXES) or not isinstance(simulated, bool):
        raise bad(f"mirror = {mirror!r}, simulated = {simulated!r}: give an axis or nothing, and true or false")
    return Calibration(numbers["offset"], numbers["gain"], mirror, simulated, dict(table.get("about", {})))


def calibration_extra(calibrations: Mapping[str, Calibration], streams: Sequence[str]) -> dict[str, str]:
    """What a recording of `streams` keeps of them in its extra metadata."""
    alone = len(streams) == 1
    return {EXTRA if alone else f"{EXTRA}.{name}": found.toml() for name, found in calibrations.items()}


def recorded_calibration(extra: Mapping[str, str], stream: str, where: str) -> Calibration | None:
    """That of a recording's stream; None where it was recorded without. `where` names the recording in errors."""
    text = extra.get(f"{EXTRA}.{stream}", extra.get(EXTRA))
    return None if text is None else parse_calibration(text, f"{where}, its calibration")


def named_calibrations(texts: Sequence[str], names: Sequence[str]) -> dict[str, Calibration]:
    """`--calibration FILE` or NAME=FILE, for the streams called `names`, by stream."""
    found: dict[str, Calibration] = {}
    for text in texts:
        head, equals, tail = text.partition("=")
        name, path = (head, tail) if equals and head in names else ("", text)
        if not name and len(names) > 1:
            raise UsageError(
                f"--calibration {text}: for which of {', '.join(names)}?",
                reason=Reason.VALUE,
                hint=f"write --calibration {names[0]}=FILE.toml",
            )
        name = name or names[0]
        if name in found:
            raise UsageError(f"two calibrations for '{name}'", reason=Reason.VALUE, hint="give one a stream")
        found[name] = read_calibration(path)
    return found


def _value(value: Any) -> str:
    """A TOML value; strings here hold neither control characters nor what must be escaped but quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    safe = "".join(char if char.isprintable() else " " for char in str(value))
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
