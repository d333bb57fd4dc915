"""The BlueZ backend of bleak on a mock of BlueZ and a private D-Bus: our tag's profile, and a machine that is ill."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.recording import Recording
from edgehar.sources import open_source
from edgehar.sources.ble import bluez, scan
from edgehar.sources.ble.trouble import RadioError, Trouble
from tests import mock_bluez
from tests.commands import edgehar
from tests.mock_bluez import TAGS

pytestmark = pytest.mark.skipif(bool(mock_bluez.missing()), reason=mock_bluez.missing())

HOLDER = """
import asyncio
from edgehar.sources import open_source
async def hold():
    async with open_source("ble:00:00:00:00:00:02"):
        print("open", flush=True)
        await asyncio.sleep(60)
asyncio.run(hold())
"""


@pytest.fixture(scope="module")
def bus_address(tmp_path_factory):
    with mock_bluez.bus(tmp_path_factory.mktemp("bus")) as address:
        yield address


@pytest.fixture
def on_bus(bus_address, monkeypatch):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address)
    monkeypatch.setattr(scan, "SETTLE_S", 0.2)


@pytest.fixture
def air(on_bus):
    """BlueZ with three adapters in range of each other."""
    with mock_bluez.bluez():
        yield


def read(*uris, samples=100):
    """Open all at once, read so many samples of each; the sources and their chunks."""

    async def one(uri):
        async with open_source(uri) as source:
            chunks, n = [], 0
            async for chunk in source:
                chunks.append(chunk)
                n += len(chunk)
                if n >= samples:
                    return source, chunks
        return source, chunks

    async def all_of_them():
        async with asyncio.timeout(30):
            return await asyncio.gather(*map(one, uris))

    return asyncio.run(all_of_them())


def refusal(uri):
    with pytest.raises(RadioError) as caught:
        read(uri)
    assert caught.value.exit_code == 3
    return caught.value


def test_a_tag_is_found_set_going_and_read_without_a_gap(air):
    with mock_bluez.tag("wrist"):
        ((source, chunks),) = read("ble:auto?rate_hz=50&accel=16&placement=wrist")
    assert source.spec.rate_hz == 50
    assert source.spec.placement == "wrist"
    assert source.spec.simulated
    seq = np.concatenate([chunk.seq for chunk in chunks])
    assert (np.diff(seq) == 1).all()
    assert source.counts["samples"] >= 100
    assert source.link.device.stream.hello.accel_range_g == 16
    assert source.link.mtu == 512


def test_two_tags_at_once_by_name_and_by_address(air):
    with mock_bluez.tag("wrist"), mock_bluez.tag("leg", TAGS[1]):
        (wrist, _), (leg, _) = read("ble:wrist", f"ble:{TAGS[1]}")
    assert (wrist.link.name, leg.link.name) == (f"ble:{TAGS[0]} (wrist)", f"ble:{TAGS[1]} (leg)")


def test_two_tags_of_one_name_are_not_guessed_at(air):
    with (
        mock_bluez.tag("wrist"),
        mock_bluez.tag("wrist", TAGS[1]),
        pytest.raises(UsageError, match="2 devices are called 'wrist'") as caught,
    ):
        read("ble:wrist")
    assert f"--source ble:{TAGS[0]} or --source ble:{TAGS[1]}" in caught.value.hint


def test_a_tag_of_another_wire_version_is_refused(air):
    with mock_bluez.tag("wrist", TAGS[0], "9"), pytest.raises(InputError, match="speaks version 9") as caught:
        read("ble:auto")
    assert caught.value.reason is Reason.VERSION


def test_a_connection_that_a_killed_program_left_behind_is_taken_over(air):
    with mock_bluez.tag("wrist"):
        with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
            assert "open" in holder.stdout.readline()
            holder.send_signal(signal.SIGKILL)
        ((source, _),) = read("ble:auto")  # it does not advertise: it is still connected
    assert source.link.candidate.address == TAGS[0]


def test_a_device_can_be_forgotten_unless_there_is_none(air):
    with mock_bluez.tag("wrist"):
        read("ble:auto")
        assert asyncio.run(bluez.forget(TAGS[0].lower()))
        assert not asyncio.run(bluez.forget(TAGS[0]))


def test_an_adapter_is_restarted_unless_something_is_connected_through_it(air):
    async def act():
        async with open_source(f"ble:{TAGS[0]}"):
            meanwhile = await bluez.cycle_power("hci0")
        return meanwhile, await bluez.cycle_power("hci0"), await bluez.adapters()

    with mock_bluez.tag("wrist"):
        meanwhile, after, adapters = asyncio.run(act())
    assert (meanwhile, after) == (False, True)
    assert adapters[0].powered


def test_of_several_adapters_the_first_that_is_on_is_used(air):
    from edgehar.sources.ble.radio import Radio

    assert asyncio.run(bluez.settled(Radio())) == Radio("hci0")
    assert asyncio.run(bluez.settled(Radio("hci2"))) == Radio("hci2")


def test_out_of_range(air):
    with pytest.raises(MissingError, match="'wrist' was not heard within 1 s"):
        read("ble:wrist?patience_s=1")


def test_record_and_its_exit_codes(air, tmp_path):
    with mock_bluez.tag("wrist"):
        done = edgehar(
            "record", "--source", f"wrist=ble:{TAGS[0]}", "--out", tmp_path / "a.mcap", "--duration", "1", "--json"
        )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)["streams"]["wrist"]
    assert summary["simulated"]
    assert Recording.open(tmp_path / "a.mcap").read("wrist").spec.simulated
    absent = edgehar("record", "--source", "ble:nobody?patience_s=1", "--out", tmp_path / "b.mcap")
    assert absent.returncode == 3
    assert "'nobody' was not heard" in absent.stderr
    assert "next: " in absent.stderr


def test_an_adapter_that_is_off(on_bus):
    with mock_bluez.bluez(powered=False):
        error = refusal("ble:auto")
        assert not any(adapter.powered for adapter in asyncio.run(bluez.adapters()))
    assert error.trouble is Trouble.POWERED_OFF
    assert "bluetoothctl power on" in error.hint


def test_no_adapter(on_bus):
    with mock_bluez.bluez(adapters=()):
        assert refusal("ble:auto").trouble is Trouble.NO_ADAPTER


def test_no_bluetoothd(on_bus):
    error = refusal("ble:auto")
    assert error.trouble is Trouble.NO_SERVICE
    assert "systemctl" in error.hint


def test_no_bus(on_bus, monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert refusal("ble:auto").trouble is Trouble.NO_BUS


def test_no_permission(tmp_path, monkeypatch):
    with mock_bluez.bus(tmp_path, mock_bluez.DENIED) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with mock_bluez.bluez():
            error = refusal("ble:auto")
    assert error.trouble is Trouble.DENIED
    assert "usermod -aG bluetooth" in error.hint
