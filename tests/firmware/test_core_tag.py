"""A tag's life in the C core, as its host sees it: every sample arrives, or is counted where it was lost."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgehar.wire.axes import rotate
from edgehar.wire.command import encode_command
from edgehar.wire.frames import Loss
from edgehar.wire.gatt import samples_per_notification
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, LogLine, Reply, ReplyStatus
from edgehar.wire.packet import wrap_packet
from tests.firmware.core_cases import answers
from tests.firmware.tag_cases import (
    PERIOD_US,
    ROOM_CABLE,
    SECOND_US,
    TagLife,
    hear_cable,
    hear_packets,
    room_ble,
)

IDENTITY = ImuHello(7, 0, "esp32s3", "0.6.0", "Handgelenk", "lsm6dso", 100, 8, 1000)
X = np.random.default_rng(3).integers(-32768, 32768, (3000, 6)).astype(np.int16)
MTU = 247
HELLO, HEARTBEAT, IMU = 8, 9, 4
START_US = 2**32 - 3 * SECOND_US  # the low half of the clock ends under way


def steady(life, seconds, *, at_us=START_US, first=0, batch=8, room=65535, poll_us=PERIOD_US, **how):
    """The sensor's FIFO is read every `batch` samples, the link's task wakes every poll_us."""
    i, due_us = first, at_us
    for now_us in range(at_us, at_us + seconds * SECOND_US, poll_us):
        while now_us >= due_us + batch * PERIOD_US:
            life.samples(X[i : i + batch], due_us, **how)
            i, due_us = i + batch, due_us + batch * PERIOD_US
        life.poll(now_us, room)
    return i, due_us


def packets(life, core):
    return hear_packets(answers(core("sanitized")(life.script))[:-1])


def test_over_ble_it_says_hello_and_heartbeat_and_then_all_samples_with_their_times(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    n, _ = steady(life, 7)
    life.poll(START_US + 9 * SECOND_US)
    heard = packets(life, core)
    assert isinstance(heard.messages[0], ImuHello)
    assert isinstance(heard.messages[1], ImuHeartbeat)
    assert dataclasses.replace(heard.messages[0], t_us=0) == IDENTITY
    assert [hello.t_us - START_US for hello in heard.of(ImuHello)] == [0, 5 * SECOND_US]
    assert [beat.t_us - START_US for beat in heard.of(ImuHeartbeat)] == [i * SECOND_US for i in (*range(7), 9)]
    assert heard.seq == list(range(n))
    assert np.array_equal(heard.x, X[:n])
    assert [t % 2**32 for t in heard.t_us] == [(START_US + i * PERIOD_US) % 2**32 for i in range(n)]
    assert heard.of(ImuHeartbeat)[-1].t_us > 2**32
    assert not heard.losses.losses
    assert heard.losses.pending == 0


def test_what_it_sends_is_what_python_would(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    steady(life, 3)
    life.write(encode_command("axes", 9, id=3))
    life.log("läuft")
    life.poll(START_US + 4 * SECOND_US)
    *records, _ = answers(core("sanitized")(life.script))
    heard = hear_packets(records)
    assert [wrap_packet(*imu_payload(message)) for message in heard.messages] == records


@pytest.mark.parametrize("mtu", [36, 37, 100, 185, 247, 515, 517])
def test_a_notification_is_filled_and_never_overfilled(mtu, core):
    life = TagLife(IDENTITY)
    life.link(room_ble(mtu))
    life.samples(X[:150], START_US)
    life.poll(START_US + 150 * PERIOD_US)
    *records, _ = answers(core("sanitized")(life.script))
    assert max(map(len, records)) <= min(mtu - 3, 512)
    heard = hear_packets(records)
    each = samples_per_notification(mtu, 6)
    assert [len(samples.x) for samples in heard.of(ImuSamples)] == [each] * (150 // each) + [150 % each] * (
        150 % each > 0
    )
    assert heard.seq == list(range(150))


def test_a_notification_is_never_cut_what_does_not_fit_is_there_to_be_read(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(23))
    life.samples(X[:20], 0)
    life.write(b"#9 rate 100000")
    life.poll(SECOND_US)
    life.read_hello(SECOND_US)
    life.read_heartbeat(SECOND_US)
    life.link(room_ble(MTU))
    life.poll(SECOND_US + 1)
    reply, hello, beat, *rest, _ = answers(core("sanitized")(life.script))
    assert len(reply) == 20
    assert hear_packets([reply]).messages == [Reply(7, 9, ReplyStatus.BAD_ARGUMENT, "#9 rate 10000")]
    assert hello == imu_payload(dataclasses.replace(IDENTITY, t_us=SECOND_US))[1]
    assert beat == imu_payload(ImuHeartbeat(7, SECOND_US, bad_commands=1))[1]
    assert hear_packets(rest).seq == list(range(20))


def test_samples_wait_for_others_but_not_for_long(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    for i in range(100):
        life.samples(X[i : i + 1], i * PERIOD_US)
        life.poll(i * PERIOD_US)
    heard = packets(life, core)
    assert {len(samples.x) for samples in heard.of(ImuSamples)} == {5}  # the fifth comes as the first is 40 ms old


def test_a_link_that_is_slower_than_the_sensor_loses_the_oldest_and_they_are_counted_exactly(core):
    life = TagLife(IDENTITY, queue_samples=50)
    life.link(room_ble(MTU))
    life.poll(0, 2)
    life.samples(X[:130], 0)
    life.poll(130 * PERIOD_US - 1)
    life.poll(4 * SECOND_US)
    heard = packets(life, core)
    assert heard.seq == list(range(80, 130))
    assert np.array_equal(heard.x, X[80:130])
    assert heard.losses.losses == {Loss.QUEUE: 80}
    assert heard.of(ImuHeartbeat)[-1].next_seq == 130


def test_what_the_sensor_lost_has_numbers_too(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.poll(0)
    life.samples(X[:10], 0)
    life.samples(X[10:20], 27 * PERIOD_US, lost=17)
    life.poll(SECOND_US)
    life.poll(3 * SECOND_US)
    heard = packets(life, core)
    assert heard.seq == [*range(10), *range(27, 37)]
    assert [len(samples.x) for samples in heard.of(ImuSamples)] == [10, 10]
    assert heard.losses.losses == {Loss.SENSOR: 17}


def test_a_heartbeat_counts_only_what_lies_before_it(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.poll(0)
    life.samples(X[:18], 0)
    life.samples(X[18:20], 40 * PERIOD_US, lost=22)  # lost behind what still waits
    life.poll(SECOND_US, 1)  # the heartbeat and no more
    life.read_heartbeat(SECOND_US)
    life.poll(SECOND_US + 1, 1)
    life.read_heartbeat(SECOND_US)
    *records, _ = answers(core("sanitized")(life.script))
    marks = [wrap_packet(HEARTBEAT, record) for record in records if len(record) == 28]
    told = [(beat.next_seq, beat.dropped_sensor) for beat in hear_packets(marks).messages]
    assert told == [(0, 0), (40, 22)]


def test_a_lost_connection_that_the_queue_bridges_costs_no_sample(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    n, due_us = steady(life, 2)
    life.link(0)
    n, due_us = steady(life, 4, at_us=due_us, first=n)
    life.link(room_ble(185))
    n, due_us = steady(life, 2, at_us=due_us, first=n)
    life.poll(due_us + 2 * SECOND_US)
    heard = packets(life, core)
    assert heard.seq == list(range(n))
    assert np.array_equal(heard.x, X[:n])
    assert not heard.losses.losses


def test_a_host_that_comes_back_is_told_everything_anew(core):
    life = TagLife(IDENTITY)
    for at_us in (0, 100_000):
        life.link(room_ble(MTU))
        life.poll(at_us)
        life.link(room_ble(185))  # a new MTU is no new host
        life.poll(at_us + 1)
        life.link(0)
        life.poll(at_us + 2)
    kinds = [type(message) for message in packets(life, core).messages]
    assert kinds == [ImuHello, ImuHeartbeat] * 2


def test_what_the_link_had_no_room_for_comes_the_next_time_and_in_order(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    for at_us in range(4):
        life.poll(at_us, at_us % 2)
    life.log("x" * 80)
    life.poll(4, 0)
    life.write(b"hello")
    life.poll(5)
    life.poll(SECOND_US + 4, 0)
    life.poll(SECOND_US + 5)
    heard = packets(life, core)
    kinds = [type(message) for message in heard.messages]
    assert kinds == [ImuHello, ImuHeartbeat, LogLine, ImuHello, Reply, ImuHeartbeat]
    assert heard.of(LogLine)[0].text == "x" * 80


def test_samples_that_nobody_asked_for_wait_and_do_not_hold_up_the_rest(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.unheard(IMU)
    n, due_us = steady(life, 2)
    life.write(encode_command("identify", id=5))
    life.poll(due_us)
    life.unheard()
    life.poll(due_us + 1)
    heard = packets(life, core)
    kinds = [type(message) for message in heard.messages]
    assert kinds.index(Reply) < kinds.index(ImuSamples)
    assert len(heard.of(ImuHeartbeat)) >= 2
    assert heard.seq == list(range(n))


def test_hello_and_heartbeat_that_nobody_asked_for_are_let_go(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.unheard(HELLO, HEARTBEAT)
    n, _ = steady(life, 2)
    heard = packets(life, core)
    assert {type(message) for message in heard.messages} == {ImuSamples}
    assert len(heard.seq) == n


def test_over_a_cable_frames_go_out_in_pieces_and_nothing_is_lost(core):
    life = TagLife(IDENTITY, cable=True)
    life.link(ROOM_CABLE)
    n, due_us = steady(life, 3, room=90)
    life.poll(due_us + SECOND_US)
    heard = hear_cable(answers(core("sanitized")(life.script))[:-1])
    assert heard.seq == list(range(n))
    assert not heard.losses.losses


def test_a_cable_that_is_too_slow_counts_what_it_drops(core):
    life = TagLife(IDENTITY, cable=True, queue_samples=64)
    life.link(ROOM_CABLE)
    n, due_us = steady(life, 10, room=8)
    life.poll(due_us)
    life.poll(due_us + 2 * SECOND_US)
    heard = hear_cable(answers(core("sanitized")(life.script))[:-1])
    assert len(heard.seq) < n
    assert heard.losses.losses == {Loss.QUEUE: n - len(heard.seq)}


def test_a_setting_is_the_sensor_s_and_hello_tells_it_before_the_reply(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.poll(0)
    life.write(b"#1 rate 200")  # a write is a whole line
    life.write(encode_command("accel", 2, id=2))
    life.write(encode_command("gyro", 250, id=3))
    life.poll(1)
    heard = packets(life, core)
    hello = heard.of(ImuHello)[-1]
    assert (hello.rate_hz, hello.accel_range_g, hello.gyro_range_dps) == (208, 2, 250)
    assert [(reply.id, reply.status, reply.text) for reply in heard.of(Reply)] == [
        (1, ReplyStatus.DONE, "#1 rate 200"),
        (2, ReplyStatus.DONE, "#2 accel 2"),
        (3, ReplyStatus.DONE, "#3 gyro 250"),
    ]
    assert heard.of(ImuHeartbeat)[-1].bad_commands == 0


@pytest.mark.parametrize(
    ("line", "status", "bad"),
    [
        (b"rate 0", ReplyStatus.BAD_ARGUMENT, 0),
        (b"accel 16", ReplyStatus.FAILED, 0),
        (b"axes 23", ReplyStatus.FAILED, 0),
        (b"reboot", ReplyStatus.FAILED, 0),
        (b"accel 5", ReplyStatus.BAD_ARGUMENT, 1),
        (b"channel 6", ReplyStatus.UNKNOWN_COMMAND, 1),
        (b"fly" * 30, ReplyStatus.TOO_LONG, 1),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(line, status, bad, core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.write(line)
    life.write(b"")
    life.poll(0)
    heard = packets(life, core)
    assert dataclasses.replace(heard.of(ImuHello)[-1], t_us=0) == IDENTITY
    assert [reply.status for reply in heard.of(Reply)] == [status]
    assert heard.of(ImuHeartbeat)[-1].bad_commands == bad


def test_a_line_that_broke_off_does_not_spoil_the_next_write(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.receive(b"#1 rat")
    life.write(b"#2 hello\r\n#3 hello")
    life.poll(0)
    assert [(reply.id, reply.status) for reply in packets(life, core).of(Reply)] == [(2, 0), (3, 0)]


@pytest.mark.parametrize("row", range(23))
def test_samples_are_turned_once_hello_has_said_so(row, core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.poll(0)
    life.samples(X[:20], 0)
    life.poll(20 * PERIOD_US, 1)
    life.write(encode_command("axes", row))
    life.poll(20 * PERIOD_US)
    heard = packets(life, core)
    axes, turned = 0, []
    for message in heard.messages:
        if isinstance(message, ImuHello):
            axes = message.axes
        elif isinstance(message, ImuSamples):
            turned.append(rotate(X[message.seq : message.seq + len(message.x)], axes))
    assert axes == row
    assert np.array_equal(heard.x, np.concatenate(turned))


def test_the_most_negative_value_does_not_wrap_round(core):
    life = TagLife(dataclasses.replace(IDENTITY, axes=2))
    life.link(room_ble(MTU))
    life.samples(np.full((1, 6), -32768, np.int16), 0)
    life.poll(SECOND_US)
    assert packets(life, core).x.tolist() == [[32767, -32768, 32767] * 2]


def test_a_message_holds_one_setting_and_no_jump_of_the_clock(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(517))
    life.samples(X[:3], 0)
    life.samples(X[3:6], 3 * PERIOD_US, accel_g=4)
    life.samples(X[6:9], 6 * PERIOD_US, accel_g=4, gyro_dps=0)
    life.samples(X[9:12], 9 * PERIOD_US, accel_g=4, gyro_dps=0)  # belongs to the three before
    life.samples(X[12:14], 12 * PERIOD_US + 4000, accel_g=4, gyro_dps=0)
    life.samples(X[14:17], 14 * PERIOD_US + 4000 - 2000, accel_g=4, gyro_dps=0)  # jitter that a stamp may have
    life.poll(SECOND_US)
    heard = packets(life, core)
    got = [(s.seq, s.accel_range_g, s.gyro_range_dps, s.x.shape) for s in heard.of(ImuSamples)]
    assert got == [(0, 8, 1000, (3, 6)), (3, 4, 1000, (3, 6)), (6, 4, 0, (6, 3)), (12, 4, 0, (5, 3))]
    assert np.array_equal(heard.of(ImuSamples)[2].x, X[6:12, :3])


def test_a_period_of_no_whole_microseconds_does_not_drift(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.samples(X[:150], 500, period_ns=9_615_385)
    life.poll(4 * SECOND_US)
    heard = packets(life, core)
    assert {samples.period_us for samples in heard.of(ImuSamples)} == {9615}
    true_us = [500 + seq * 9615.385 for seq in heard.seq]
    assert max(abs(t - true) for t, true in zip(heard.t_us, true_us, strict=True)) < 8  # within one notification


def test_while_it_is_stopped_nothing_is_numbered(core):
    life = TagLife(dataclasses.replace(IDENTITY, flags=BoardFlag(0)))
    life.link(room_ble(MTU))
    life.samples(X[:5], 0)
    life.write(b"start")
    life.samples(X[5:8], 5 * PERIOD_US)
    life.write(b"stop")
    life.samples(X[8:11], 8 * PERIOD_US)
    life.poll(SECOND_US)
    heard = packets(life, core)
    assert heard.seq == [0, 1, 2]
    assert np.array_equal(heard.x, X[5:8])
    assert heard.of(ImuHello)[-1].flags == BoardFlag(0)


def test_the_simulated_mark_the_battery_and_the_log_reach_the_host(core):
    life = TagLife(dataclasses.replace(IDENTITY, flags=BoardFlag.SIMULATED | BoardFlag.RUNNING))
    life.link(room_ble(MTU))
    life.battery(71)
    life.log("FIFO overran", level=2)
    life.set(52, 4, 0)
    life.poll(0)
    heard = packets(life, core)
    (hello,), (beat,) = heard.of(ImuHello), heard.of(ImuHeartbeat)
    assert BoardFlag.SIMULATED in hello.flags & beat.flags
    assert (hello.battery_percent, beat.battery_percent) == (71, 71)
    assert (hello.rate_hz, hello.accel_range_g, hello.gyro_range_dps, hello.channels) == (52, 4, 0, 3)
    assert heard.of(LogLine) == [LogLine(7, 2, "FIFO overran")]


@pytest.mark.parametrize(
    ("identity", "queue"),
    [(IDENTITY, 0), (dataclasses.replace(IDENTITY, rate_hz=0), 8), (dataclasses.replace(IDENTITY, axes=24), 8)],
)
def test_a_tag_that_cannot_work_is_refused_at_its_start(identity, queue, core):
    raw = core("sanitized")(TagLife(identity, queue_samples=queue).script)
    assert answers(raw)[0] == b"refused"


@pytest.mark.parametrize(
    ("at_us", "before", "kinds"),
    [
        (SECOND_US // 2, 18, [ImuSamples, ImuHello, Reply, ImuSamples, ImuSamples]),
        (SECOND_US, 0, [ImuHeartbeat, Reply, ImuHello, ImuSamples, ImuSamples, ImuSamples]),
    ],
)
def test_a_hello_that_becomes_due_in_mid_poll_stands_before_the_samples_that_it_is_about(at_us, before, kinds, core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.poll(0)
    life.samples(X[:50], 0)
    life.write_meanwhile(b"axes 5")
    life.poll(at_us)
    heard = packets(life, core)
    assert [type(message) for message in heard.messages[2:]] == kinds
    assert np.array_equal(heard.x, np.concatenate([X[:before], rotate(X[before:50], 5)]))


def test_a_stamp_ahead_of_the_clock_is_no_old_one(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.samples(X[:1], 105_000)
    life.poll(100_000)
    life.samples(X[1:2], 115_000)
    life.poll(120_000)
    life.poll(145_000)
    assert [len(samples.x) for samples in packets(life, core).of(ImuSamples)] == [2]


def test_samples_that_no_other_can_join_wait_no_longer(core):
    life = TagLife(IDENTITY)
    life.link(room_ble(MTU))
    life.samples(X[:2], 0)
    life.samples(X[2:4], 2 * PERIOD_US, lost=2)  # numbers are missing, though the clock does not say so
    life.poll(3 * PERIOD_US)
    assert [(s.seq, len(s.x)) for s in packets(life, core).of(ImuSamples)] == [(0, 2)]


def test_samples_that_come_meanwhile_push_out_those_behind_a_gap_and_not_the_gap(core):
    life = TagLife(IDENTITY, queue_samples=6)
    life.link(room_ble(MTU))
    life.poll(0)
    life.samples(X[:3], 0)
    life.samples(X[3:6], 8 * PERIOD_US, lost=5)
    life.poll(SECOND_US // 2, meanwhile=2)
    life.poll(2 * SECOND_US)
    life.poll(4 * SECOND_US)
    heard = packets(life, core)
    assert heard.seq == [0, 1, 2, 10, 11, 12]
    assert heard.losses.losses == {Loss.SENSOR: 5, Loss.QUEUE: 2}


@pytest.mark.parametrize("queue", [1, 4, 5])
def test_samples_that_come_while_the_link_takes_others_push_out_none_of_those(queue, core):
    life = TagLife(IDENTITY, queue_samples=queue)
    life.link(room_ble(MTU))
    life.poll(0)
    life.samples(X[:queue], 0)
    life.poll(SECOND_US // 2, meanwhile=3)
    life.poll(2 * SECOND_US)
    life.samples(X[:1], 2 * SECOND_US)
    life.poll(3 * SECOND_US)
    life.poll(4 * SECOND_US)
    heard = packets(life, core)
    assert heard.seq[:queue] == list(range(queue))
    assert heard.losses.losses.total() == queue + 4 - len(heard.seq)
    assert set(heard.losses.losses) <= {Loss.QUEUE}


EVENTS = st.one_of(
    st.tuples(st.just("samples"), st.integers(1, 30), st.one_of(st.just(0), st.integers(1, 40))),
    st.tuples(st.just("poll"), st.integers(0, 6), st.integers(0, 5)),
    st.tuples(st.just("link"), st.sampled_from([0, 23, 36, 60, 247, 517]), st.just(0)),
    st.tuples(st.just("heard"), st.sets(st.sampled_from([IMU, HELLO, 7])).map(tuple), st.just(0)),
)


@given(st.lists(EVENTS, max_size=40), st.integers(1, 60))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_every_sample_arrives_or_is_counted_where_it_was_lost(core, events, queue):
    life, numbered, lost, now_us = TagLife(IDENTITY, queue_samples=queue), 0, 0, 0
    life.link(room_ble(MTU))
    life.poll(0)
    for what, one, two in events:
        now_us += 150_000
        if what == "samples":
            life.samples(X[numbered : numbered + one], now_us, lost=two)
            numbered, lost = numbered + one, lost + two
        elif what == "poll":
            life.poll(now_us, one, meanwhile=two if one else 0)
        elif what == "link":
            life.link(room_ble(one) if one else 0)
        else:
            life.unheard(*one)
    life.unheard()
    life.link(room_ble(MTU))
    life.poll(now_us + SECOND_US)
    life.poll(now_us + 3 * SECOND_US)
    heard = packets(life, core)
    last = heard.of(ImuHeartbeat)[-1]
    arrived = len(heard.seq)
    assert len(set(heard.seq)) == arrived
    assert last.next_seq == arrived + last.dropped_queue + last.dropped_sensor
    assert last.dropped_sensor == lost
    assert last.next_seq >= numbered + lost  # and what came while the link was busy
    assert heard.losses.losses[Loss.LINK] == 0
    assert heard.losses.losses == +heard.losses.losses
    assert heard.losses.losses[Loss.SENSOR] == lost
    assert heard.losses.losses[Loss.QUEUE] == last.dropped_queue
