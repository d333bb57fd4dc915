"""A tag on a port: found, set as wanted, unplugged and plugged in again, and silent for a reason."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import numpy as np
import pytest

from edgehar.boards.virtual_board_port import PtyPlug, ServedBoard
from edgehar.boards.virtual_tag import TagSettings, VirtualTag
from edgehar.boards.virtual_tag_faults import TagFaults
from edgehar.boards.virtual_tag_line import TagOnLine
from edgehar.boards.virtual_tag_motion import open_motion
from edgehar.errors import MissingError, UsageError
from edgehar.sources import open_source
from edgehar.sources.link_source import UNPLUGGED
from edgehar.types import Flag, StreamSpec
from edgehar.wire.encode import encode_heartbeat
from edgehar.wire.envelope import wrap
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import Heartbeat, ImuHello

pytest.importorskip("pty", reason="pseudo-terminals are not a thing of this system")
pytest.importorskip("serial", reason="pip install 'edgehar[serial]'")

HELLO = wrap(*imu_payload(ImuHello(1, 0, "esp32s3", "1.0", "mute", "lsm6dso", 100, 8, 1000)))
NAMES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


def served(path, *, speed=20.0, faults=None, on_samples=None, baud=0):
    tag = VirtualTag(TagSettings("bench-tag", faults=faults or TagFaults()), open_motion(), on_samples)
    return ServedBoard(TagOnLine(tag, baud=baud), PtyPlug(path), speed=speed)


def collect(source, samples, *, seconds=30):
    """Chunks until there are so many samples."""

    async def run():
        chunks, count = [], 0
        async with asyncio.timeout(seconds), source:
            async for chunk in source:
                chunks.append(chunk)
                count += len(chunk)
                if count >= samples:
                    break
        return chunks

    return asyncio.run(run())


def joined(chunks, name):
    return np.concatenate([getattr(chunk, name) for chunk in chunks])


def test_every_sample_of_a_tag_comes_as_it_was_measured(tmp_path):
    measured = []
    with served(tmp_path / "tag", on_samples=measured.append):
        source = open_source(f"imu:{tmp_path}/tag?raw={tmp_path}/all.bin")
        chunks = collect(source, 1000)
    seq = joined(chunks, "seq")
    assert np.diff(seq).tolist() == [1] * (len(seq) - 1)
    assert not (joined(chunks, "flags") & ~np.uint16(Flag.CLIPPED)).any()
    assert (source.spec.channels, source.spec.rate_hz, source.spec.simulated) == (NAMES, 50.0, True)
    raw = np.array([m.x[0] for m in measured if seq[0] <= m.seq <= seq[-1]])
    factors = np.repeat([8 / 32768, np.radians(1000) / 32768], 3)
    np.testing.assert_array_equal(joined(chunks, "x"), (raw * factors).astype(np.float32))
    assert (tmp_path / "all.bin").stat().st_size > 1000 * 12


def test_a_tag_is_set_to_the_rate_and_units_that_a_bundle_wants(tmp_path):
    expected = StreamSpec("imu", NAMES[:3], 100.0, ("mps2",) * 3)
    with served(tmp_path / "tag"):
        source = open_source(f"imu:{tmp_path}/tag?accel=4&gyro=500", expected=expected)
        chunks = collect(source, 500)
    assert (source.spec.channels, source.spec.units, source.spec.rate_hz) == (NAMES[:3], ("mps2",) * 3, 100.0)
    assert np.median(np.diff(joined(chunks, "t_dev_ns"))) == 10_000_000
    assert np.abs(np.median(np.linalg.norm(joined(chunks, "x"), axis=1)) - 9.81) < 2
    assert source.source.stream.hello.accel_range_g == 4


@pytest.mark.slow
def test_a_tag_that_is_unplugged_comes_back_and_its_queue_says_what_it_dropped(tmp_path):
    out = TagFaults(drop_every_s=24.0, drop_s=14.0)  # 700 samples; its queue holds 512
    with served(tmp_path / "tag", speed=8.0, faults=out):
        source = open_source(f"imu:{tmp_path}/tag")
        chunks = collect(source, 1400)
    seq, flags = joined(chunks, "seq"), joined(chunks, "flags")
    jumps = np.flatnonzero(np.diff(seq) != 1)
    assert (flags[jumps + 1] & Flag.GAP_BEFORE != 0).all()
    assert np.count_nonzero(flags & Flag.GAP_BEFORE) == len(jumps) >= 1
    lost = int((np.diff(seq) - 1).sum())
    counts = source.counts
    assert counts[UNPLUGGED] >= 1
    assert counts["lost_queue"] > 50
    assert counts["lost_queue"] + counts["lost_link"] + source.stream.stream.pending == lost


def test_losses_of_sensor_and_link_are_told_apart(tmp_path):
    faults = TagFaults(loss=0.05, overrun_every_s=3.0, overrun=20)
    with served(tmp_path / "tag", faults=faults) as tag:
        source = open_source(f"imu:{tmp_path}/tag")
        collect(source, 2000)
        truth = tag.truth()
    assert 0 < source.counts["lost_sensor"] <= truth["lost_sensor"]
    assert source.counts["lost_link"] > 20
    assert not source.counts["lost_unknown"]


@pytest.mark.parametrize(
    ("said", "why", "hint"),
    [
        (b"", "not one byte came", "RST"),
        (HELLO, "'mute' is alive but sends no samples", "lsm6dso"),
        (b"ax=1.0 ay=2.0\r\n" * 9, "text came .* the last line was 'ax=1.0", "columns=t_ms"),
        (bytes(range(128, 250)) * 20, "read as noise", "baud=115200"),
        (encode_heartbeat(Heartbeat(1, 0)) * 3, "none of an inertial sensor", "edgehar doctor csi:"),
    ],
)
def test_silence_is_explained(tmp_path, said, why, hint):
    plug = PtyPlug(tmp_path / "tag")
    plug.plug()
    try:
        threading.Timer(0.3, plug.write, [said]).start()
        with pytest.raises(MissingError, match=why) as raised:
            collect(open_source(f"imu:{tmp_path}/tag?patience_s=0.9"), 1)
    finally:
        plug.unplug()
    assert hint in raised.value.hint


def test_rows_of_another_firmware(tmp_path):
    plug = PtyPlug(tmp_path / "tag")
    plug.plug()
    try:
        rows = b"".join(b"%d,%d,0,9.8\r\n" % (20 * i, i % 5) for i in range(200))
        threading.Timer(0.3, plug.write, [rows]).start()
        source = open_source(f"imu:{tmp_path}/tag?columns=t_ms,acc_x,acc_y,acc_z&units=mps2,mps2,mps2")
        chunks = collect(source, 190)
    finally:
        plug.unplug()
    assert source.spec.rate_hz == 50.0
    np.testing.assert_allclose(joined(chunks, "x")[7], [2, 0, 9.8], rtol=1e-6)


@pytest.mark.parametrize(
    ("uri", "error", "why"),
    [
        ("imu:/dev/no-such-port", MissingError, "no such port"),
        ("imu:", UsageError, "names no port"),
        ("imu:auto?rate=100", UsageError, "unknown key 'rate'"),
        ("imu:auto?units=g", UsageError, "units= does not fit"),
        ("imu:auto?columns=t_ms,acc_x&units=g&accel=8", UsageError, "accel= does not fit"),
        ("imu:auto?columns=acc_x&units=g", UsageError, "name 0 times"),
    ],
)
def test_addresses_that_cannot_be(uri, error, why):
    with pytest.raises(error, match=why):
        collect(open_source(uri), 1)


def test_a_program_that_holds_the_port_does_not_keep_the_tag_from_being_read_later(tmp_path):
    with served(tmp_path / "tag"):
        descriptor = os.open(tmp_path / "tag", os.O_RDWR | os.O_NOCTTY)
        time.sleep(0.2)
        os.close(descriptor)
        assert collect(open_source(f"imu:{tmp_path}/tag"), 100)
