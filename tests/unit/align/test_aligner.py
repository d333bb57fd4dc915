"""Two sensors on one grid: values, holes, waiting, and that neither chunking nor interleaving changes a bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.align.aligner import SLACK_NS, WAIT_NS, Aligner
from edgehar.align.delay import LeastDelay
from edgehar.contract import Contract, Sensor
from edgehar.dsp.sensors import REAL_OF
from edgehar.errors import ContractError, UsageError
from edgehar.types import Chunk, Flag, StreamSpec

MS, S = 1_000_000, 1_000_000_000
RATE_HZ = 50.0
CONTRACT = Contract(
    "imu",
    ("wrist.acc_x", "wrist.acc_y", "leg.acc_x"),
    ("g", "g", "g"),
    RATE_HZ,
    sensors=(Sensor("wrist", (0, 1)), Sensor("leg", (2,))),
)
SPECS = {
    "wrist": StreamSpec("imu", ("acc_x", "acc_y"), RATE_HZ, ("g", "g")),
    "leg": StreamSpec("imu", ("acc_x",), RATE_HZ, ("g",)),
}


def stream(
    name, *, seconds=8.0, rate_hz=RATE_HZ, began_s=100.0, base_ms=0.0, jitter_ms=0.0, ppm=0.0, phase_ms=0.0, seed=0
):
    """Samples whose value is the true time in ms since `began_s`; the device's clock is its own."""
    rng = np.random.default_rng([seed, len(name)])
    n = int(seconds * rate_hz)
    true_ns = np.rint(began_s * S + phase_ms * MS + np.arange(n) * (S / rate_hz)).astype(np.int64)
    delay = base_ms * MS + (rng.exponential(jitter_ms * MS, n) if jitter_ms else np.zeros(n))
    host = np.maximum.accumulate(true_ns + np.rint(delay).astype(np.int64))
    dev = np.rint((true_ns - true_ns[0]) * (1 + ppm * 1e-6)).astype(np.int64) + 7 * S
    spec = SPECS[name]
    x = np.repeat(((true_ns - began_s * S) / MS)[:, None], len(spec.channels), axis=1).astype(np.float32)
    return Chunk(spec, dev, host, np.arange(n), x, np.zeros(n, np.uint16))


def part(chunk, a, b):
    s = slice(a, b)
    return Chunk(chunk.spec, chunk.t_dev_ns[s], chunk.t_host_ns[s], chunk.seq[s], chunk.x[s], chunk.flags[s])


def kept(chunk, keep):
    return Chunk(
        chunk.spec, chunk.t_dev_ns[keep], chunk.t_host_ns[keep], chunk.seq[keep], chunk.x[keep], chunk.flags[keep]
    )


def in_order(streams, slot_ns=20 * MS):
    """The streams cut where another's samples arrived between, in order of arrival."""
    parts = []
    for number, (name, chunk) in enumerate(streams.items()):
        slots = chunk.t_host_ns // slot_ns
        edges = [0, *(np.flatnonzero(np.diff(slots)) + 1), len(chunk)]
        parts += [(int(slots[a]), number, name, part(chunk, a, b)) for a, b in pairwise(edges)]
    return [(name, chunk) for _, _, name, chunk in sorted(parts, key=lambda p: p[:2])]


def aligned(parts, **options):
    aligner = Aligner(SPECS, CONTRACT, **options)
    found = [chunk for name, chunk in parts for chunk in aligner.push(name, chunk)] + aligner.flush()
    return joined(found), aligner


def joined(found):
    def all_of(pick):
        return np.concatenate([pick(chunk) for chunk in found])

    return {
        "t": all_of(lambda c: c.t_dev_ns),
        "seq": all_of(lambda c: c.seq),
        "x": all_of(lambda c: c.x),
        "flags": all_of(lambda c: c.flags),
        "real": all_of(lambda c: c.aux[REAL_OF]),
        "waited": all_of(lambda c: c.aux["waited_ns"]),
    }


