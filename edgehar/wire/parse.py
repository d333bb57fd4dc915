"""Payloads to messages: the head's values are unpacked and in range already; None where head and tail disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgehar.wire.messages import (
    BoardFlag,
    Counters,
    Decision,
    Heartbeat,
    Hello,
    ImuSamples,
    Link,
    Reply,
    ReplyStatus,
    Role,
)

Head = tuple[Any, ...]
Message = Hello | Heartbeat | Decision | Reply | ImuSamples | str
NO_LABEL = 255


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


def _imu(head: Head, tail: bytes) -> ImuSamples | None:
    boot, seq, t_us, period_us, accel_range_g, gyro_range_dps, channels, n = head
    if len(tail) != 2 * channels * n:
        return None
    x = np.frombuffer(tail, "<i2").reshape(n, channels).astype(np.int16)
    return ImuSamples(boot, seq, t_us, period_us, accel_range_g, gyro_range_dps, x)


def _log(_head: Head, tail: bytes) -> str:
    return _text(tail)


def _decision(head: Head, tail: bytes) -> Decision | None:
    if not tail or len(tail) % 4:
        return None
    boot, rx_seq, t_us, model, label, certainty = head
    logits = np.frombuffer(tail, "<f4").astype(np.float32)
    return Decision(boot, rx_seq, t_us, model, None if label == NO_LABEL else label, certainty, logits)


def _reply(head: Head, tail: bytes) -> Reply:
    boot, number, status = head
    return Reply(boot, number, ReplyStatus(status), _text(tail))


PARSERS: Mapping[str, Callable[[Head, bytes], Message | None]] = {
    "hello": _hello,
    "heartbeat": _heartbeat,
    "imu": _imu,
    "log": _log,
    "decision": _decision,
    "reply": _reply,
}


def _text(coded: bytes) -> str:
    return "".join(c if c.isprintable() else "?" for c in coded.rstrip(b"\0").decode(errors="replace"))
