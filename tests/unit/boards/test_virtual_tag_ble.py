"""The GATT profile on the air: a bumble central against the virtual tag, and edgehar's own device module between."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bumble", reason="needs pip install 'edgehar[virtual]'")

from bumble.controller import Controller
from bumble.gatt import Characteristic
from bumble.transport import open_transport

from edgehar.boards.virtual_air import Air, address_of, local_device
from edgehar.boards.virtual_tag import LOST_IN_RESTART, TagSettings, VirtualTag
from edgehar.boards.virtual_tag_ble import MOST_PENDING, on_air
from edgehar.boards.virtual_tag_motion import open_motion
from edgehar.errors import InputError, MissingError, UsageError
from edgehar.sources.ble_devices.base import Advertised, Choice
from edgehar.sources.ble_devices.edgehar_tag import known, make
from edgehar.sources.imu_stream import scaled
from edgehar.types import Flag
from edgehar.wire.frames import Cause, Loss
from edgehar.wire.gatt import (
    BATTERY_LEVEL_UUID,
    CONFIG_UUID,
    CONTROL_UUID,
    DATA_UUID,
    SERVICE_UUID,
    STATUS_UUID,
    gatt,
    samples_per_notification,
)
from edgehar.wire.imu_codec import ImuDecoder
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ReplyStatus
from tests.bumble_host import air, connected, str_uuid, until


def decoded(values):
    decoder = ImuDecoder()
    return [decoder.push_packet(value) for _, value in values]


def joined(chunks, field):
    return np.concatenate([getattr(chunk, field) for chunk in chunks])


def test_the_profile_is_what_is_found_and_read():
    async def act():
        async with air() as (central, tag):
            host = await connected(central)
            services = {str_uuid(service.uuid) for service in host.peer.services}
            properties = {name: host.found[entry.uuid].properties for name, entry in gatt().characteristics.items()}
            values = [await host.read(uuid) for uuid in (CONFIG_UUID, STATUS_UUID, BATTERY_LEVEL_UUID)]
            return services, properties, values, tag.tag.settings

    services, properties, (config, status, battery), settings = asyncio.run(act())
    assert {SERVICE_UUID, gatt().battery_service} <= services
    for name, entry in gatt().characteristics.items():
        wanted = {Characteristic.Properties[word.upper()] for word in entry.properties}
        assert set(Characteristic.Properties(properties[name])) == wanted
    hello, beat = decoded([(None, config), (None, status)])
    assert isinstance(hello, ImuHello)
    assert isinstance(beat, ImuHeartbeat)
    assert (hello.name, hello.rate_hz, hello.battery_percent) == ("tag", 100, settings.battery_percent)
    assert BoardFlag.SIMULATED in hello.flags & beat.flags
    assert battery == bytes([settings.battery_percent])


def test_the_advertisement_names_service_and_tag():
    async def act():
        seen = []
        async with air(names=("a tag of some name",)) as (central, _tag):
            central.on("advertisement", seen.append)
            await central.start_scanning(active=True)
            await until(lambda: any(one.data.get(one.data.COMPLETE_LOCAL_NAME) for one in seen))
        return [one for one in seen if one.data.get(one.data.COMPLETE_LOCAL_NAME)][-1]

    seen = asyncio.run(act())
    services = seen.data.get(seen.data.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS)
    assert seen.address == address_of("a tag of some name")
    assert seen.data.get(seen.data.COMPLETE_LOCAL_NAME) == "a tag of some name"
    assert known(Advertised("", services=frozenset(str_uuid(uuid) for uuid in services)))


@pytest.mark.parametrize(("mtu", "most"), [(247, 5), (60, 3), (36, 1)])
def test_a_notification_holds_what_the_mtu_takes_and_what_has_come(mtu, most):
    assert min(samples_per_notification(mtu, 6), 5) == most

    async def act():
        async with air() as (central, _tag):
            host = await connected(central, mtu=mtu)
            await host.subscribe(DATA_UUID)
            await host.subscribe(CONFIG_UUID)
            await until(lambda: len(host.notified) > 30)
            return host.notified

    values = asyncio.run(act())
    messages = decoded([(uuid, value) for uuid, value in values if uuid == DATA_UUID])
    lengths = np.array([len(message.x) for message in messages])
    assert most in lengths
    assert lengths.max() <= samples_per_notification(mtu, 6)  # more than usual where the tag had to wait
    assert all(len(value) <= mtu - 3 for _, value in values)
    assert [message.seq for message in messages] == [0, *np.cumsum(lengths)[:-1].tolist()]
    # A hello that does not fit is not cut short: it can be read.
    assert {type(message) for message in decoded(values)} <= {type(messages[0]), ImuHello}


def test_an_mtu_too_small_for_one_sample_gets_none_and_the_queue_tells():
    async def act():
        async with air(queue_samples=64) as (central, tag):
            host = await connected(central, mtu=0)
            assert tag.mtu == 23
            await host.subscribe(DATA_UUID)
            await until(lambda: tag.tag.truth[Loss.QUEUE] > 100)
            return host.notified, await host.read(STATUS_UUID)

    values, status = asyncio.run(act())
    assert not values
    (beat,) = decoded([(None, status)])
    assert beat.dropped_queue > 100


def test_commands_are_answered_on_the_control_point():
    async def act():
        async with air() as (central, _tag):
            host = await connected(central)
            await host.subscribe(CONTROL_UUID)
            await host.subscribe(CONFIG_UUID)
            for line in (b"#1 rate 50", b"#2 accel 16\n", b"#3 accel 3", b"#4 sing", b"#5 " + b"x" * 70):
                await host.write(CONTROL_UUID, line)
            await until(lambda: sum(uuid == CONTROL_UUID for uuid, _ in host.notified) == 5)
            return host.notified, await host.read(CONFIG_UUID)

    values, config = asyncio.run(act())
    replies = decoded([(uuid, value) for uuid, value in values if uuid == CONTROL_UUID])
    assert [(reply.id, reply.status) for reply in replies] == [
        (1, ReplyStatus.DONE),
        (2, ReplyStatus.DONE),
        (3, ReplyStatus.BAD_ARGUMENT),
        (4, ReplyStatus.UNKNOWN_COMMAND),
        (5, ReplyStatus.TOO_LONG),
    ]
    (hello,) = decoded([(None, config)])
    assert (hello.rate_hz, hello.accel_range_g) == (50, 16)


def test_the_device_module_gets_every_sample_as_it_was_measured():
    measured, chunks = [], []
    device = make(Choice(rate_hz=50, accel_range_g=4))

    async def act():
        async with air(on_samples=measured.append) as (central, _tag):
            host = await connected(central)
            await host.drive(device, chunks)
            await until(lambda: device.counts["samples"] >= 300)

    asyncio.run(act())
    n = device.counts["samples"]
    assert device.spec.simulated
    assert (device.spec.rate_hz, device.spec.units) == (50.0, ("g",) * 3 + ("radps",) * 3)
    assert np.array_equal(joined(chunks, "seq"), np.arange(n))
    assert np.array_equal(joined(chunks, "t_dev_ns"), [1000 * samples.t_us for samples in measured[:n]])
    assert np.array_equal(joined(chunks, "x"), np.concatenate([scaled(samples) for samples in measured[:n]]))
    assert {samples.accel_range_g for samples in measured} == {4}
    assert not joined(chunks, "flags").any()


def test_every_gap_is_attributed():
    faults = ("loss=0.1", "jitter_ms=8", "overrun_every_s=3", "overrun=11", "stall_every_s=9", "stall_s=4")
    chunks = []
    device = make(Choice())

    async def act():
        async with air(*faults, queue_samples=200, speed=20.0) as (central, peripheral):
            host = await connected(central)
            await host.drive(device, chunks)
            await until(lambda: peripheral.tag.now_us > 40_000_000)
            return peripheral.tag

    tag = asyncio.run(act())
    losses, truth = device.stream.losses, tag.truth
    missing = int(joined(chunks, "seq")[-1]) + 1 - device.counts["samples"]
    assert set(losses) == {Loss.LINK, Loss.QUEUE, Loss.SENSOR}
    # What came after the last heartbeat is not settled; before it, causes and gaps agree to the sample.
    assert sum(losses.values()) + device.stream.pending >= missing > 300
    for loss in (Loss.LINK, Loss.QUEUE, Loss.SENSOR):
        assert 0 <= truth[loss] - losses[loss] <= 250
    seq, flags = joined(chunks, "seq"), joined(chunks, "flags")
    gaps = np.flatnonzero(np.diff(seq, prepend=seq[0] - 1) > 1)  # in front of the first nothing is marked
    assert np.array_equal(np.flatnonzero(flags & Flag.GAP_BEFORE), gaps)


async def start_and_hear(central, device, chunks, more):
    """Connect, set it going, and wait for `more` samples."""
    host = await connected(central)
    await host.drive(device, chunks)
    before = device.counts["samples"]
    await until(lambda: device.counts["samples"] > before + more)
    return host


@pytest.mark.parametrize(("queue_samples", "keeps_all"), [(8192, True), (64, False)])
def test_a_dropped_link_comes_back_and_the_queue_bridges_what_it_can(queue_samples, keeps_all):
    chunks = []
    device = make(Choice())

    async def act():
        async with air(queue_samples=queue_samples) as (central, peripheral):
            for _ in range(2):
                host = await start_and_hear(central, device, chunks, 50)
                peripheral.drop(2.0)
                await asyncio.wait_for(host.gone.wait(), 60)
                device.interrupt()
            await start_and_hear(central, device, chunks, 300)
            return peripheral

    peripheral = asyncio.run(act())
    assert peripheral.connections == 3
    seq = joined(chunks, "seq")
    assert (np.diff(seq) > 0).all()
    lost = int(seq[-1]) + 1 - len(seq)
    losses, truth = device.stream.losses, peripheral.tag.truth
    assert (truth[Loss.QUEUE] == 0) is keeps_all
    assert lost == losses[Loss.QUEUE] + losses[Loss.LINK] + device.stream.pending
    in_controller = (
        2 * MOST_PENDING * samples_per_notification(247, 6)
    )  # went with the link, twice; the tag cannot know
    assert lost <= truth[Loss.QUEUE] + truth[Loss.LINK] + in_controller
    assert device.stream.restarts == 0


def test_a_restart_ends_the_connection_and_is_noticed():
    chunks = []
    device = make(Choice())

    async def act():
        async with air() as (central, peripheral):
            host = await start_and_hear(central, device, chunks, 50)
            peripheral.tag.reboot()
            await asyncio.wait_for(host.gone.wait(), 60)
            device.interrupt()
            await start_and_hear(central, device, chunks, 50)
            return peripheral

    peripheral = asyncio.run(act())
    assert peripheral.tag.boot == 2
    assert device.stream.restarts == 1
    assert peripheral.tag.truth[LOST_IN_RESTART] <= 64
    assert np.flatnonzero(joined(chunks, "flags") & Flag.CLOCK_RESET).size == 1


@pytest.mark.parametrize("fault", ["drop_every_s=2", "reboot_every_s=2"])
def test_a_link_ends_by_itself_where_that_is_asked_for(fault):
    async def act():
        async with air(fault) as (central, peripheral):
            connection = await central.connect(address_of("tag"), timeout=60)
            gone = asyncio.Event()
            connection.on("disconnection", lambda _reason: gone.set())
            await asyncio.wait_for(gone.wait(), 60)
            await until(lambda: not peripheral.connected)

    asyncio.run(act())


def test_a_wrong_version_is_refused_by_name():
    async def act():
        async with air("wire_version=9") as (central, _tag):
            host = await connected(central)
            await host.drive(make(Choice()), [])

    with pytest.raises(InputError, match="speaks version 9 of the wire protocol"):
        asyncio.run(act())


def test_two_tags_on_one_air():
    chunks = {"left": [], "right": []}
    devices = {name: make(Choice()) for name in chunks}

    async def act():
        async with air(names=tuple(chunks)) as (central, *_tags):
            for name, device in devices.items():
                await (await connected(central, name)).drive(device, chunks[name])
            await until(lambda: all(device.counts["samples"] > 200 for device in devices.values()))

    asyncio.run(act())
    for name, device in devices.items():
        assert device.spec.session_id == name
        assert np.array_equal(np.diff(joined(chunks[name], "seq")), np.ones(device.counts["samples"] - 1))
    assert not np.array_equal(joined(chunks["left"], "x")[:100], joined(chunks["right"], "x")[:100])


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_controller_elsewhere_is_taken_over_its_transport():
    port = free_port()

    async def act():
        link = Air()
        tag = VirtualTag(TagSettings("far", waits=True), open_motion())
        async with await open_transport(f"tcp-server:127.0.0.1:{port}") as radio:
            controller = Controller("radio", host_source=radio.source, host_sink=radio.sink, link=link)
            async with on_air([tag], f"tcp-client:127.0.0.1:{port}", speed=20.0) as (peripheral,):
                central = local_device(link, "central")
                await central.power_on()
                host = await connected(central, "far")
                await host.subscribe(DATA_UUID)
                await until(lambda: len(host.notified) > 20)
                del controller
                return peripheral.truth()

    truth = asyncio.run(act())
    assert truth["connections"] == 1
    assert truth["address"] == address_of("far").to_string(with_type_qualifier=False)
    assert truth["sent"] > 20


@pytest.mark.parametrize(
    ("transport", "tags", "error", "says"),
    [
        ("nonsense", 1, UsageError, "transport nonsense"),
        ("usb:0", 2, UsageError, "2 tags on usb:0"),
        pytest.param(f"tcp-client:127.0.0.1:{free_port()}", 1, MissingError, "transport tcp-client", id="nobody"),
        pytest.param(
            "vhci", 1, MissingError, "transport vhci",
            marks=pytest.mark.skipif(Path("/dev/vhci").exists(), reason="this machine has virtual adapters"),
        ),
    ],
)  # fmt: skip
def test_a_transport_that_is_none_is_refused(transport, tags, error, says):
    async def act():
        async with on_air([VirtualTag(TagSettings(f"tag{i}"), open_motion()) for i in range(tags)], transport):
            pass

    with pytest.raises(error, match=says) as caught:
        asyncio.run(act())
    assert caught.value.hint


def test_nothing_unexpected_was_decoded():
    decoder = ImuDecoder()
    assert decoder.push_packet(b"") is Cause.LENGTH
