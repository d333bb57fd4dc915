"""A tag's messages become a stream in g and rad/s whose gaps, restarts and saturated samples are marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.imu_stream import OTHER_CHANNELS, RANGE_CHANGES, RATE_CHANGES, REPEATED, ImuStream
from edgehar.testing.source import check_source
from edgehar.types import Flag, StreamSpec
from edgehar.wire.frames import Cause, Loss
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, Reply, ReplyStatus

HELLO = ImuHello(1, 500_000, "esp32s3", "1.0", "tag-1", "lsm6dso", 100, 8, 1000)
PERIOD_US = 10_000
NS = 1_000_000_000


def samples(first, n=5, *, boot=1, accel=8, gyro=1000, width=6, period_us=PERIOD_US, t_us=None):
    x = np.tile((np.arange(first, first + n) % 30_000).astype(np.int16)[:, None], width)
    t_us = first * period_us if t_us is None else t_us
    return ImuSamples(boot, first % 2**32, t_us % 2**32, period_us, accel, gyro, x)


def beat(next_seq, queue=0, sensor=0, *, boot=1, t_us=None, flags=BoardFlag.RUNNING):
    return ImuHeartbeat(boot, next_seq * PERIOD_US if t_us is None else t_us, flags, next_seq, queue, sensor)


def push(stream, *messages, host_ns=None):
    """All chunks; each message arrives when its device time says, a second later."""
    found = []
    for message in messages:
        at = NS + 1000 * message.t_us if host_ns is None and not isinstance(message, Cause) else host_ns or NS
        found += stream.push(message, at)
    return found


def joined(chunks, name):
    return np.concatenate([getattr(chunk, name) for chunk in chunks])


def test_the_hello_says_what_the_stream_is_and_values_are_scaled_to_it():
    stream = ImuStream(Choice(placement="wrist"))
    x = np.array([[4096, -4096, 0, 16384, 0, -32767]], np.int16)
    (chunk,) = push(stream, HELLO, ImuSamples(1, 0, 0, PERIOD_US, 8, 1000, x))
    names = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    units = ("g",) * 3 + ("radps",) * 3
    assert stream.spec == StreamSpec("imu", names, 100.0, units, placement="wrist", session_id="tag-1")
    half = 500 * np.pi / 180
    np.testing.assert_allclose(chunk.x[0], [1, -1, 0, half, 0, -2 * half * 32767 / 32768], rtol=1e-6)
    assert chunk.flags.tolist() == [Flag.CLIPPED]


def test_samples_that_came_before_the_hello_wait_for_it():
    stream = ImuStream()
    assert push(stream, samples(0), samples(5)) == []
    chunks = push(stream, replace(HELLO, flags=BoardFlag.RUNNING | BoardFlag.SIMULATED))
    assert joined(chunks, "seq").tolist() == list(range(10))
    assert chunks[0].spec.simulated


def test_without_a_hello_the_samples_themselves_say_it_after_the_status_had_its_time():
    stream = ImuStream()
    assert push(stream, beat(0, flags=BoardFlag.SIMULATED), *(samples(n) for n in range(0, 190, 5))) == []
    chunks = push(stream, samples(195))
    assert stream.spec.rate_hz == 100.0
    assert stream.spec.simulated
    assert sum(map(len, chunks)) == 195


def test_every_sample_has_its_own_device_time_across_a_wrap_of_the_counter():
    stream = ImuStream()
    first = 2**32 // PERIOD_US - 3
    chunks = push(
        stream, replace(HELLO, t_us=2**32 - 900_000), *(samples(n) for n in range(first, first + 20, 5)), host_ns=NS
    )
    assert np.diff(joined(chunks, "t_dev_ns")).tolist() == [PERIOD_US * 1000] * 19
    assert not joined(chunks, "flags").any()


def test_a_pause_of_hours_is_dated_by_the_clock_that_the_tag_tells_in_full():
    stream = ImuStream()
    chunks = push(stream, HELLO, samples(0), host_ns=NS)
    later_us = 3 * 2**32 + 5_000_000  # 3.6 hours, of which the host slept all but two seconds
    chunks += push(stream, beat(9, t_us=later_us), replace(samples(9), t_us=(later_us + 7) % 2**32), host_ns=3 * NS)
    assert chunks[1].t_dev_ns[0] == (later_us + 7) * 1000
    assert stream.restarts == 0


def test_a_clock_that_is_told_late_does_not_move_what_was_dated_before():
    stream = ImuStream()
    said = [samples(n) for n in range(0, 200, 5)]
    chunks = push(stream, *said, beat(200, t_us=5 * 2**32 + 2_000_000), samples(200))
    assert np.diff(joined(chunks, "t_dev_ns")).tolist() == [PERIOD_US * 1000] * 204


def test_numbers_wrap_without_a_gap():
    stream = ImuStream()
    head = replace(samples(0), seq=2**32 - 5, t_us=0)
    chunks = push(stream, HELLO, head, replace(samples(0), t_us=5 * PERIOD_US))
    assert np.diff(joined(chunks, "seq")).tolist() == [1] * 9
    assert not joined(chunks, "flags").any()


def test_what_is_missing_is_a_marked_gap_and_laid_to_queue_sensor_or_link():
    stream = ImuStream()
    chunks = push(stream, HELLO, beat(0), samples(0), samples(30), samples(35), beat(50, queue=8, sensor=5))
    assert joined(chunks, "seq").tolist() == [*range(5), *range(30, 40)]
    assert np.flatnonzero(joined(chunks, "flags") & Flag.GAP_BEFORE).tolist() == [5]
    assert stream.losses == {Loss.QUEUE: 8, Loss.SENSOR: 5, Loss.LINK: 22}


def test_a_broken_connection_that_cost_nothing_is_no_gap():
    stream = ImuStream()
    chunks = push(stream, HELLO, beat(0), samples(0))
    stream.interrupt()
    chunks += push(stream, HELLO, samples(5), samples(12), beat(17))
    assert np.flatnonzero(joined(chunks, "flags")).tolist() == [10]
    assert stream.losses == {Loss.LINK: 2}


def test_a_restart_by_its_number_resets_clock_and_numbers_and_is_no_loss():
    stream = ImuStream()
    chunks = push(stream, HELLO, beat(0), *(samples(n) for n in range(0, 500, 5)))
    again = push(stream, replace(HELLO, boot=2), samples(0, boot=2), beat(5, boot=2), host_ns=9 * NS)
    assert joined(again, "seq").tolist() == list(range(5))
    assert joined(again, "flags")[0] == Flag.CLOCK_RESET | Flag.GAP_BEFORE
    assert stream.restarts == 1
    assert not +stream.losses
    assert len(chunks) == 100


@pytest.mark.parametrize("first_word", ["hello", "beat", "samples"])
def test_a_restart_of_a_tag_that_does_not_number_its_starts(first_word):
    stream = ImuStream()
    push(stream, HELLO, beat(0), *(samples(n) for n in range(0, 2000, 5)), beat(2000))
    said = {"hello": [HELLO], "beat": [beat(0)], "samples": []}[first_word]
    again = push(stream, *said, samples(0), beat(5), host_ns=40 * NS)
    assert joined(again, "flags")[0] == Flag.CLOCK_RESET | Flag.GAP_BEFORE
    assert joined(again, "seq").tolist() == list(range(5))
    assert stream.restarts == 1


def test_a_heartbeat_that_overtook_samples_does_not_make_them_lost():
    stream = ImuStream()
    chunks = push(stream, HELLO, beat(0), samples(0), beat(10), samples(5), samples(10), beat(15))
    assert joined(chunks, "seq").tolist() == list(range(15))
    assert not +stream.losses


def test_what_a_link_repeats_comes_once():
    stream = ImuStream()
    chunks = push(stream, HELLO, samples(0), samples(5), samples(5), samples(10))
    assert joined(chunks, "seq").tolist() == list(range(15))
    assert stream.counts[REPEATED] == 5


def test_a_change_of_range_rescales_and_the_units_stay():
    stream = ImuStream()
    chunks = push(stream, HELLO, samples(0, accel=8), samples(5, accel=4, gyro=500))
    x = joined(chunks, "x")
    np.testing.assert_allclose(x[:5, 0], np.arange(5) * 8 / 32768, rtol=1e-6)
    np.testing.assert_allclose(x[5:, 0], np.arange(5, 10) * 4 / 32768, rtol=1e-6)
    assert len({chunk.spec for chunk in chunks}) == 1
    assert stream.counts[RANGE_CHANGES] == 1


def test_a_change_of_rate_keeps_the_spec_and_dates_samples_truly():
    stream = ImuStream()
    chunks = push(stream, HELLO, samples(0), samples(5, period_us=20_000, t_us=5 * PERIOD_US))
    assert np.diff(joined(chunks, "t_dev_ns")).tolist() == [10_000_000] * 5 + [20_000_000] * 4
    assert stream.counts[RATE_CHANGES] == 1


def test_what_a_tag_measured_before_it_was_set_is_no_part_of_the_stream_and_no_loss():
    stream = ImuStream()
    old = [samples(n, period_us=20_000) for n in (0, 5)]
    chunks = push(stream, HELLO, beat(0), *old, samples(10, t_us=200_000), samples(15, t_us=250_000), beat(20))
    assert stream.spec.rate_hz == 100.0
    assert joined(chunks, "seq").tolist() == list(range(10, 20))
    assert not joined(chunks, "flags").any()
    assert stream.counts["before_setting"] == 10
    assert not +stream.losses


def test_a_hello_that_is_wrong_about_its_rate_does_not_hold_the_stream_up_for_ever():
    stream = ImuStream()
    chunks = push(stream, HELLO, *(samples(n, period_us=20_000) for n in range(0, 5000, 5)))
    assert sum(map(len, chunks)) > 500


def test_samples_of_other_channels_are_counted_and_a_gap():
    stream = ImuStream()
    unfit = [samples(5, width=3, gyro=0), samples(10, accel=0), samples(15, width=9)]
    chunks = push(stream, HELLO, beat(0), samples(0), *unfit, samples(20), beat(25))
    assert joined(chunks, "seq").tolist() == [*range(5), *range(20, 25)]
    assert chunks[1].flags[0] == Flag.GAP_BEFORE
    assert stream.counts[OTHER_CHANNELS] == 15
    assert not stream.losses


def test_an_accelerometer_alone():
    stream = ImuStream()
    (chunk,) = push(stream, replace(HELLO, channels=3, gyro_range_dps=0), samples(0, width=3, gyro=0))
    assert chunk.spec.channels == ("acc_x", "acc_y", "acc_z")


def test_damage_and_refusals_are_counted():
    stream = ImuStream()
    push(stream, Cause.LENGTH, HELLO)
    stream.push(Reply(1, 3, ReplyStatus.BAD_ARGUMENT, "accel 3"), NS)
    assert stream.counts["bad_length"] == 1
    assert stream.counts["refused_commands"] == 1


def test_chunks_keep_what_every_source_must():
    class Source:
        spec = property(lambda self: self.stream.spec)

        async def __aenter__(self):
            self.stream = ImuStream()
            self.first = push(self.stream, HELLO, beat(0), samples(0), host_ns=NS)
            return self

        async def __aexit__(self, *_):
            pass

        async def __aiter__(self):
            for chunk in self.first:
                yield chunk
            said = [samples(15), beat(20), replace(HELLO, boot=2), samples(3, boot=2)]
            for message in said:
                for chunk in push(self.stream, message, host_ns=NS):
                    yield chunk

        def label_at(self, t_dev_ns):
            return ""

    assert sum(map(len, check_source(Source, at_least=15))) == 15
