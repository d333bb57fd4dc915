"""What a board says beside its frames, as Python values; fields and their meaning are those of messages.toml."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

UNKNOWN_BATTERY = 255


def bundle_sha256_begin(model: int) -> str:
    """`model` of a Decision or BoardModel as the first 8 hexadecimal digits of its bundle's SHA-256."""
    return model.to_bytes(4, "little").hex()


class BoardFlag(IntFlag):
    """`flags` of hello and heartbeat, a tag's too."""

    SIMULATED = 1
    RUNNING = 2
    GAIN_LOCKED = 4
    SALTED = 8


class CsiFlag(IntFlag):
    """`flags` of a CSI frame."""

    NUMBERED = 1
    FIRST_WORD_INVALID = 2


class Role(IntEnum):
    """What a board does on the air."""

    RECEIVER = 0
    SENDER = 1


class Link(IntEnum):
    """What a board talks through."""

    UART = 0
    USB = 1
    TCP = 2
    OTHER = 3


class ReplyStatus(IntEnum):
    """How a command went."""

    DONE = 0
    UNKNOWN_COMMAND = 1
    BAD_ARGUMENT = 2
    TOO_LONG = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the board's start, each modulo 2^32."""

    next_seq: int = 0
    dropped_ring: int = 0
    filtered: int = 0
    unfit: int = 0
    dropped_notes: int = 0
    bad_commands: int = 0
    transmitted: int = 0


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is speaking, and in which state."""

    boot: int
    t_us: int
    chip: str
    firmware: str
    name: str
    role: Role = Role.RECEIVER
    csi: bool = True
    flags: BoardFlag = BoardFlag.RUNNING
    link: Link = Link.UART
    baud: int = 0
    rate_hz: int = 0
    channel: int = 0
    secondary: int = 0
    layouts: tuple[int, ...] = ()
    counters: Counters = field(default_factory=Counters)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Alive; `t_us` is device time in full."""

    boot: int
    t_us: int
    flags: BoardFlag = BoardFlag.RUNNING
    counters: Counters = field(default_factory=Counters)


@dataclass(frozen=True, slots=True)
class ImuHello:
    """Who is speaking: a tag, its sensor and its settings. `axes`: the rotation that it has applied to its samples."""

    boot: int
    t_us: int
    chip: str
    firmware: str
    name: str
    sensor: str
    rate_hz: int
    accel_range_g: int
    gyro_range_dps: int
    axes: int = 0
    channels: int = 6
    flags: BoardFlag = BoardFlag.RUNNING
    battery_percent: int = UNKNOWN_BATTERY


@dataclass(frozen=True, slots=True)
class ImuHeartbeat:
    """A tag is alive; the counters are of samples, since its start, modulo 2^32.

    Between two of them, of `next_seq`'s advance, what neither arrived nor was dropped was lost on the link.
    """

    boot: int
    t_us: int
    flags: BoardFlag = BoardFlag.RUNNING
    next_seq: int = 0
    dropped_queue: int = 0
    dropped_sensor: int = 0
    bad_commands: int = 0
    battery_percent: int = UNKNOWN_BATTERY


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the firmware's log; level 1 error, 2 warning, 3 remark, 4 detail."""

    boot: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the command that was numbered `id`."""

    boot: int
    id: int
    status: ReplyStatus
    text: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A model's logits [k] float32, computed on the board; `label` is None where there was too little to decide on."""

    boot: int
    rx_seq: int
    t_us: int
    model: int
    label: int | None
    certainty: int
    logits: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BoardModel:
    """A model on the board, with totals since the board's start: does it get frames, does it keep up with them?

    `model` is the bundle as a Decision names it, `layout` a number of layouts.toml, `mac_hash` 0 while no sender of
    that layout was heard.
    """

    boot: int
    t_us: int
    model: int
    layout: int
    mac_hash: int = 0
    frames: int = 0
    skipped: int = 0
    unfit: int = 0
    decisions: int = 0


@dataclass(frozen=True, slots=True)
class ImuSamples:
    """Consecutive inertial samples x [n, c] int16; full scale is 32768. `seq` and `t_us` are those of the first."""

    boot: int
    seq: int
    t_us: int
    period_us: int
    accel_range_g: int
    gyro_range_dps: int
    x: NDArray[np.int16]
