"""Taps that two sensors saw: timed finer than their samples; walking, silence and unlike motion are refused."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.align.aligner import SLACK_NS, Aligner
from edgehar.align.delay import LeastDelay
from edgehar.align.joint import joint_contract
from edgehar.align.motion import motion
from edgehar.align.tap import Tap, find_tap
from edgehar.align.tap_search import GIVE_UP_NS, TapSearch
from edgehar.errors import InputError
from edgehar.types import Chunk, StreamSpec

S, MS = 1_000_000_000, 1_000_000
AXES = ("acc_x", "acc_y", "acc_z")
UNITS = ("g",) * 3
FINE_HZ = 2000


def acceleration(rate_hz, taps_s, *, seconds=8.0, phase_s=0.0, seed=0, walking_hz=0.0, size_g=5.0):
    """(t_s [n], x [n, 3] in g): half-sine shocks of 12 ms on gravity, averaged over a sampling period, then sampled."""
    t = np.arange(0, seconds, 1 / FINE_HZ)
    y = 1.0 + 0.4 * (walking_hz > 0) * np.maximum(np.sin(2 * np.pi * walking_hz * t), 0) ** 8 * 4
    for at in taps_s:
        inside = (t >= at) & (t <= at + 0.012)
        y[inside] += size_g * np.sin(np.pi * (t[inside] - at) / 0.012)
    width = int(FINE_HZ / rate_hz)
    y = np.convolve(y, np.ones(width) / width, mode="same")
    at = phase_s + np.arange(int((seconds - 0.1) * rate_hz)) / rate_hz
    x = 0.01 * np.random.default_rng(seed).standard_normal((len(at), 3))
    x[:, 2] += np.interp(at, t, y)
    return at, x.astype(np.float32)


def seen(rate_hz, taps_s, *, lag_s=0.0, units=UNITS, **how):
    t, x = acceleration(rate_hz, taps_s, **how)
    scale = 9.80665 if units[0] == "mps2" else 1.0
    return motion(np.rint((t + 100 + lag_s) * S).astype(np.int64), x * np.float32(scale), AXES, units, rate_hz)


@pytest.mark.parametrize(("rates", "worst_ms"), [((100, 100), 3.0), ((50, 100), 6.0), ((50, 50), 9.0)])
@pytest.mark.parametrize("lag_s", [-0.2, 0.0, 0.043])
def test_three_taps_are_timed_finer_than_the_samples(rates, worst_ms, lag_s):
    taps_s = (5.0, 5.37, 5.81)
    one = seen(rates[0], taps_s, phase_s=0.003)
    other = seen(rates[1], taps_s, lag_s=lag_s, phase_s=0.009, seed=1, units=("mps2",) * 3)
    tap = find_tap(one, other)
    assert isinstance(tap, Tap)
    assert tap.taps == 3
    assert abs(tap.lag_ns / MS - 1000 * lag_s) < worst_ms
    assert abs(tap.lag_ns / MS - 1000 * lag_s) * MS < tap.within_ns
    assert "3 taps" in tap.describe()


def test_walking_is_no_tap():
    found = find_tap(seen(50, (), walking_hz=1.8), seen(50, (), walking_hz=1.8, seed=1))
    assert isinstance(found, str)


def test_stillness_is_no_tap():
    assert "nothing above" in find_tap(seen(50, ()), seen(50, ()))


def test_taps_at_even_distances_leave_no_doubt_but_a_long_row_does():
    three, many = (5.0, 5.3, 5.6), tuple(np.arange(3.0, 6.5, 0.25))
    assert isinstance(find_tap(seen(100, three), seen(100, three, seed=1)), Tap)
    assert "ambiguous" in find_tap(seen(100, many), seen(100, many, seed=1))


def test_a_tap_of_one_sensor_alone_is_none():
    assert isinstance(find_tap(seen(50, (5.0,)), seen(50, (3.9,), seed=1)), str)


def test_taps_that_may_go_on_are_waited_for():
    assert "last" in find_tap(seen(50, (7.5,)), seen(50, (7.5,)))


def test_a_channel_that_tells_of_no_motion():
    assert motion(np.arange(3), np.zeros((3, 1), np.float32), ("gyro_x",), ("dps",), 50.0) is None


def bursts(t):
    """Somebody comes and goes, irregularly: 0 to 1."""
    return sum(np.exp(-(((t - at) / 0.4) ** 2)) for at in (2.0, 5.1, 6.9, 11.4, 12.6))


def csi(lag_s, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(0, 16, 0.01)
    amplitude = (
        1 + 0.002 * rng.standard_normal((len(t), 5)) + 0.2 * bursts(t)[:, None] * rng.standard_normal((len(t), 5))
    )
    names = tuple(f"sc{i}.amp" for i in range(5))
    return motion(np.rint((t + lag_s) * S).astype(np.int64), amplitude.astype(np.float32), names, ("1",) * 5, 100.0)


def watch(seed=1):
    rng = np.random.default_rng(seed)
    t = np.arange(0, 16, 0.02)
    x = 0.01 * rng.standard_normal((len(t), 3))
    x[:, 2] += 1 + bursts(t) * 0.5 * rng.standard_normal(len(t))
    return motion(np.rint(t * S).astype(np.int64), x.astype(np.float32), AXES, UNITS, 50.0)


def test_motion_that_a_radio_and_a_wrist_saw_is_a_coarse_line():
    tap = find_tap(watch(), csi(0.15))
    assert isinstance(tap, Tap)
    assert tap.taps == 0
    assert abs(tap.lag_ns - 150 * MS) <= max(tap.within_ns, 60 * MS)
    assert "common motion" in tap.describe()


def test_motion_of_two_people_is_refused():
    t, x = acceleration(50, (), seconds=17)
    x += (0.3 * np.random.default_rng(5).standard_normal((len(t), 1)) * (np.sin(t) > 0.9)[:, None]).astype(np.float32)
    other = motion(np.rint(t * S).astype(np.int64), x, AXES, UNITS, 50.0)
    assert isinstance(find_tap(other, csi(0.0)), str)


SPECS = {name: StreamSpec("imu", AXES, 50.0, UNITS) for name in ("wrist", "leg")}


def chunks(name, taps_s, *, base_ms, seconds=12.0, size_g=5.0):
    t, x = acceleration(50, taps_s, seconds=seconds, phase_s=0.004 * len(name), size_g=size_g)
    t_ns = np.rint(t * S).astype(np.int64)
    host = t_ns + 100 * S + base_ms * MS
    for a in range(0, len(t), 5):
        s = slice(a, a + 5)
        n = len(t[s])
        yield name, Chunk(SPECS[name], t_ns[s], host[s], np.arange(a, a + n), x[s], np.zeros(n, np.uint16))


def arrivals(taps_s, leg_base_ms=85, **how):
    both = [*chunks("wrist", taps_s, base_ms=5, **how), *chunks("leg", taps_s, base_ms=leg_base_ms, **how)]
    return sorted(both, key=lambda held: int(held[1].t_host_ns[-1]))


def searched(parts):
    aligner = Aligner(SPECS, joint_contract(SPECS))
    search = TapSearch(aligner)
    for i, (name, chunk) in enumerate(parts):
        held = search.push(name, chunk)
        if held:
            assert held == parts[: i + 1]
            return aligner, search
    return aligner, search


def test_the_search_puts_two_sensors_of_unknown_links_on_one_line():
    aligner, search = searched(arrivals((4.0, 4.413, 4.926)))
    assert abs(search.taps["leg"].lag_ns - 80 * MS) < 9 * MS
    bases = {name: track.time.base for name, track in aligner.tracks.items()}
    assert bases["wrist"].bound_ns == 0
    assert abs(bases["leg"].taken_ns - 80 * MS) < 9 * MS
    assert aligner.bound_ns == search.taps["leg"].within_ns


def test_the_search_finds_the_same_however_late_a_chunk_is_pushed():
    parts = arrivals((4.0, 4.413, 4.926))
    rng = np.random.default_rng(0)
    late = np.array([int(chunk.t_host_ns[-1]) for _, chunk in parts]) + rng.integers(0, SLACK_NS // 2, len(parts))
    for name in SPECS:
        own = [i for i, (whose, _) in enumerate(parts) if whose == name]
        late[own] = np.maximum.accumulate(late[own])
    shuffled = [parts[i] for i in np.lexsort((np.arange(len(parts)), late))]
    assert searched(shuffled)[1].taps == searched(parts)[1].taps


def test_known_least_delays_are_where_the_search_starts():
    aligner = Aligner(SPECS, joint_contract(SPECS), bases={"leg": LeastDelay(80 * MS, 80 * MS, "given")})
    search = TapSearch(aligner)
    for name, chunk in arrivals((4.0, 4.413, 4.926)):
        if search.push(name, chunk):
            break
    assert abs(search.taps["leg"].lag_ns) < 9 * MS
    assert abs(aligner.tracks["leg"].time.base.taken_ns - 80 * MS) < 9 * MS


def test_without_a_tap_the_search_says_what_it_saw():
    _, search = searched(arrivals((), size_g=0.0))
    with pytest.raises(InputError, match=r"wrist and leg .* nothing above 1 g") as error:
        search.give_up()
    assert "--base" in error.value.hint


def test_the_search_gives_up_after_a_minute():
    with pytest.raises(InputError, match="no tap"):
        searched(arrivals((), seconds=GIVE_UP_NS / S + 4))
