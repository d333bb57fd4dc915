"""A tag on a cable: frames at the speed of the line, commands by line feed, and a cable that is pulled."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.boards.virtual_board_port import ServedBoard
from edgehar.boards.virtual_tag import TagSettings, VirtualTag
from edgehar.boards.virtual_tag_faults import parse_tag_faults
from edgehar.boards.virtual_tag_line import TagOnLine
from edgehar.boards.virtual_tag_motion import open_motion
from edgehar.wire.frames import Loss
from edgehar.wire.imu_codec import ImuFrameDecoder
from edgehar.wire.messages import ImuHeartbeat, ImuHello, ImuSamples, Reply


def line(*faults, baud=921_600, **settings):
    settings = TagSettings(faults=parse_tag_faults(faults), **{"rate_hz": 100, **settings})
    return TagOnLine(VirtualTag(settings, open_motion()), baud=baud)


def heard(tag, until_s):
    decoder = ImuFrameDecoder()
    steps = np.arange(tag.now_us / 1e6 + 0.002, until_s, 0.002)
    return [message for t_s in steps for message in decoder.push(tag.read_until(round(t_s * 1e6)))]


def test_it_speaks_in_frames():
    said = heard(line(), 4)
    assert isinstance(said[0], ImuHello)
    assert sum(isinstance(message, ImuHeartbeat) for message in said) == 4
    assert sum(len(message.x) for message in said if isinstance(message, ImuSamples)) == 365


def test_a_slow_line_makes_the_queue_drop():
    tag = line(baud=9_600, queue_samples=64)
    tag.tag.most_samples = 16
    arrived = sum(len(message.x) for message in heard(tag, 20) if isinstance(message, ImuSamples))
    assert tag.truth[Loss.QUEUE] > 200
    assert arrived * 12 * 10 / 20 < 9_600


def test_commands_end_with_a_line_feed():
    tag = line()
    tag.receive(b"#1 rate 50\n#2 ra")
    tag.receive(b"te 25\r\n\n#3 hello" + b"x" * 500)
    tag.receive(b"\n")
    replies = [message for message in heard(tag, 1) if isinstance(message, Reply)]
    assert [(reply.id, reply.status) for reply in replies] == [(1, 0), (2, 0), (3, 3)]


@pytest.mark.parametrize(("queue_samples", "lost"), [(512, False), (32, True)])
def test_while_the_cable_is_out_samples_wait(queue_samples, lost):
    tag = line("drop_every_s=2", "drop_s=1", queue_samples=queue_samples)
    numbers = [message.seq for message in heard(tag, 8) if isinstance(message, ImuSamples)]
    assert bool(tag.truth[Loss.QUEUE]) is lost
    assert max(np.diff(numbers)) <= 64 or lost


def test_it_is_served_behind_a_port():
    with ServedBoard(line(), speed=20.0) as served:
        assert served.where.startswith("/dev/")
        assert served.doing() is not None
        served.reboot()
        assert served.truth()["starts"] == 2
