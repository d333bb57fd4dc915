"""The tag's side in Python: each message as the number of its kind and its payload.

wrap_packet(*imu_payload(message))   as a tag sends it over Bluetooth LE
wrap(*imu_payload(message))          as it sends it over a cable
"""

from __future__ import annotations

import struct

from edgehar.errors import InputError, Reason
from edgehar.wire.messages import ImuHeartbeat, ImuHello, ImuSamples, LogLine, Reply
from edgehar.wire.parse import ImuMessage
from edgehar.wire.schema import schema

_MODULUS = 2**32


def imu_payload(message: ImuMessage) -> tuple[int, bytes]:
    """(kind, payload) of one message; running numbers and counters are sent modulo 2^32.

    Raises InputError where a value does not fit its field.
    """
    match message:
        case ImuHello():
            return _packed("imu_hello", *_hello(message))
        case ImuHeartbeat():
            return _packed("imu_heartbeat", *_heartbeat(message))
        case ImuSamples():
            n, c = message.x.shape
            kind, head = _packed(
                "imu",
                message.boot,
                message.seq % _MODULUS,
                message.t_us % _MODULUS,
                message.period_us,
                message.accel_range_g,
                message.gyro_range_dps,
                c,
                n,
            )
            return kind, head + message.x.astype("<i2", copy=False).tobytes()
        case LogLine():
            return _with_text(*_packed("log", message.boot, message.level), message.text)
        case Reply():
            return _with_text(*_packed("reply", message.boot, message.id, message.status), message.text)


def coded_text(name: str, text: str, room: int) -> bytes:
    """`text` as UTF-8; InputError where it does not fit the field `name` of `room` bytes."""
    coded = text.encode()
    if len(coded) > room or "\0" in text:
        raise InputError(f"{name} '{text}'", reason=Reason.VALUE, hint=f"give at most {room} bytes without a zero")
    return coded


def _hello(hello: ImuHello) -> tuple[int | bytes, ...]:
    room = {field.name: field.size_bytes for field in schema().kinds["imu_hello"].fields}
    texts = (coded_text(name, getattr(hello, name), room[name]) for name in ("chip", "firmware", "name", "sensor"))
    return (
        hello.boot,
        hello.t_us,
        *texts,
        hello.rate_hz,
        hello.accel_range_g,
        hello.gyro_range_dps,
        hello.axes,
        hello.channels,
        hello.flags,
        hello.battery_percent,
    )


def _heartbeat(beat: ImuHeartbeat) -> tuple[int, ...]:
    totals = (beat.next_seq, beat.dropped_queue, beat.dropped_sensor, beat.bad_commands)
    return (beat.boot, beat.t_us, beat.flags, *(total % _MODULUS for total in totals), beat.battery_percent)


def _packed(name: str, *values: int | bytes) -> tuple[int, bytes]:
    kind = schema().kinds[name]
    try:
        return kind.id, kind.struct.pack(*values)
    except struct.error as error:
        fields = ", ".join(f"{field.name} {value!r}" for field, value in zip(kind.fields, values, strict=True))
        raise InputError(
            f"{name}: {fields}", reason=Reason.VALUE, hint=f"see the ranges in docs/wire.md ({error})"
        ) from error


def _with_text(number: int, head: bytes, text: str) -> tuple[int, bytes]:
    """As much of `text` as a payload holds, cut between characters."""
    room = schema().max_payload_bytes - len(head)
    return number, head + text.encode()[:room].decode(errors="ignore").encode()