def same(one, other):
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_two_clean_streams_meet_on_the_grid():
    out, aligner = aligned(in_order({"wrist": stream("wrist", phase_ms=3), "leg": stream("leg", phase_ms=11)}))
    period = round(S / RATE_HZ)
    assert (out["t"] % period == 0).all()
    assert (np.diff(out["seq"]) == 1).all()
    assert (out["flags"] == 0).all()
    both = np.isfinite(out["x"]).all(axis=1)
    assert both.sum() >= 398
    expected_ms = (out["t"] - 100 * S) / MS
    np.testing.assert_allclose(out["x"][both], np.repeat(expected_ms[both][:, None], 3, axis=1), atol=0.01)
    assert set(out["real"][both]) == {0b11}
    assert aligner.spec.channels == CONTRACT.channels
    assert aligner.fits["leg"].ppm == pytest.approx(0, abs=0.1)


def test_a_sample_on_the_grid_passes_bit_for_bit():
    wrist, leg = stream("wrist"), stream("leg")
    out, _ = aligned(in_order({"wrist": wrist, "leg": leg}))
    np.testing.assert_array_equal(out["x"][:, :2], wrist.x)
    np.testing.assert_array_equal(out["x"][:, 2:], leg.x)


def test_known_least_delays_are_taken_off():
    streams = {"wrist": stream("wrist", base_ms=4), "leg": stream("leg", base_ms=40, ppm=50)}
    bases = {"wrist": LeastDelay(4 * MS, 4 * MS, "given"), "leg": LeastDelay(40 * MS, 40 * MS, "given")}
    out, aligner = aligned(in_order(streams), bases=bases)
    off_ms = np.nanmax(np.abs(out["x"] - ((out["t"] - 100 * S) / MS)[:, None]))
    assert off_ms < 0.2  # 50 ppm over the seconds before the drift is fitted
    assert aligner.bound_ns == 0
    apart, _ = aligned(in_order(streams))
    assert np.nanmedian(apart["x"][:, 0] - apart["x"][:, 2]) == pytest.approx(36, abs=1)


def test_known_least_delays_leave_less_than_ten_milliseconds():
    """50 ppm and 30 ms of one-sided jitter at the 99th percentile; benchmarks/align.py measures it on real times."""
    jitter_ms = 30 / np.log(100)
    streams = {
        "wrist": stream("wrist", seconds=60, base_ms=4, jitter_ms=jitter_ms, ppm=50),
        "leg": stream("leg", seconds=60, base_ms=40, jitter_ms=jitter_ms, ppm=-50, phase_ms=9),
    }
    bases = {"wrist": LeastDelay(4 * MS, 4 * MS, "given"), "leg": LeastDelay(40 * MS, 40 * MS, "given")}
    out, _ = aligned(in_order(streams), bases=bases)
    apart_ms = np.abs(out["x"][:, 0] - out["x"][:, 2])
    assert np.nanpercentile(apart_ms, 99) < 10
    assert np.nanmax(apart_ms[500:]) < 3


def test_an_unknown_least_delay_is_a_bound():
    def bound(**bases):
        return Aligner(SPECS, CONTRACT, bases=bases).bound_ns

    assert bound() is None
    assert bound(wrist=LeastDelay(0, 50 * MS, "BLE")) is None
    assert bound(wrist=LeastDelay(0, 50 * MS, "BLE"), leg=LeastDelay(0, 20 * MS, "BLE")) == 35 * MS


def test_rates_need_not_be_equal():
    contract = Contract("imu", CONTRACT.channels, CONTRACT.units, RATE_HZ, rate_tolerance=1.0, sensors=CONTRACT.sensors)
    spec = StreamSpec("imu", ("acc_x",), 80.0, ("g",))
    leg = stream("leg", rate_hz=80.0, phase_ms=4)
    leg = Chunk(spec, leg.t_dev_ns, leg.t_host_ns, leg.seq, leg.x, leg.flags)
    aligner = Aligner({**SPECS, "leg": spec}, contract)
    found = [c for name, chunk in in_order({"wrist": stream("wrist"), "leg": leg}) for c in aligner.push(name, chunk)]
    out = joined(found + aligner.flush())
    both = np.isfinite(out["x"]).all(axis=1)
    np.testing.assert_allclose(out["x"][both, 0], out["x"][both, 2], atol=0.01)
    assert set(out["real"][both]) == {0b11}


