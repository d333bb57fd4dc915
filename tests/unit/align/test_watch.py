"""The clock's fit for a live line is the one that samples are dated by."""

import numpy as np
import pytest

from edgehar.align.timeline import DeviceTime
from edgehar.align.watch import ClockWatch
from edgehar.types import Chunk, Flag, StreamSpec

S, MS = 1_000_000_000, 1_000_000
SPEC = StreamSpec("imu", ("acc_x",), 50.0, ("g",))


def chunks(n=3000, *, ppm=40.0, jitter_ms=4.0, step=5, reset_at=None):
    rng = np.random.default_rng(0)
    true = np.arange(n, dtype=np.int64) * 20 * MS
    host = np.maximum.accumulate(true + 50 * S + (rng.exponential(jitter_ms, n) * MS).astype(np.int64))
    dev = np.rint(true * (1 + ppm * 1e-6)).astype(np.int64)
    flags = np.zeros(n, np.uint16)
    if reset_at is not None:
        dev[reset_at:] -= dev[reset_at]
        flags[reset_at] = Flag.CLOCK_RESET
    for a in range(0, n, step):
        s = slice(a, a + step)
        x = np.zeros((len(dev[s]), 1), np.float32)
        yield Chunk(SPEC, dev[s], host[s], np.arange(n)[s], x, flags[s])


@pytest.mark.parametrize("step", [1, 5, 170])
def test_the_line_is_that_of_the_dated_samples(step):
    watch, time = ClockWatch(), DeviceTime()
    for chunk in chunks(step=step):
        watch.push(chunk)
        time.push(chunk)
    assert watch.fit.ppm == pytest.approx(-40, abs=3)
    assert watch.fit.ppm == pytest.approx(time.fit.ppm, abs=3)
    assert watch.fit.delay_p99_ns == pytest.approx(time.fit.delay_p99_ns, rel=0.1)
    assert watch.fit.residual_ns < MS
    assert "ppm" in watch.fit.describe()


def test_the_first_second_tells_nothing():
    watch = ClockWatch()
    for chunk in chunks(40):
        watch.push(chunk)
    assert watch.fit is None


@pytest.mark.parametrize("step", [1, 7, 500])
def test_a_restart_begins_anew(step):
    watch = ClockWatch()
    for chunk in chunks(3000, reset_at=1500, step=step):
        watch.push(chunk)
    assert watch.restarts == 1
    assert watch.fit.ppm == pytest.approx(-40, abs=6)


def test_a_days_stream_is_not_kept():
    watch = ClockWatch()
    for chunk in chunks(20_000, step=50):
        watch.push(chunk)
    assert sum(len(t) for t, _ in watch._recent) < 4096 + 100
