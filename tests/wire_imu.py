"""Messages of a tag, for the tests of both sides of the wire."""

from __future__ import annotations

import numpy as np

from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, LogLine, Reply, ReplyStatus

IMU_HELLO = ImuHello(
    boot=7,
    t_us=2**40 + 5,
    chip="esp32s3",
    firmware="0.6.0",
    name="linkes Handgelenk 手",
    sensor="lsm6dso",
    rate_hz=104,
    accel_range_g=8,
    gyro_range_dps=1000,
    axes=5,
    channels=6,
    flags=BoardFlag.RUNNING | BoardFlag.SIMULATED,
    battery_percent=81,
)
IMU_HEARTBEAT = ImuHeartbeat(7, 2**35, BoardFlag.RUNNING, 2**32 - 1, 3, 4, 5, 80)


def imu_samples(n=4, channels=6, *, seq=40, boot=7, seed=0):
    """n samples whose values use all 16 bits."""
    x = np.random.default_rng((seed, n)).integers(-32768, 32768, (n, channels)).astype(np.int16)
    return ImuSamples(boot, seq, 2**32 - 1000, 9615, 8, 1000, x)


def imu_messages():
    """One of each kind that a tag sends."""
    return [
        IMU_HELLO,
        IMU_HEARTBEAT,
        imu_samples(),
        imu_samples(37, 3),
        Reply(7, 65535, ReplyStatus.BAD_ARGUMENT, "#65535 accel 3"),
        LogLine(7, 2, "FIFO über"),
    ]


def same(mine, theirs):
    """Whether two messages are equal, arrays included."""
    if isinstance(mine, ImuSamples) and isinstance(theirs, ImuSamples):
        return np.array_equal(mine.x, theirs.x) and all(
            getattr(mine, name) == getattr(theirs, name) for name in ImuSamples.__slots__ if name != "x"
        )
    return mine == theirs
