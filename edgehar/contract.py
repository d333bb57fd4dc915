"""The sensor contract: what stream a model wants, from which sensors, and how another stream differs from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from edgehar.errors import ContractError, InputError, Reason
from edgehar.manifest_fields import Fields, list_of, refuse
from edgehar.types import FloatArray, StreamSpec

MOST_TOLERANT = 10.0  # rate_tolerance


@dataclass(frozen=True, slots=True)
class Sensor:
    """One of several sensors behind a contract; `channels` are its columns, side by side and named `NAME.CHANNEL`."""

    name: str
    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """The stream that the model was trained on. `rate_tolerance` is a fraction, above 1 where events make the samples
    (CSI): the grid's rate is `rate_hz` all the same. An empty `placement` means any.

    `delay_samples`: how many samples the preprocessing looks ahead, hence how late every decision is.
    `sensors`: which channels come from which sensor, where several share the time line; empty for one sensor.
    """

    kind: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float
    axes: str = "device"
    placement: str = ""
    rate_tolerance: float = 0.05
    delay_samples: int = 0
    sensors: tuple[Sensor, ...] = ()

    @property
    def heads(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the sensors that each head of the network listens to: all of them, then every one alone.

        >>> Contract("imu", ("a.x", "b.x"), ("g", "g"), 50, sensors=(Sensor("a", (0,)), Sensor("b", (1,)))).heads
        ((0, 1), (0,), (1,))
        """
        every = tuple(range(len(self.sensors)))
        return (every, *((number,) for number in every))


def sensors_named(channels: Sequence[str]) -> tuple[Sensor, ...]:
    """The sensors of channels called `NAME.CHANNEL`, which have to stand side by side; raises InputError else.

    >>> [sensor.name for sensor in sensors_named(["wrist.acc_x", "wrist.acc_y", "leg.acc_x"])]
    ['wrist', 'leg']
    """
    runs = [(name, tuple(columns)) for name, columns in groupby(range(len(channels)), lambda i: sensor_of(channels[i]))]
    sensors = tuple(Sensor(name, columns) for name, columns in runs)
    if "" in dict(runs) or len(dict(runs)) != len(runs):
        raise InputError(
            f"no sensors are told apart by the channels {_shown(tuple(channels))}",
            reason=Reason.CONTRACT,
            hint="call every channel SENSOR.CHANNEL, those of one sensor side by side",
        )
    return sensors


def sensor_of(channel: str) -> str:
    """The sensor's name in `NAME.CHANNEL`, "" where there is none."""
    name, dot, _ = channel.partition(".")
    return name if dot else ""


def of_head(logits: FloatArray, labels: int, head: int = 0) -> FloatArray:
    """The block [..., labels] of one head among logits [..., heads labels]; the first hears all sensors."""
    return logits[..., head * labels : (head + 1) * labels]


def contract_to_json(contract: Contract) -> dict[str, Any]:
    """Plain JSON types; `sensors` only where there are several."""
    table = asdict(contract)
    if not contract.sensors:
        del table["sensors"]
    return table


def contract_from_json(f: Fields) -> Contract:
    """Check every field of a manifest's `contract`; raises InputError naming path, value and what is allowed."""
    contract = Contract(
        kind=f.text("kind"),
        channels=f.texts("channels"),
        units=f.texts("units"),
        rate_hz=f.number("rate_hz", low=0.0, above=True),
        axes=f.text("axes", empty=True),
        placement=f.text("placement", empty=True),
        rate_tolerance=f.number("rate_tolerance", low=0.0, high=MOST_TOLERANT),
        delay_samples=f.integer("delay_samples", low=0),
        sensors=_sensors(f.take("sensors")) if "sensors" in f.mapping else (),
    )
    f.finish()
    _check_sensors(contract)
    if len(contract.units) != len(contract.channels):
        raise refuse("contract.units", list(contract.units), f"one unit for each of {len(contract.channels)} channels")
    return contract


def _sensors(value: Any) -> tuple[Sensor, ...]:
    found = []
    for i, entry in enumerate(list_of(value, "contract.sensors")):
        path = f"contract.sensors[{i}]."
        fields = Fields(entry, path)
        columns = list_of(fields.take("channels"), f"{path}channels")
        if not columns or not all(isinstance(c, int) and not isinstance(c, bool) for c in columns):
            raise refuse(f"{path}channels", columns, "a list of at least one whole number")
        found.append(Sensor(fields.text("name"), tuple(columns)))
        fields.finish()
    return tuple(found)


def _check_sensors(contract: Contract) -> None:
    """Several sensors have each a name of their own, with which the names of their channels begin."""
    sensors, width = contract.sensors, len(contract.channels)
    names = [sensor.name for sensor in sensors]
    if len(names) == 1 or len(set(names)) != len(names) or any("." in name for name in names):
        raise refuse("contract.sensors", names, "two or more, with names that differ and hold no dot")
    columns = [column for sensor in sensors for column in sensor.channels]
    if sensors and columns != list(range(width)):
        raise refuse("contract.sensors", columns, f"the columns 0 to {width - 1} in this order, sensor by sensor")
    for sensor in sensors:
        for channel in (contract.channels[column] for column in sensor.channels):
            if not channel.startswith(f"{sensor.name}."):
                raise refuse("contract.channels", channel, f"{sensor.name}.CHANNEL, after the sensor that it is of")


def contract_diff(spec: StreamSpec, contract: Contract) -> str | None:
    """None when the stream fits the contract; else two lines, the stream's and the bundle's side of what differs."""
    rate_off = abs(spec.rate_hz - contract.rate_hz) > contract.rate_tolerance * contract.rate_hz
    # An unknown placement is not a contradiction; most recordings and all bare sensors do not know theirs.
    misplaced = bool(spec.placement and contract.placement and spec.placement != contract.placement)
    rows = []
    for name, differs in (
        ("kind", spec.kind != contract.kind),
        ("channels", spec.channels != contract.channels),
        ("units", spec.units != contract.units),
        ("rate_hz", rate_off),
        ("axes", spec.axes != contract.axes),
        ("placement", misplaced),
    ):
        if differs:
            ours, theirs = _shown(getattr(spec, name)), _shown(getattr(contract, name))
            if name == "rate_hz":
                theirs += f" (+-{100 * contract.rate_tolerance:g} %)"
            rows.append((f"{name}={ours}", f"{name}={theirs}"))
    if not rows:
        return None
    widths = [max(len(ours), len(theirs)) for ours, theirs in rows]
    sides = [
        "  ".join(side.ljust(w) for side, w in zip(column, widths, strict=True)) for column in zip(*rows, strict=True)
    ]
    return f"stream: {sides[0].rstrip()}\nbundle: {sides[1].rstrip()}"


def check_contract(spec: StreamSpec, contract: Contract) -> None:
    """Raise ContractError with the two-line diff unless the stream fits."""
    diff = contract_diff(spec, contract)
    if diff is not None:
        raise ContractError(
            f"the stream does not match the bundle's contract\n{diff}",
            reason=Reason.CONTRACT,
            hint="bring the source to the bundle's side of each field, or train on this stream: edgehar train",
        )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        runs = value if len(value) <= 12 else (*value[:9], f"... {len(value)} in all")
        return f"({', '.join(runs)})"
    return f"{value:g}" if isinstance(value, float) else repr(value)
