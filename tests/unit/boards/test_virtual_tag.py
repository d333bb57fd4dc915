"""The virtual tag numbers, drops and counts as firmware does, and what it says went wrong did go wrong."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgehar.boards.virtual_tag import BOOT_US, LOST_IN_RESTART, TagSettings, VirtualTag
from edgehar.boards.virtual_tag_faults import TagFaults, parse_tag_faults
from edgehar.boards.virtual_tag_motion import ModelMotion, RecordedMotion, open_motion
from edgehar.errors import InputError, UsageError
from edgehar.recording import RecordingWriter
from edgehar.sources.cyclic import load_model
from edgehar.types import Chunk, StreamSpec
from edgehar.wire.axes import rotate
from edgehar.wire.frames import Loss
from edgehar.wire.imu_codec import parse_imu
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, Reply, ReplyStatus
from edgehar.wire.numbered import NumberedLosses

CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
UNITS = ("g",) * 3 + ("radps",) * 3


def recorded(n=500, rate_hz=50.0, channels=6, units=UNITS, seed=0):
    """A chunk of made-up motion that fills a part of the ranges."""
    t_ns = np.rint(np.arange(n) * 1e9 / rate_hz).astype(np.int64)
    x = np.random.default_rng(seed).normal(0, 1.5, (n, channels)).astype(np.float32)
    spec = StreamSpec("imu", CHANNELS[:channels], rate_hz, units[:channels])
    return Chunk(spec, t_ns + 77, t_ns, np.arange(n), x, np.zeros(n, np.uint16))


def tag_with(*faults, motion=None, on_samples=None, **settings):
    settings = {"rate_hz": 100, **settings}
    motion = motion or ModelMotion(load_model(), seed=1)
    return VirtualTag(TagSettings(faults=parse_tag_faults(faults), **settings), motion, on_samples)


def heard(tag, until_s, step_s=0.01, room=None):
    """Everything it says up to `until_s` of true time."""
    steps_us = range(round(step_s * 1e6), round((until_s - tag.now_us / 1e6) * 1e6) + 1, round(step_s * 1e6))
    start_us = tag.now_us
    return [parse_imu(*said) for step_us in steps_us for said in tag.advance(start_us + step_us, room=room)]


def only(kind, messages):
    return [message for message in messages if isinstance(message, kind)]


def account(messages, boot=1):
    """(samples that arrived, losses) as a host counts them."""
    losses, arrived = NumberedLosses(), 0
    for message in messages:
        if isinstance(message, ImuSamples) and message.boot == boot:
            arrived += len(message.x)
            losses.arrived(message.seq, len(message.x))
        elif isinstance(message, ImuHeartbeat) and message.boot == boot:
            dropped = {Loss.QUEUE: message.dropped_queue, Loss.SENSOR: message.dropped_sensor}
            losses.mark_at(message.next_seq, dropped)
    return arrived, losses


def test_it_says_who_it_is_and_that_it_is_simulated():
    said = heard(tag_with(name="left wrist"), 7)
    first = only(ImuHello, said)[0]
    assert (first.name, first.rate_hz, first.accel_range_g, first.gyro_range_dps) == ("left wrist", 100, 8, 1000)
    assert (first.boot, first.t_us, first.channels, first.axes) == (1, BOOT_US, 6, 0)
    for message in only(ImuHello | ImuHeartbeat, said):
        assert BoardFlag.SIMULATED in message.flags
    assert len(only(ImuHello, said)) == 2
    assert len(only(ImuHeartbeat, said)) == 7


def test_all_samples_arrive_where_nothing_goes_wrong():
    measured = []
    tag = tag_with(on_samples=measured.append)
    samples = only(ImuSamples, heard(tag, 10.35))
    assert [message.seq for message in samples] == list(range(0, 1000, 5))
    assert [message.t_us for message in samples] == [BOOT_US + 50_000 * i for i in range(200)]
    assert {message.period_us for message in samples} == {10_000}
    assert np.array_equal(np.concatenate([m.x for m in samples]), np.concatenate([m.x for m in measured])[:1000])
    assert tag.truth["samples"] == 1001


def test_how_it_is_read_changes_nothing():
    faults = ("loss=0.2", "jitter_ms=7", "overrun_every_s=1.3", "stall_every_s=3", "reboot_every_s=8", "drift_ppm=300")
    fine, coarse = tag_with(*faults, queue_samples=64), tag_with(*faults, queue_samples=64)
    pieces = [said for t_us in range(0, 20_000_001, 1_000) for said in fine.advance(t_us)]
    assert pieces == coarse.advance(12_345_678) + coarse.advance(20_000_000)
    assert fine.truth == coarse.truth


def test_a_recording_comes_out_as_it_is_but_for_the_sensor_s_resolution():
    chunk = recorded()
    samples = only(ImuSamples, heard(tag_with(motion=RecordedMotion(chunk), rate_hz=0), 12))
    x = np.concatenate([message.x for message in samples])
    assert len(x) == 500
    scale = np.repeat([8 / 32768, 1000 / 32768], 3)
    wanted = chunk.x * np.repeat([1, 180 / np.pi], 3)
    assert (np.abs(x * scale - wanted).max(axis=0) <= scale * 0.5001).all()


def test_a_recording_at_another_rate_is_the_same_motion():
    chunk = recorded(rate_hz=50.0)
    half = np.concatenate([RecordedMotion(chunk).read(3, 40_000), RecordedMotion(chunk).read(3, 40_000)])
    assert np.array_equal(half[:3], RecordedMotion(chunk).read(6, 20_000)[::2])
    between = RecordedMotion(chunk).read(2, 10_000)[1]
    assert np.allclose(between, RecordedMotion(chunk).read(2, 20_000).mean(axis=0))


def test_a_recording_ends_or_begins_again():
    chunk = recorded(n=50)
    tag = tag_with(motion=RecordedMotion(chunk), rate_hz=0)
    samples = only(ImuSamples, heard(tag, 3))
    assert sum(len(message.x) for message in samples) == 50
    assert tag.over
    endless = RecordedMotion(chunk, loop=True)
    first, again = endless.read(50, 20_000), endless.read(50, 20_000)
    assert np.array_equal(first, again)


def test_a_recording_in_other_units_and_with_holes():
    chunk = recorded(units=("mps2",) * 3 + ("dps",) * 3)
    chunk.x[3] = np.nan
    x = RecordedMotion(chunk).read(6, 20_000)
    assert np.allclose(x[1], chunk.x[1] * np.repeat([1 / 9.80665, 1], 3))
    assert np.allclose(x[3], (x[2] + x[4]) / 2)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (StreamSpec("csi", ("sc1.re",), 50.0, ("1",)), "the recording has the channels sc1.re"),
        (StreamSpec("imu", CHANNELS[:3], 50.0, ("uT",) * 3), "the recording has acc_x in 'uT'"),
    ],
)
def test_what_is_no_motion_is_refused(spec, says):
    n, c = 10, len(spec.channels)
    t_ns = np.arange(n) * 20_000_000
    with pytest.raises(InputError, match=says):
        RecordedMotion(Chunk(spec, t_ns, t_ns, t_ns, np.zeros((n, c), np.float32), np.zeros(n, np.uint16)))


def test_the_motion_of_a_file_and_of_a_stream_in_it(tmp_path):
    chunk = recorded(n=60)
    for name, specs in (("one.mcap", chunk.spec), ("two.mcap", {"wrist": chunk.spec, "leg": chunk.spec})):
        with RecordingWriter(tmp_path / name, specs) as writer:
            for stream in writer.specs:
                writer.write(chunk, stream)
    assert open_motion(tmp_path / "one.mcap").rate_hz == 50.0
    assert open_motion(tmp_path / "two.mcap", stream="leg").channels == 6
    with pytest.raises(UsageError, match="holds 2 streams"):
        open_motion(tmp_path / "two.mcap")
    with pytest.raises(UsageError, match="no person 'nobody'"):
        open_motion(person="nobody")


def test_a_slow_link_drops_the_oldest_and_says_so():
    tag = tag_with(queue_samples=100)
    tag.most_samples = 10
    said = heard(tag, 20.4, step_s=0.2, room=1)  # 50 samples a second of 100
    arrived, losses = account(said)
    assert losses.losses == {Loss.QUEUE: pytest.approx(tag.truth[Loss.QUEUE], abs=20)}
    assert losses.losses[Loss.QUEUE] > 800
    assert arrived + sum(losses.losses.values()) + losses.pending <= tag.truth["samples"]


def test_every_missing_number_has_its_cause():
    faults = ("loss=0.15", "jitter_ms=4", "overrun_every_s=2.2", "overrun=13", "stall_every_s=7", "stall_s=3")
    tag = tag_with(*faults, queue_samples=128)
    said = heard(tag, 60.35)
    arrived, losses = account(said)
    truth = tag.truth
    assert set(losses.losses) == {Loss.QUEUE, Loss.SENSOR, Loss.LINK}
    assert arrived == truth["sent"] - truth[Loss.LINK]
    assert truth["samples"] == truth["sent"] + truth[Loss.QUEUE] + truth[Loss.SENSOR] + tag.queued
    # What was settled by the last heartbeat that came; no cause is charged with more than it did.
    for loss in (Loss.QUEUE, Loss.SENSOR, Loss.LINK):
        assert 0 <= truth[loss] - losses.losses[loss] <= 150
    assert sum(truth[loss] for loss in Loss) - sum(losses.losses.values()) <= 250


def test_a_restart_begins_everything_anew_but_the_settings():
    tag = tag_with("reboot_every_s=5")
    before = heard(tag, 4.9)
    tag.command("accel 4")
    after = [message for message in heard(tag, 8) if message.boot == 2]
    hello = only(ImuHello, after)[0]
    assert (hello.boot, hello.t_us, hello.accel_range_g) == (2, BOOT_US, 4)
    assert only(ImuSamples, after)[0].seq == 0
    assert only(ImuSamples, before)[-1].seq > 400
    assert tag.truth[LOST_IN_RESTART] <= 5


def test_commands_are_obeyed_and_answered():
    tag = tag_with()
    heard(tag, 1)
    lines = [
        "#1 rate 50",
        "#2 accel 16\n",
        b"#3 axes 5",
        "#4 stop",
        "#5 gain lock",
        "#6 accel 3",
        "rate 0",
        "#8 hello" * 9,
    ]
    replies = [parse_imu(*tag.command(line)) for line in lines]
    assert all(isinstance(reply, Reply) for reply in replies)
    assert [(reply.id, reply.status) for reply in replies] == [
        (1, ReplyStatus.DONE),
        (2, ReplyStatus.DONE),
        (3, ReplyStatus.DONE),
        (4, ReplyStatus.DONE),
        (5, ReplyStatus.UNKNOWN_COMMAND),
        (6, ReplyStatus.BAD_ARGUMENT),
        (0, ReplyStatus.BAD_ARGUMENT),
        (8, ReplyStatus.TOO_LONG),
    ]
    said = heard(tag, 3)
    hello, beat = only(ImuHello, said)[0], only(ImuHeartbeat, said)[-1]
    assert (hello.rate_hz, hello.accel_range_g, hello.axes) == (50, 16, 5)
    assert BoardFlag.RUNNING not in beat.flags
    assert beat.bad_commands == 4
    last = beat.next_seq
    tag.command("start")
    samples = only(ImuSamples, heard(tag, 4))
    assert samples[0].seq == last
    assert samples[0].t_us >= 3_000_000
    assert {message.period_us for message in samples} == {20_000}
    tag.command("reboot")
    assert tag.boot == 1
    heard(tag, 4.01)
    assert tag.boot == 2


def test_messages_hold_samples_of_one_range_and_one_period():
    tag = tag_with()
    said = heard(tag, 0.5)
    tag.command("gyro 250")
    said += heard(tag, 1)
    tag.command("rate 25")
    said += heard(tag, 2)
    ends = None
    for message in only(ImuSamples, said):
        t_us = message.t_us + message.period_us * np.arange(len(message.x))
        assert ends is None or t_us[0] > ends
        ends = t_us[-1]
    found = {(message.gyro_range_dps, message.period_us) for message in only(ImuSamples, said)}
    assert found == {(1000, 10_000), (250, 10_000), (250, 40_000)}


def test_axes_turn_the_samples_and_ranges_scale_them():
    motion = recorded(n=3)
    plain, turned, coarse = (
        only(ImuSamples, heard(tag_with(motion=RecordedMotion(motion), rate_hz=0, **settings), 2))
        for settings in ({}, {"axes": 17}, {"accel_range_g": 16})
    )
    assert np.array_equal(turned[0].x, rotate(plain[0].x, 17))
    assert np.abs(coarse[0].x[:, :3] * 2 - plain[0].x[:, :3]).max() <= 1
    assert np.array_equal(coarse[0].x[:, 3:], plain[0].x[:, 3:])


def test_what_is_beyond_the_range_saturates():
    chunk = recorded(n=3)
    chunk.x[:] = [[100] * 6, [-100] * 6, [0] * 6]
    (samples,) = only(ImuSamples, heard(tag_with(motion=RecordedMotion(chunk), rate_hz=0), 1))
    assert samples.x.tolist() == [[32767] * 6, [-32768] * 6, [0] * 6]


def test_an_accelerometer_alone():
    tag = tag_with(motion=RecordedMotion(recorded(channels=3)), rate_hz=0)
    said = heard(tag, 2)
    assert (only(ImuHello, said)[0].channels, only(ImuHello, said)[0].gyro_range_dps) == (3, 0)
    assert only(ImuSamples, said)[0].x.shape == (3, 3)
    assert only(ImuSamples, said)[0].gyro_range_dps == 0


def test_it_measures_nothing_before_somebody_listens():
    tag = tag_with(waits=True)
    assert not only(ImuSamples, heard(tag, 2))
    tag.wake()
    first = only(ImuSamples, heard(tag, 3))[0]
    assert (first.seq, first.t_us) == (0, 2_000_000)


def test_a_link_too_small_for_one_sample_gets_none():
    tag = tag_with(queue_samples=50)
    tag.most_samples = 0
    said = heard(tag, 3)
    assert not only(ImuSamples, said)
    assert only(ImuHeartbeat, said)[-1].dropped_queue > 100


def test_a_drifting_clock_shows_in_the_heartbeats_and_the_samples_keep_to_it():
    slow, fast = (heard(tag_with(*faults), 20.5) for faults in ((), ("drift_ppm=1000",)))
    difference_us = only(ImuHeartbeat, fast)[-1].t_us - only(ImuHeartbeat, slow)[-1].t_us
    assert difference_us == pytest.approx(20_350, rel=0.02)
    assert only(ImuSamples, fast)[-1].seq - only(ImuSamples, slow)[-1].seq in (0, 5)


def test_late_messages_stay_in_order():
    said = heard(tag_with("jitter_ms=60"), 10)
    numbers = [message.seq for message in only(ImuSamples, said)]
    assert numbers == sorted(numbers)
    assert len(numbers) > 150


def test_the_model_is_the_one_of_virtual_imu():
    model = load_model()
    motion = ModelMotion(model, seed=3)
    kinds = Counter(motion.label_at(int(t_us)) for t_us in range(0, 1_000_000, 20_000) if len(motion.read(1, 20_000)))
    assert set(kinds) <= set(model.labels)
    assert np.array_equal(ModelMotion(model, seed=3).read(100, 20_000), ModelMotion(model, seed=3).read(100, 20_000))


@pytest.mark.parametrize("fault", ["los=0.1", "loss=2", "loss", "overrun=1.5", "wire_version=300"])
def test_a_fault_that_makes_no_sense_is_refused(fault):
    with pytest.raises(UsageError):
        parse_tag_faults([fault])


def test_faults_are_off_by_default():
    assert parse_tag_faults([]) == TagFaults()