def test_a_lost_sample_is_drawn_over_and_not_counted_as_real():
    wrist = stream("wrist", phase_ms=3)
    keep = np.ones(len(wrist), np.bool_)
    keep[200] = False
    out, _ = aligned(in_order({"wrist": kept(wrist, keep), "leg": stream("leg", phase_ms=11)}))
    at = int(np.argmin(np.abs(out["t"] - 100 * S - 4003 * MS)))
    assert np.isfinite(out["x"]).all(axis=1)[at - 2 : at + 3].all()
    assert sorted(out["real"][at - 2 : at + 3].tolist()) == [0b10, 0b11, 0b11, 0b11, 0b11]


def test_a_lost_sensor_is_waited_for_and_then_missing():
    leg = stream("leg")
    leg = kept(leg, (leg.seq < 150) | (leg.seq >= 250))
    out, aligner = aligned(in_order({"wrist": stream("wrist"), "leg": leg}))
    gone = np.isnan(out["x"][:, 2])
    assert gone.sum() == 100
    assert np.isfinite(out["x"][:, :2]).all()
    assert (out["real"][gone] == 0b01).all()
    assert (out["waited"][gone] == WAIT_NS).all()
    assert aligner.waited_ns(50) <= 20 * MS
    assert aligner.waited_ns(99) == WAIT_NS
    assert out["waited"][~gone].max() <= 20 * MS
    assert (out["flags"] == 0).all()


def test_rows_of_a_lost_sensor_come_while_it_is_lost():
    aligner = Aligner(SPECS, CONTRACT)
    wrist, leg = stream("wrist"), part(stream("leg"), 0, 100)
    rows = 0
    for name, chunk in in_order({"wrist": wrist, "leg": leg}):
        rows += sum(map(len, aligner.push(name, chunk)))
    newest_ms = (rows - 1) * 20
    assert 8000 - 20 - newest_ms <= (WAIT_NS + SLACK_NS) / MS + 40


def test_where_nobody_has_anything_there_is_a_marked_gap():
    def keep(chunk):
        return kept(chunk, (chunk.seq < 150) | (chunk.seq >= 250))

    out, _ = aligned(in_order({"wrist": keep(stream("wrist")), "leg": keep(stream("leg"))}))
    jumps = np.flatnonzero(np.diff(out["seq"]) > 1) + 1
    assert len(jumps) == 1
    assert out["flags"][jumps[0]] == Flag.GAP_BEFORE
    assert np.isfinite(out["x"]).all()


def test_a_sample_that_came_too_late_is_missing_even_if_it_was_pushed():
    leg = stream("leg")
    leg.t_host_ns[200:203] = leg.t_host_ns[202] + WAIT_NS + 60 * MS
    leg.t_host_ns[203:] = np.maximum(leg.t_host_ns[203:], leg.t_host_ns[202])
    out, _ = aligned(in_order({"wrist": stream("wrist"), "leg": leg}))
    late = np.isnan(out["x"][:, 2])
    assert late[202]
    assert not late[:200].any()
    assert not late[220:].any()


def test_rows_with_nan_and_rows_behind_their_predecessors_are_counted():
    wrist = stream("wrist")
    wrist.x[100, 1] = np.nan
    wrist.t_dev_ns[300] = wrist.t_dev_ns[298]
    out, aligner = aligned(in_order({"wrist": wrist, "leg": stream("leg")}))
    assert aligner.tracks["wrist"].counts == {"missing": 1, "unordered": 1}
    assert np.isfinite(out["x"]).all()


