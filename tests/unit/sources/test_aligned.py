"""Several sources as one: merged as recorded, live as they come, a lost one, one that fails, clocks that differ."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from edgehar.align.delay import LeastDelay
from edgehar.align.joint import joint_contract
from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.sources import arrivals, open_source
from edgehar.sources.aligned import AlignedSource
from edgehar.sources.arrivals import by_arrival, live
from edgehar.testing.source import check_source
from edgehar.types import Chunk, StreamSpec

MS, S = 1_000_000, 1_000_000_000
SPEC = StreamSpec("imu", ("acc_x",), 50.0, ("g",))


def virtual(speed=0.0, **keys):
    def uri(seed):
        return f"virtual:imu?duration_s=8&speed=0&seed={seed}" + "".join(f"&{k}={v}" for k, v in keys.items())

    sources = {"wrist": open_source(uri(1)), "leg": open_source(uri(2))}
    return AlignedSource(sources, joint_contract({name: s.spec for name, s in sources.items()}), speed=speed)


class Scripted:
    """Gives chunks of five samples; `wait(i)` is awaited before the i-th."""

    def __init__(self, n=20, *, began_s=100.0, wait=None, error=None, least_delay=None):
        self.spec, self.least_delay = SPEC, least_delay
        self.counts = {"lost_link": 2}
        self._n, self._began_ns, self._wait, self._error = n, int(began_s * S), wait, error
        self.closed = False

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.closed = True

    def label_at(self, t_dev_ns):
        return "walking" if t_dev_ns < 2 * S else ""

    async def __aiter__(self):
        for i in range(self._n):
            if self._wait is not None:
                await self._wait(i)
            t = (5 * i + np.arange(5)) * 20 * MS
            host = np.full(5, self._began_ns + t[-1])
            yield Chunk(SPEC, t, host, 5 * i + np.arange(5), np.ones((5, 1), np.float32), np.zeros(5, np.uint16))
        if self._error is not None:
            raise self._error


async def tick(_):
    await asyncio.sleep(0.001)


def rows(source):
    async def read():
        async with source:
            return [chunk async for chunk in source]

    return asyncio.run(read())


def together(**sources):
    specs = {name: source.spec for name, source in sources.items()}
    return sources, joint_contract(specs)


def test_is_a_source_like_any_other():
    chunks = check_source(virtual)
    assert chunks[0].spec.simulated
    assert chunks[0].spec.channels[0] == "wrist.acc_x"
    assert np.isfinite(np.concatenate([chunk.x for chunk in chunks])).mean() > 0.98


def test_radio_and_wrist_share_a_line():
    sources = {
        "room": open_source("virtual:csi?duration_s=4&speed=0"),
        "watch": open_source("virtual:imu?duration_s=4&speed=0"),
    }
    contract = joint_contract({name: source.spec for name, source in sources.items()}, 50.0)
    chunks = rows(AlignedSource(sources, contract, speed=0))
    assert chunks[0].spec.kind == "csi+imu"
    assert chunks[0].spec.simulated
    x = np.concatenate([chunk.x for chunk in chunks])
    assert np.isfinite(x).all(axis=1).sum() > 180


def test_what_is_read_as_fast_as_it_goes_is_the_same_every_time():
    first, second = (np.concatenate([c.x for c in rows(virtual(jitter_ms=6.5, loss=0.05))]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_pace_changes_nothing():
    fast, paced = (np.concatenate([c.x for c in rows(virtual(speed, jitter_ms=6.5))]) for speed in (0, 40))
    np.testing.assert_array_equal(fast, paced)


def test_sources_that_come_live_meet_too():
    sources, contract = together(wrist=Scripted(wait=tick), leg=Scripted(wait=tick))
    source = AlignedSource(sources, contract)
    x = np.concatenate([chunk.x for chunk in rows(source)])
    assert np.isfinite(x).all()
    assert len(x) == 96  # before a packet's last sample came, nothing tells how late its first was
    assert all(one.closed for one in sources.values())
    assert source.counts["wrist lost_link"] == source.counts["leg lost_link"] == 2
    assert source.counts["leg unordered"] == 4


def test_a_source_that_falls_silent_does_not_hold_the_other_up():
    silent = asyncio.Event()

    async def then_silent(i):
        await tick(i)
        if i == 4:
            await silent.wait()

    sources, contract = together(wrist=Scripted(40, wait=tick), leg=Scripted(40, wait=then_silent))

    async def read():
        seen = []
        async with AlignedSource(sources, contract) as source:
            async for chunk in source:
                seen.append(chunk)
                if int(chunk.seq[-1]) >= 100 * 50 + 120:
                    silent.set()
        return np.concatenate([chunk.x for chunk in seen])

    x = asyncio.run(read())
    assert len(x) == 196
    assert np.isfinite(x[:, 0]).all()
    assert np.isfinite(x[:16, 1]).all()
    assert np.isnan(x[25:100, 1]).all()


def test_a_source_that_never_begins_is_waited_for_once(monkeypatch):
    monkeypatch.setattr(arrivals, "PATIENCE_S", 0.05)
    never = asyncio.Event()

    async def forever(_):
        await never.wait()

    sources, _ = together(wrist=Scripted(6), leg=Scripted(wait=forever))

    async def read():
        return [name async for name, _ in _until(live(sources), 6)]

    assert asyncio.run(read()) == ["wrist"] * 6


async def _until(arriving, count):
    async for i, one in _numbered(arriving):
        yield one
        if i == count - 1:
            break
    await arriving.aclose()


async def _numbered(arriving):
    i = 0
    async for one in arriving:
        yield i, one
        i += 1


@pytest.mark.parametrize("speed", [None, 0])
def test_an_error_of_one_ends_all_and_closes_all(speed):
    error = MissingError("the leg is gone", reason=Reason.NOT_FOUND)
    sources, contract = together(wrist=Scripted(), leg=Scripted(5, error=error))
    with pytest.raises(MissingError, match="the leg is gone"):
        rows(AlignedSource(sources, contract, speed=speed))
    assert all(one.closed for one in sources.values())


@pytest.mark.parametrize("speed", [None, 0])
def test_streams_of_two_days_are_refused(speed):
    sources, contract = together(wrist=Scripted(), leg=Scripted(began_s=4000))
    with pytest.raises(InputError, match="'leg' begins 3900 s after 'wrist'"):
        rows(AlignedSource(sources, contract, speed=speed))


def test_a_sensor_that_took_minutes_to_be_found_is_no_other_day():
    sources, _ = together(wrist=Scripted(3, wait=tick), leg=Scripted(3, wait=tick, began_s=190))

    async def names():
        return [name async for name, _ in live(sources, time.monotonic() - 60)]

    assert sorted(asyncio.run(names())) == ["leg"] * 3 + ["wrist"] * 3


def test_a_source_may_know_its_least_delay_and_the_user_knows_better():
    told = LeastDelay(3 * MS, 3 * MS, "10 bytes at 9600 baud")
    sources, contract = together(wrist=Scripted(least_delay=told), leg=Scripted(least_delay=told))
    given = LeastDelay(9 * MS, 9 * MS, "given")
    source = AlignedSource(sources, contract, bases={"leg": given}, speed=0)
    rows(source)
    assert {name: track.time.base for name, track in source.aligner.tracks.items()} == {"wrist": told, "leg": given}


def test_labels_are_looked_up_at_the_devices_own_time():
    sources, contract = together(wrist=Scripted(30), leg=Scripted(30))
    source = AlignedSource(sources, contract, speed=0)
    rows(source)
    assert source.label_at(101 * S) == "walking"
    assert source.label_at(104 * S) == ""


def test_every_raw_chunk_is_shown_before_it_is_aligned():
    seen = []
    sources, contract = together(wrist=Scripted(), leg=Scripted())
    rows(AlignedSource(sources, contract, speed=0, on_chunk=lambda name, chunk: seen.append((name, len(chunk)))))
    assert sorted({name for name, _ in seen}) == ["leg", "wrist"]
    assert sum(n for _, n in seen) == 200


def test_what_is_known_of_the_clocks_needs_an_open_source():
    sources, contract = together(wrist=Scripted(), leg=Scripted())
    with pytest.raises(UsageError, match="not open"):
        _ = AlignedSource(sources, contract).spec


def test_chunks_are_cut_by_arrival():
    t = np.arange(10) * 20 * MS
    chunk = Chunk(SPEC, t, t + 7 * MS, np.arange(10), np.zeros((10, 1), np.float32), np.zeros(10, np.uint16))
    parts = list(by_arrival(chunk, 50 * MS))
    assert [len(part) for part in parts] == [3, 2, 3, 2]
    np.testing.assert_array_equal(np.concatenate([part.seq for part in parts]), chunk.seq)
