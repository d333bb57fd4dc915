"""The whole source against virtual tags on a simulated air: found, set, read without a gap, lost, found again."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

pytest.importorskip("bleak", reason="pip install 'edgehar[ble]'")
pytest.importorskip("bumble", reason="pip install 'edgehar[virtual]'")

from edgehar.errors import InputError
from edgehar.sources.ble import scan
from edgehar.sources.ble.choose import AUTO, Wanted
from edgehar.sources.ble.kinds import kinds
from edgehar.sources.ble.link import Persistence
from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.imu_ble import BleSource
from edgehar.types import Flag
from edgehar.wire.frames import Loss
from tests.ble_bumble import bumble_radio
from tests.bumble_host import air


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(scan, "SETTLE_S", 0.2)


def source(central, text=AUTO, mtu=247, **choice):
    return BleSource(Wanted(text, kinds()), Choice(**choice), Persistence(patience_s=10), bumble_radio(central, mtu))


async def read(source, until):
    chunks = []
    async for chunk in source:
        chunks.append(chunk)
        if until(chunks):
            return chunks
    return chunks


def samples(chunks):
    return sum(map(len, chunks))


def run(coroutine):
    async def limited():
        async with asyncio.timeout(60):
            return await coroutine

    return asyncio.run(limited())


def test_every_sample_of_a_tag_arrives_as_it_was_set():
    async def act():
        async with air() as (central, tag), source(central, rate_hz=50, accel_range_g=16) as found:
            return found, await read(found, lambda chunks: samples(chunks) > 500), tag.tag.settings

    found, chunks, settings = run(act())
    seq = np.concatenate([chunk.seq for chunk in chunks])
    assert (np.diff(seq) == 1).all()
    assert found.spec.rate_hz == 50
    assert found.spec.simulated
    assert found.link.device.stream.hello.accel_range_g == 16
    assert found.link.candidate.sighting.advertised.name == settings.name
    assert {key for key, n in found.counts.items() if n} == {"samples"}


def test_two_tags_at_once_on_one_adapter():
    async def act():
        async with air(names=("wrist", "leg"), speed=5.0) as (central, *_tags):
            one = bumble_radio(central)
            sources = [BleSource(Wanted(name, kinds()), Choice(), Persistence(), one) for name in ("wrist", "leg")]
            async with sources[0] as wrist, sources[1] as leg:
                enough = lambda chunks: samples(chunks) > 300  # noqa: E731
                return wrist, leg, *await asyncio.gather(read(wrist, enough), read(leg, enough))

    wrist, leg, *read_of = run(act())
    assert [one.link.candidate.sighting.advertised.name for one in (wrist, leg)] == ["wrist", "leg"]
    for chunks in read_of:
        assert (np.diff(np.concatenate([chunk.seq for chunk in chunks])) == 1).all()


def test_a_dropped_link_comes_back_and_every_missing_sample_is_accounted_for():
    async def act():
        async with (
            air("drop_every_s=10", "drop_s=2", queue_samples=64, speed=5.0) as (central, tag),
            source(central) as found,
        ):
            chunks = await read(found, lambda chunks: found.counts["reconnects"] >= 1 and samples(chunks) > 1100)
            return found.counts, chunks, tag.tag.truth

    counts, chunks, truth = run(act())
    seq = np.concatenate([chunk.seq for chunk in chunks])
    flags = np.concatenate([chunk.flags for chunk in chunks])
    jumps = np.diff(seq) > 1
    assert counts["reconnects"] >= 1
    assert jumps.any()
    assert (flags[1:][jumps] & Flag.GAP_BEFORE).all()
    assert truth[Loss.QUEUE] > 0


def test_firmware_of_another_version_is_refused_over_the_air():
    async def act():
        async with air("wire_version=9") as (central, _tag), source(central):
            pass

    with pytest.raises(InputError, match="speaks version 9"):
        run(act())


def test_an_mtu_of_the_oldest_radios_is_refused_with_its_figure():
    async def act():
        async with air() as (central, _tag), source(central, mtu=23):
            pass

    with pytest.raises(InputError, match=r"\(MTU 23\), edgehar-tag needs 33 \(MTU 36\)"):
        run(act())