def test_a_device_that_restarts_goes_on_where_the_others_are():
    leg = stream("leg")
    leg.t_dev_ns[200:] -= leg.t_dev_ns[200] - 5 * MS
    leg.flags[200] = Flag.CLOCK_RESET
    out, aligner = aligned(in_order({"wrist": stream("wrist"), "leg": leg}))
    np.testing.assert_allclose(out["x"][:, 0], out["x"][:, 2], atol=0.01)
    assert aligner.fits["leg"].restarts == 1


def test_the_simulated_mark_of_one_marks_all():
    spec = StreamSpec("imu", ("acc_x",), RATE_HZ, ("g",), simulated=True)
    assert Aligner({**SPECS, "leg": spec}, CONTRACT).spec.simulated
    assert not Aligner(SPECS, CONTRACT).spec.simulated


def test_what_does_not_fit_is_refused_by_name():
    with pytest.raises(UsageError, match="wrist, leg, not wrist"):
        Aligner({"wrist": SPECS["wrist"]}, CONTRACT)
    with pytest.raises(UsageError, match="least delay of 'foot'"):
        Aligner(SPECS, CONTRACT, bases={"foot": LeastDelay()})
    wrong = StreamSpec("imu", ("acc_x",), RATE_HZ, ("mps2",))
    with pytest.raises(ContractError, match=r"units=\(mps2\)"):
        Aligner({**SPECS, "leg": wrong}, CONTRACT)


@st.composite
def pairs(draw):
    """Two streams with jitter, drift, losses, silences and a restart; base and phase at will."""
    streams = {}
    for name in SPECS:
        seed = draw(st.integers(0, 1000))
        chunk = stream(
            name,
            seconds=4,
            base_ms=draw(st.sampled_from([0, 12])),
            jitter_ms=draw(st.sampled_from([0, 6.5, 60])),
            ppm=draw(st.sampled_from([-50, 0, 50])),
            phase_ms=draw(st.sampled_from([0, 7.3])),
            seed=seed,
        )
        keep = np.random.default_rng(seed).random(len(chunk)) > draw(st.sampled_from([0.0, 0.1]))
        silent = draw(st.integers(0, 200))
        keep[silent : silent + draw(st.sampled_from([0, 5, 60]))] = False
        keep[draw(st.integers(0, 199))] = True
        chunk = kept(chunk, keep)
        if draw(st.booleans()):
            at = draw(st.integers(0, len(chunk) - 1))
            chunk.t_dev_ns[at:] -= 3 * S
            chunk.flags[at] = Flag.CLOCK_RESET
        streams[name] = chunk
    return streams


@settings(max_examples=15, deadline=None)
@given(pairs(), st.data())
def test_neither_chunking_nor_interleaving_changes_a_bit(streams, data):
    """Parts are pushed late by up to the slack, in any order that the slack allows, each stream's in its own."""
    whole, _ = aligned(in_order(streams, slot_ns=1))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    parts = in_order(streams, slot_ns=data.draw(st.sampled_from([1, 7 * MS, 45 * MS])))
    late = np.array([int(chunk.t_host_ns[-1]) for _, chunk in parts]) + rng.integers(0, SLACK_NS // 2, len(parts))
    for name in streams:  # what one device sent keeps its order
        own = [i for i, (whose, _) in enumerate(parts) if whose == name]
        late[own] = np.maximum.accumulate(late[own])
    shuffled = [parts[i] for i in np.lexsort((np.arange(len(parts)), late))]
    same(whole, aligned(shuffled)[0])


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 400), st.integers(1, 400))
def test_while_nobody_is_late_any_order_will_do(seed, first, second):
    """One stream far ahead of the other in pushes, as long as no point has been given up."""
    streams = {name: stream(name, seconds=8, jitter_ms=2, seed=seed) for name in SPECS}
    whole, _ = aligned(in_order(streams, slot_ns=1), wait_ns=60 * S)
    wrist, leg = streams.values()
    parts = [
        ("leg", part(leg, 0, first)),
        ("wrist", part(wrist, 0, second)),
        ("wrist", part(wrist, second, 400)),
        ("leg", part(leg, first, 400)),
    ]
    same(whole, aligned(parts, wait_ns=60 * S)[0])
