"""A sensor over Bluetooth on a scripted backend of bleak: chosen, connected, lost, found again, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("bleak", reason="pip install 'edgehar[ble]'")

from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.sources.ble import link, recovery, scan
from edgehar.sources.ble.choose import AUTO, Wanted
from edgehar.sources.ble.inbox import Inbox
from edgehar.sources.ble.link import Persistence
from edgehar.sources.ble.radio import Radio
from edgehar.sources.ble.trouble import RadioError, Trouble
from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.imu_ble import BleSource
from edgehar.testing import check_source
from edgehar.types import Flag
from tests.ble_scripted import CONFIG, DATA, KINDS, Air, Peripheral, dbus_error

A, B = "AA:BB:CC:DD:EE:01", "AA:BB:CC:DD:EE:02"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Waits that protect real radios."""
    monkeypatch.setattr(scan, "SETTLE_S", 0.1)
    monkeypatch.setattr(scan, "WAIT_S", 0.02)
    monkeypatch.setattr(recovery, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(link, "MTU_S", 0.05)


def source(air, text=AUTO, kind=None, **persistence):
    persistence = {"patience_s": 5.0, **persistence}
    return BleSource(Wanted(text, KINDS, kind), Choice(session_id="s"), Persistence(**persistence), air.radio)


async def take(source, n):
    """Chunks until `n` samples came."""
    found = []
    async for chunk in source:
        found.append(chunk)
        if len(found) == n:
            return found
    return found


async def until(holds):
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  (many things at once)
            await asyncio.sleep(0.005)


def run(coroutine):
    async def limited():
        async with asyncio.timeout(20):
            return await coroutine

    return asyncio.run(limited())


def opened(air, *arguments, **keys):
    async def act():
        async with source(air, *arguments, **keys) as found:
            return found

    return run(act())


@pytest.mark.parametrize("text", [AUTO, "toy", A, A.lower()])
def test_samples_come_however_the_device_is_named(text):
    one = Peripheral(A)

    async def act():
        async with source(Air(one), text) as found:
            one.notify(5)
            chunks = await take(found, 5)
        return found, chunks

    found, chunks = run(act())
    assert [chunk.seq[0] for chunk in chunks] == [0, 1, 2, 3, 4]
    assert found.spec.session_id == "s"
    assert found.counts == {"samples": 5}
    assert one.written == [b"start"]
    assert one.client is None  # hung up


def test_two_devices_of_one_name_are_told_apart_by_what_to_type():
    with pytest.raises(UsageError) as caught:
        opened(Air(Peripheral(A, rssi=-40), Peripheral(B, rssi=-70)), "toy")
    assert f"2 devices are called 'toy': {A} (toy, toy, -40 dBm), {B} (toy, toy, -70 dBm)" in str(caught.value)
    assert f"--source ble:{A} or --source ble:{B}" in caught.value.hint
    assert caught.value.exit_code == 2


def test_auto_takes_no_device_of_unknown_kind_and_not_one_of_two():
    headphones = Peripheral(B, "headphones", services=())
    assert opened(Air(Peripheral(A), headphones)).link.candidate.address == A
    with pytest.raises(UsageError, match="2 devices of a known kind"):
        opened(Air(Peripheral(A), Peripheral(B, "other")))


def test_a_device_of_unknown_kind_is_taken_as_what_somebody_says_it_is():
    silent = Peripheral(A, services=())
    with pytest.raises(UsageError, match="no kind that edgehar knows") as caught:
        opened(Air(silent), A)
    assert "?device=toy" in caught.value.hint
    assert opened(Air(silent), A, KINDS["toy"]).spec.kind == "imu"


def test_out_of_range_the_error_lists_what_is_in_range():
    with pytest.raises(MissingError) as caught:
        opened(Air(Peripheral(A, "other")), "toy", patience_s=0.2)
    assert "'toy' was not heard within 0.2 s; in range: " + A in str(caught.value)
    with pytest.raises(MissingError, match="no Bluetooth LE device at all"):
        opened(Air(), patience_s=0.2)
    assert caught.value.exit_code == 3


def test_several_sources_share_one_scan_that_rests_while_one_connects():
    one, two = Peripheral(A, "left"), Peripheral(B, "right", on_air=False)
    air = Air(one, two)

    async def act():
        left, right = source(air, "left"), source(air, "right")
        async with contextlib.AsyncExitStack() as stack:
            coming = asyncio.create_task(stack.enter_async_context(right))
            await stack.enter_async_context(left)
            two.on_air = True
            await coming
            return air.most_scanning

    assert run(act()) == 1
    assert air.scanned_while_connecting == 0
    assert air.scanning == 0


def test_what_one_source_heard_the_next_need_not_hear_again():
    one, two = Peripheral(A, "left"), Peripheral(B, "right")
    air = Air(one, two)

    async def act():
        async with source(air, "left"):
            two.on_air = False  # between two advertisements
            opening = asyncio.create_task(source(air, B).__aenter__())
            await until(lambda: two.connections)
            two.on_air = True
            await (await opening).__aexit__(None, None, None)

    run(act())


def test_a_device_that_another_source_uses_is_not_taken_twice():
    one, two = Peripheral(A), Peripheral(B, on_air=False)
    air = Air(one, two)

    async def act():
        async with source(air) as first:
            one.client, client = None, one.client  # some devices advertise on while connected
            two.on_air = True
            async with source(air) as second:
                one.client = client
                return first.link.candidate.address, second.link.candidate.address

    assert run(act()) == (A, B)


def test_one_sensor_is_not_two_sources():
    air = Air(Peripheral(A))

    async def act():
        async with source(air, A), source(air, A):
            pass

    with pytest.raises(UsageError, match="is used by another source"):
        run(act())


def test_lost_and_back_the_stream_goes_on_behind_a_marked_gap():
    one = Peripheral(A)

    async def act():
        async with source(Air(one)) as found:
            one.notify(3)
            before = await take(found, 3)
            one.on_air = False
            one.drop()
            one.seq += 7
            await asyncio.sleep(0.1)
            one.on_air = True
            await until(lambda: one.client is not None and DATA in one.client.callbacks)
            one.notify(2)
            return found, before + await take(found, 2)

    found, chunks = run(act())
    assert [chunk.seq[0] for chunk in chunks] == [0, 1, 2, 10, 11]
    assert [bool(chunk.flags[0] & Flag.GAP_BEFORE) for chunk in chunks] == [False, False, False, True, False]
    assert found.counts["reconnects"] == 1
    assert found.link.device.interrupted == 1
    assert one.written == [b"start", b"start"]  # set going anew


def test_gone_for_longer_than_reopen_s_ends_the_stream_with_what_was_wrong():
    one = Peripheral(A)

    async def act():
        async with source(Air(one), reopen_s=0.3) as found:
            one.notify(2)
            one.on_air = False
            one.drop()
            got = await take(found, 2)
            with pytest.raises(MissingError) as caught:
                await take(found, 1)
            return got, caught.value

    got, error = run(act())
    assert len(got) == 2
    assert "was lost and has not come back within 0.3 s" in str(error)
    assert error.exit_code == 3
    assert A in str(error)


def test_failed_attempts_are_repeated_and_counted():
    one = Peripheral(A, faults=[dbus_error("InProgress"), dbus_error("NotAvailable"), TimeoutError()])
    found = opened(Air(one))
    assert one.connections == 4
    assert found.counts == {"connect_in_progress": 1, "connect_not_available": 1, "connect_timed_out": 1}


def test_a_scan_that_is_in_progress_is_begun_again():
    air = Air(Peripheral(A))
    air.scan_faults = [dbus_error("InProgress"), dbus_error("InProgress")]
    assert opened(air).counts == {"scan_in_progress": 2}


def test_an_adapter_that_is_stuck_in_its_scan_is_restarted(monkeypatch):
    restarted = []

    async def cycle_power(adapter):
        restarted.append(adapter)
        return True

    monkeypatch.setattr(scan.bluez, "cycle_power", cycle_power)
    monkeypatch.setattr(Radio, "is_bluez", property(lambda radio: True))
    monkeypatch.setattr(Radio, "connected", lambda radio: asyncio.sleep(0, []))
    monkeypatch.setattr(scan, "RENEW_S", 0.05)
    one = Peripheral(A, on_air=False)
    air = Air(one)
    air.stop_faults = [dbus_error("InProgress")]

    async def act():
        looking = scan.Scan(air.radio)
        counts = Counter()
        finding = asyncio.create_task(looking.find(Wanted(A, KINDS), 5, counts))
        await until(lambda: restarted)
        one.on_air = True
        await finding
        return counts

    assert run(act()) == {"adapter_cycled": 1}


def test_a_device_that_never_connects_is_given_up_with_the_last_reason():
    one = Peripheral(A, faults=[dbus_error("Failed", "le-connection-abort-by-local") for _ in range(99)])
    with pytest.raises(RadioError) as caught:
        opened(Air(one), patience_s=0.5)
    assert caught.value.trouble is Trouble.ABORTED
    assert str(caught.value).startswith(f"ble:{A} (toy): ")


@pytest.mark.parametrize(
    ("fault", "trouble", "fix"),
    [
        (dbus_error("NotReady"), Trouble.POWERED_OFF, "bluetoothctl power on"),
        (FileNotFoundError(2, "No such file"), Trouble.NO_BUS, "/run/dbus"),
        (dbus_error("NotAuthorized"), Trouble.DENIED, "usermod -aG bluetooth"),
    ],
)
def test_what_only_somebody_can_mend_is_told_at_once(fault, trouble, fix):
    air = Air(Peripheral(A))
    air.scan_faults = [fault] * 9
    with pytest.raises(RadioError) as caught:
        opened(air)
    assert caught.value.trouble is trouble
    assert fix in caught.value.hint
    assert caught.value.exit_code == 3
    assert len(air.scan_faults) == 8


def test_an_adapter_that_is_switched_off_while_a_stream_runs_is_waited_for():
    one = Peripheral(A)
    air = Air(one)

    async def act():
        async with source(air) as found:
            air.scan_faults = [dbus_error("NotReady")] * 3
            one.drop()
            await until(lambda: one.client is not None and DATA in one.client.callbacks)
            one.notify()
            await take(found, 1)
            return found.counts

    counts = run(act())
    assert counts == {"samples": 1, "reconnects": 1, "scan_powered_off": 3}


def test_a_wrong_firmware_version_is_an_error_at_once():
    one = Peripheral(A, version=9)
    with pytest.raises(InputError, match="firmware version 9") as caught:
        opened(Air(one))
    assert caught.value.reason is Reason.VERSION
    assert caught.value.exit_code == 5
    assert one.client is None
    assert one.connections == 1


def test_a_firmware_without_the_characteristic_is_named():
    with pytest.raises(RadioError) as caught:
        opened(Air(Peripheral(A, lacks=(CONFIG,))))
    assert caught.value.trouble is Trouble.NO_CHARACTERISTIC
    assert CONFIG in str(caught.value)


def test_notifications_of_a_wrong_length_are_counted_and_a_marked_gap():
    one = Peripheral(A)

    async def act():
        async with source(Air(one)) as found:
            one.notify(1)
            one.notify(1, cut=2)
            one.notify(1)
            chunks = await take(found, 2)
            return found.counts, chunks

    counts, chunks = run(act())
    assert counts == {"samples": 2, "wrong_length": 1}
    assert chunks[1].flags[0] & Flag.GAP_BEFORE


def test_an_mtu_that_holds_no_sample_is_told_with_its_figure():
    with pytest.raises(InputError, match=r"notifications of 12 bytes \(MTU 15\), toy needs 14 \(MTU 17\)"):
        opened(Air(Peripheral(A, mtu=15)))


def test_a_device_that_connects_but_says_nothing_is_connected_anew():
    one = Peripheral(A)

    async def act():
        async with source(Air(one), silent_s=0.2) as found:
            one.notify(1)
            await until(lambda: found.counts["reconnects"] >= 1)
            one.notify(1)
            return await take(found, 2), found.counts

    chunks, counts = run(act())
    assert counts["silent"] >= 1
    assert chunks[1].flags[0] & Flag.GAP_BEFORE


def test_a_device_that_tells_nothing_at_all_is_no_stream():
    class Mute(KINDS["toy"].make):
        def take(self, uuid, value, host_ns):
            return []

    from edgehar.sources.ble.kinds import Kind

    mute = Kind("mute", KINDS["toy"].known, Mute)
    with pytest.raises(MissingError, match=r"is connected, but no sample came within 0\.4 s"):
        opened(Air(Peripheral(A)), A, mute, patience_s=0.4)


def test_a_slow_consumer_loses_nothing_silently():
    one = Peripheral(A)

    async def act():
        async with source(Air(one)) as found:
            found.link.inbox._most = 10
            one.notify(25)
            first = await take(found, 10)
            one.notify(3)
            return found.counts, first + await take(found, 3)

    counts, chunks = run(act())
    seq = np.concatenate([chunk.seq for chunk in chunks])
    assert seq.tolist() == [*range(10), 25, 26, 27]
    assert counts["overflow"] == 15
    assert chunks[10].flags[0] & Flag.GAP_BEFORE


@pytest.mark.parametrize(("answers", "before", "counts"), [(True, 1, {}), (False, 0, {"unanswered": 1})])
def test_a_step_waits_for_the_answer_to_the_one_before_but_not_for_ever(answers, before, counts, monkeypatch):
    monkeypatch.setattr(link, "ANSWER_S", 0.1)
    found = opened(Air(Peripheral(A, answers=answers)))
    assert found.link.device.answered_before_data == before
    assert found.counts == counts


def test_an_inbox_marks_what_it_refused():
    inbox = Inbox(most=2)
    for i in range(4):
        inbox.put("u", bytes([i]), i)
    assert [value.value for value in inbox.all()] == [b"\0", b"\1"]
    inbox.put("u", b"\4", 4)
    assert [(value.uuid, value.value) for value in inbox.all()] == [("", b""), ("u", b"\4")]
    assert inbox.overflow == 2


def test_it_is_a_source():
    class Ending(BleSource):
        """A sensor has no end; this one plays 20 samples and is over."""

        async def __aiter__(self):
            peripheral = self.link.candidate.sighting.handle.details
            peripheral.notify(20)
            coming = super().__aiter__()
            for _ in range(20):
                yield await anext(coming)

    def make():
        return Ending(Wanted(AUTO, KINDS), Choice(), Persistence(), Air(Peripheral(A)).radio)

    chunks = check_source(make, at_least=20)
    assert sum(map(len, chunks)) == 20
