"""Payloads to messages, or why they are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgehar.wire.frames import Cause
from edgehar.wire.messages import (
    BoardFlag,
    BoardModel,
    Counters,
    Decision,
    Heartbeat,
    Hello,
    ImuHeartbeat,
    ImuHello,
    ImuSamples,
    Link,
    LogLine,
    Reply,
    ReplyStatus,
    Role,
)
from edgehar.wire.schema import Kind, schema

Head = tuple[Any, ...]
ImuMessage = ImuHello | ImuHeartbeat | ImuSamples | Reply | LogLine
Message = Hello | Heartbeat | Decision | BoardModel | ImuMessage
NO_LABEL = 255
KINDS: Mapping[int, Kind] = {kind.id: kind for kind in schema().kinds.values()}


def parse_head(number: int, payload: bytes) -> tuple[Kind, Head] | Cause:
    """The kind numbered `number` and its head's values, all in range; the tail is not looked at."""
    kind = KINDS.get(number)
    if kind is None:
        return Cause.KIND
    if len(payload) < kind.head_bytes or (kind.tail is None and len(payload) > kind.head_bytes):
        return Cause.LENGTH
    head = kind.struct.unpack_from(payload)
    if any(not low <= head[at] <= high for at, low, high in kind.ranges):
        return Cause.VALUE
    return kind, head


def parse_message(kind: Kind, head: Head, tail: bytes) -> Message | Cause:
    """The message of any kind but csi; `head` is as parse_head gave it."""
    return _PARSERS[kind.name](head, tail)


def _hello(head: Head, _tail: bytes) -> Hello:
    boot, t_us, chip, firmware, name, role, csi, flags, link, baud, rate_hz, channel, secondary, layouts, *totals = head
    return Hello(
        boot,
        t_us,
        _text(chip),
        _text(firmware),
        _text(name),
        Role(role),
        bool(csi),
        BoardFlag(flags),
        Link(link),
        baud,
        rate_hz,
        channel,
        secondary,
        tuple(layouts.rstrip(b"\0")),
        Counters(*totals),
    )


def _heartbeat(head: Head, _tail: bytes) -> Heartbeat:
    boot, t_us, flags, *totals = head
    return Heartbeat(boot, t_us, BoardFlag(flags), Counters(*totals))


def _imu_hello(head: Head, _tail: bytes) -> ImuHello | Cause:
    boot, t_us, chip, firmware, name, sensor, rate_hz, accel, gyro, axes, channels, flags, battery = head
    if channels not in (3, 6):
        return Cause.VALUE
    texts = (_text(chip), _text(firmware), _text(name), _text(sensor))
    return ImuHello(boot, t_us, *texts, rate_hz, accel, gyro, axes, channels, BoardFlag(flags), battery)


def _imu_heartbeat(head: Head, _tail: bytes) -> ImuHeartbeat:
    boot, t_us, flags, *rest = head
    return ImuHeartbeat(boot, t_us, BoardFlag(flags), *rest)


def _imu(head: Head, tail: bytes) -> ImuSamples | Cause:
    boot, seq, t_us, period_us, accel_range_g, gyro_range_dps, channels, n = head
    if len(tail) != 2 * channels * n:
        return Cause.LENGTH
    x = np.frombuffer(tail, "<i2").reshape(n, channels).astype(np.int16)
    return ImuSamples(boot, seq, t_us, period_us, accel_range_g, gyro_range_dps, x)


def _log(head: Head, tail: bytes) -> LogLine:
    boot, level = head
    return LogLine(boot, level, _text(tail))


def _decision(head: Head, tail: bytes) -> Decision | Cause:
    if not tail or len(tail) % 4:
        return Cause.LENGTH
    boot, rx_seq, t_us, model, label, certainty = head
    logits = np.frombuffer(tail, "<f4").astype(np.float32)
    return Decision(boot, rx_seq, t_us, model, None if label == NO_LABEL else label, certainty, logits)


def _model(head: Head, _tail: bytes) -> BoardModel:
    return BoardModel(*head)


def _reply(head: Head, tail: bytes) -> Reply:
    boot, number, status = head
    return Reply(boot, number, ReplyStatus(status), _text(tail))


_PARSERS: Mapping[str, Callable[[Head, bytes], Message | Cause]] = {
    "hello": _hello,
    "heartbeat": _heartbeat,
    "imu_hello": _imu_hello,
    "imu_heartbeat": _imu_heartbeat,
    "imu": _imu,
    "log": _log,
    "decision": _decision,
    "model": _model,
    "reply": _reply,
}


def _text(coded: bytes) -> str:
    return "".join(c if c.isprintable() else "?" for c in coded.rstrip(b"\0").decode(errors="replace"))
