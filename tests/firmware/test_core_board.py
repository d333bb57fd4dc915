"""A board's life in the C core, as the host's decoder sees it: nothing is lost without being accounted for."""

import dataclasses

import numpy as np
import pytest

from edgehar.boards.virtual_board_commands import parse_command
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.command import encode_command
from edgehar.wire.frames import Loss
from edgehar.wire.messages import BoardFlag, BoardModel, Hello, Link, ReplyStatus
from edgehar.wire.schema import schema
from edgehar.wire.siphash import mac_hash
from tests.firmware.core_cases import Life, answers, commands
from tests.wire_frames import decode, numbers

IDENTITY = Hello(7, 0, "esp32s3", "0.5.0", "Küche", link=Link.USB, rate_hz=100, channel=6, secondary=2)
VALUES = np.arange(384, dtype=np.int64).astype(np.int8)
SECOND_US = 1_000_000
MAC = bytes.fromhex("1a00000000ff")


def lived(life, core, *, size=None):
    """The decoder after the whole life, and the frames that it found."""
    decoder = FrameDecoder()
    raw = b"".join(answers(core("sanitized")(life.script)))
    return decoder, decode(decoder, raw, size)


def test_it_says_hello_then_frames_then_a_heartbeat_each_second(core):
    life = Life(IDENTITY)
    for i in range(30):
        life.csi(VALUES, mac=MAC, t_us=i, tx_seq=i, flags=1, rssi_dbm=-50)
        life.poll(i * SECOND_US // 10)
    decoder, runs = lived(life, core)
    assert dataclasses.replace(decoder.hello, counters=IDENTITY.counters, layouts=()) == IDENTITY
    assert decoder.heartbeat.t_us == 2 * SECOND_US
    assert numbers(runs) == list(range(30))
    assert runs[0].layout == "classic-below-ht40"
    assert np.array_equal(runs[0].iq[3], VALUES)
    assert runs[0].meta["mac_hash"][0] == mac_hash(bytes(range(16)), MAC)
    assert runs[0].meta["t_us"].tolist() == list(range(30))
    assert MAC not in core("sanitized")(life.script)
    assert not decoder.losses
    assert decoder.counts == {"frames": 30}


def test_a_link_that_takes_a_few_bytes_at_a_time_loses_nothing(core):
    life = Life(IDENTITY)
    for i in range(12):
        life.csi(VALUES, t_us=i)
        for j in range(80):
            life.poll(i * 1000 + j, 7)
    decoder, runs = lived(life, core, size=13)
    assert numbers(runs) == list(range(12))
    assert set(decoder.counts) == {"frames"}


def test_what_a_full_queue_drops_is_the_oldest_and_is_accounted_for_exactly(core):
    life = Life(IDENTITY, ring_bytes=4096)  # nine frames
    life.poll(0)
    for i in range(25):
        life.csi(VALUES, t_us=i)
    life.poll(SECOND_US)
    decoder, runs = lived(life, core)
    assert numbers(runs) == list(range(16, 25))
    assert decoder.losses == {Loss.RING: 16}
    assert decoder.heartbeat.counters.dropped_ring == 16
    assert decoder.pending == 0


def test_frames_that_wait_behind_a_heartbeat_are_not_counted_as_lost(core):
    life = Life(IDENTITY)
    life.poll(0)
    for i in range(5):
        life.csi(VALUES, t_us=i)
    life.poll(SECOND_US, 60)  # the heartbeat and no more: five frames are still queued
    life.poll(SECOND_US + 1)
    life.poll(2 * SECOND_US)
    decoder, runs = lived(life, core)
    assert numbers(runs) == list(range(5))
    assert not decoder.losses
    assert decoder.heartbeat.counters.next_seq == 5


def test_frames_of_no_layout_and_of_other_senders_are_counted_and_not_numbered(core):
    life = Life(IDENTITY)
    life.csi(VALUES[:100])
    life.filtered()
    life.filtered()
    life.csi(VALUES)
    life.csi(VALUES[:128], bandwidth=0, sig_mode=0)
    life.transmitted()
    life.poll(0)
    decoder, runs = lived(life, core)
    assert numbers(runs) == [0, 1]
    assert decoder.hello.layouts == (14, 11)
    totals = decoder.hello.counters
    assert (totals.unfit, totals.filtered, totals.transmitted) == (1, 2, 1)


def test_commands_change_what_the_board_says_of_itself(core):
    life = Life(IDENTITY)
    life.poll(0)
    life.receive(encode_command("rate", 250, id=1) + encode_command("channel", 11, "above", id=2))
    life.receive(encode_command("gain", id=3) + encode_command("stop", id=4))
    life.csi(VALUES)
    life.receive(encode_command("reboot", id=5)[:5])
    life.poll(1)
    life.receive(encode_command("reboot", id=5)[5:] + encode_command("hello"))
    life.poll(2)
    decoder, runs = lived(life, core)
    assert runs == []
    assert [(reply.id, reply.status) for reply in decoder.replies] == [
        *((i, ReplyStatus.DONE) for i in (1, 2, 3, 4)),
        (5, ReplyStatus.FAILED),  # the test's machine cannot
        (0, ReplyStatus.DONE),
    ]
    assert decoder.replies[1].text == "#2 channel 11 above"
    hello = decoder.hello
    assert (hello.t_us, hello.rate_hz, hello.channel, hello.secondary) == (2, 250, 11, 1)
    assert hello.flags == BoardFlag.GAIN_LOCKED
    assert hello.counters.bad_commands == 0


def test_decisions_and_log_lines_reach_the_host(core):
    life = Life(IDENTITY)
    life.log("started", level=2)
    life.decide(41, 1, [0.25, -3.5])
    life.poll(0)
    decoder, _ = lived(life, core)
    assert list(decoder.log) == ["started"]
    (decision,) = decoder.decisions
    assert (decision.boot, decision.rx_seq, decision.label, decision.logits.tolist()) == (7, 41, 1, [0.25, -3.5])


def test_a_stopped_board_decides_and_says_how_its_model_does(core):
    life = Life(IDENTITY)
    life.csi(VALUES)
    life.poll(0)
    life.receive(b"stop\n")
    life.csi(VALUES)  # for the model alone: it takes no number
    life.decide(1, 2, [0.5])
    life.model(t_us=9, model=0xABCD, layout=14, mac_hash=77, frames=2, skipped=1, decisions=1)
    life.poll(SECOND_US)
    decoder, runs = lived(life, core)
    assert numbers(runs) == [0]
    assert decoder.decisions[0].rx_seq == decoder.heartbeat.counters.next_seq == 1
    assert decoder.model == BoardModel(7, 9, 0xABCD, 14, 77, 2, 1, 0, 1)
    assert not decoder.losses


def test_notes_that_find_no_room_are_counted(core):
    life = Life(IDENTITY)
    for i in range(20):
        life.log(f"{i:03d}" + "x" * 97)
    life.log("y" * 1100)  # longer than the whole queue
    life.poll(0)
    decoder, _ = lived(life, core)
    assert list(decoder.log)[-1].startswith("019")
    assert decoder.hello.counters.dropped_notes == 21 - len(decoder.log)


@pytest.mark.parametrize(
    ("identity", "ring"), [(dataclasses.replace(IDENTITY, chip="esp8266"), 8192), (IDENTITY, 2000)]
)
def test_a_board_that_cannot_work_is_refused_at_its_start(identity, ring, core):
    raw = core("sanitized")(Life(identity, ring_bytes=ring).script)
    assert answers(raw)[0] == b"refused"


NAMES = list(schema().commands)
DONE, UNKNOWN, BAD, LONG = range(4)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"start", (DONE, "start", 0, 0, 0)),
        (b"#12 rate 2000", (DONE, "rate", 12, 2000, 0)),
        (b"  #65535   channel  196   below \r", (DONE, "channel", 65535, 196, 2)),
        (b"gain free", (DONE, "gain", 0, 0, 1)),
        (b"rate", (BAD, "rate", 0, 0, 0)),
        (b"rate 2001", (BAD, "rate", 0, 0, 0)),
        (b"rate -1", (BAD, "rate", 0, 0, 0)),
        (b"rate 1e3", (BAD, "rate", 0, 0, 0)),
        (b"rate 100000000000000000000", (BAD, "rate", 0, 0, 0)),
        (b"channel 6 be", (BAD, "channel", 0, 6, 0)),
        (b"channel 6 below below", (BAD, "channel", 0, 6, 2)),
        (b"start now", (BAD, "start", 0, 0, 0)),
        (b"#9 star", (UNKNOWN, "start", 9, 0, 0)),
        (b"startle", (UNKNOWN, "start", 0, 0, 0)),
        (b"#70000 start", (BAD, "start", 0, 0, 0)),
        (b"#1", (UNKNOWN, "start", 1, 0, 0)),
        (b"#8 rate 5" + b" " * 60, (LONG, "start", 8, 0, 0)),
        (b"\x00\xff\xfe", (UNKNOWN, "start", 0, 0, 0)),
    ],
)
def test_a_line_is_understood_or_refused(line, expected, core):
    (told, nothing) = answers(core("sanitized")(commands(b"\n\r\n" + line + b"\n")))
    assert nothing == b""
    status, name, *rest = expected
    assert (told[0], NAMES[told[1]]) == (status, name)
    assert [int.from_bytes(told[2:4], "little"), int.from_bytes(told[4:6], "little"), told[6]] == rest


@pytest.mark.parametrize(
    ("device", "line", "status"),
    [
        ("imu", b"accel 8", DONE),
        ("imu", b"accel 16", DONE),
        ("imu", b"accel 3", BAD),
        ("imu", b"accel 1", BAD),
        ("imu", b"accel 82", BAD),
        ("imu", b"gyro 2000", DONE),
        ("imu", b"gyro 200", BAD),
        ("imu", b"axes 23", DONE),
        ("imu", b"axes 24", BAD),
        ("imu", b"channel 6", UNKNOWN),
        ("csi", b"accel 8", UNKNOWN),
        ("csi", b"axes 0", UNKNOWN),
    ],
)
def test_each_device_knows_its_own_commands(device, line, status, core):
    (told, _) = answers(core("sanitized")(commands(line + b"\n", device)))
    assert told[0] == status
    asked = parse_command(line.decode(), device=device)
    assert asked.status == status
    if status == DONE:
        assert (NAMES[told[1]], int.from_bytes(told[4:6], "little")) == (asked.name, asked.number)
