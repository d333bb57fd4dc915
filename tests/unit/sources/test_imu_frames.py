"""A tag on a cable is asked who it is, set as wanted, and its stream begins then; whatever stood on the line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.imu_frames import LAST_COMMAND, ImuFrames
from edgehar.types import Flag
from edgehar.wire.envelope import wrap
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, Reply, ReplyStatus

HELLO = ImuHello(1, 0, "esp32s3", "1.0", "bench-tag", "lsm6dso", 50, 8, 1000)
DONE = Reply(1, LAST_COMMAND, ReplyStatus.DONE, "hello")
NS = 1_000_000_000


def frame(*messages):
    return b"".join(wrap(*imu_payload(message)) for message in messages)


def samples(first, n=5, *, period_us=20_000, boot=1):
    x = np.tile((first + np.arange(n)).astype(np.int16)[:, None], 6)
    return ImuSamples(boot, first, first * period_us, period_us, 8, 1000, x)


def seq(chunks):
    return np.concatenate([chunk.seq for chunk in chunks]).tolist()


def test_a_tag_that_is_set_as_wanted_loses_nothing_of_what_came_before_its_hello():
    stream = ImuFrames(Choice(rate_hz=50))
    assert stream.push(frame(samples(0), samples(5)), NS) == []
    chunks = stream.push(frame(HELLO, samples(10)), NS)
    assert seq(chunks) == list(range(15))
    assert stream.outgoing() == b""


def test_what_was_measured_before_the_tag_was_set_is_let_go():
    stream = ImuFrames(Choice(rate_hz=100))
    assert stream.push(frame(samples(0), HELLO, samples(5)), NS) == []
    assert stream.outgoing() == b"rate 100\n#3658 hello\n"
    assert stream.outgoing() == b""
    assert stream.push(frame(HELLO, samples(10)), NS) == []  # a hello that was on its way
    faster = replace(HELLO, rate_hz=104)
    chunks = stream.push(frame(DONE, faster, samples(15, period_us=9615)), NS)
    assert stream.spec.rate_hz == 104.0
    assert seq(chunks) == list(range(15, 20))


def test_a_tag_that_cannot_do_what_is_wanted_is_taken_as_it_is():
    stream = ImuFrames(Choice(rate_hz=100))
    stream.push(frame(HELLO), NS)
    chunks = stream.push(frame(DONE, HELLO, samples(0)), NS)
    assert chunks[0].spec.rate_hz == 50.0


def test_an_answer_that_was_lost_does_not_keep_the_stream_from_beginning():
    stream = ImuFrames(Choice(rate_hz=100))
    assert stream.push(frame(HELLO, samples(0), HELLO, samples(5), HELLO, samples(10)), NS) == []
    assert stream.push(frame(HELLO, samples(15)), NS)


def test_a_tag_that_restarted_is_set_again_while_the_stream_goes_on():
    stream = ImuFrames(Choice(rate_hz=50))
    stream.push(frame(HELLO, ImuHeartbeat(1, 0), samples(0)), NS)
    again = replace(HELLO, boot=2, rate_hz=26, flags=BoardFlag(0))
    chunks = stream.push(frame(again, samples(0, boot=2)), 2 * NS)
    assert stream.outgoing() == b"rate 50\nstart\n#3658 hello\n"
    assert chunks[0].flags[0] == Flag.CLOCK_RESET | Flag.GAP_BEFORE


def test_boot_messages_and_damage_between_frames_are_no_samples():
    stream = ImuFrames()
    whole = frame(HELLO, ImuHeartbeat(1, 0), samples(0))
    spoilt = bytearray(frame(samples(5)))
    spoilt[20] ^= 0x55
    data = b"ESP-ROM:esp32s3\r\n" + whole + bytes(spoilt) + frame(samples(10), ImuHeartbeat(1, 300_000, next_seq=15))
    chunks = [chunk for i in range(0, len(data), 7) for chunk in stream.push(data[i : i + 7], NS)]
    assert seq(chunks) == [*range(5), *range(10, 15)]
    assert stream.totals["lost_link"] == 5
    assert stream.totals["bad_crc"] + stream.totals["bad_cobs"] == 1
    assert stream.totals["log_bytes"] > 10


def test_a_stream_that_ends_before_its_hello_is_what_came():
    stream = ImuFrames(Choice(rate_hz=100))
    stream.push(frame(samples(0), samples(5)), NS)
    chunks = stream.finish(2 * NS)
    assert seq(chunks) == list(range(10))
    assert chunks[0].spec.rate_hz == 50.0


def test_the_shortest_message_tells_how_long_the_line_takes_at_least():
    stream = ImuFrames()
    stream.push(frame(HELLO, samples(0, 8), samples(8, 3), samples(11, 5)), NS)
    assert stream.message_bytes == len(frame(samples(8, 3)))
