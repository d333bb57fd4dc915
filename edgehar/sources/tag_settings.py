"""What a tag must be told so that it is set as somebody wants it."""

from __future__ import annotations

from edgehar.sources.ble_devices.base import Choice
from edgehar.wire.command import encode_command
from edgehar.wire.messages import BoardFlag, ImuHello
from edgehar.wire.schema import schema


def tag_commands(hello: ImuHello, choice: Choice) -> list[bytes]:
    r"""Command lines for what `hello` says otherwise than `choice`; ranges are taken to the nearest that there is.

    >>> tag_commands(ImuHello(1, 0, "", "", "", "", 50, 8, 1000), Choice(rate_hz=100, accel_range_g=8))
    [b'rate 100\n']
    """
    lines = []
    if choice.rate_hz and (rate_hz := max(1, round(choice.rate_hz))) != hello.rate_hz:
        lines.append(encode_command("rate", rate_hz))
    ranges = [
        ("accel", choice.accel_range_g, hello.accel_range_g),
        ("gyro", choice.gyro_range_dps, hello.gyro_range_dps),
    ]
    for name, wanted, present in ranges:
        # A range of 0 says that the sensor lacks this part.
        if wanted and present and (nearest := _nearest(name, wanted)) != present:
            lines.append(encode_command(name, nearest))
    if BoardFlag.RUNNING not in hello.flags:
        lines.append(encode_command("start"))
    return lines


def _nearest(name: str, wanted: int) -> int:
    return min(schema().commands[name].among, key=lambda offered: abs(offered - wanted))
