"""The doctor on Bluetooth: machines that are ill in one way each, links with known troubles, and real checkups."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("bleak", reason="pip install 'edgehar[ble]'")

from edgehar.boards.doctor import Health
from edgehar.boards.doctor_ble_host import check_host, check_range, signal
from edgehar.boards.doctor_ble_link import arrivals_of, check_visit, interval_ms
from edgehar.boards.doctor_checkup import examine
from edgehar.errors import UsageError
from edgehar.sources.ble import host as machine
from edgehar.sources.ble.bluez import AdapterState
from edgehar.sources.ble.choose import Candidate
from edgehar.sources.ble.host import Host
from edgehar.sources.ble.kinds import Kind
from edgehar.sources.ble.radio import Sighting
from edgehar.sources.ble.survey import Visit
from edgehar.sources.ble.trouble import RadioError, Trouble
from edgehar.sources.ble_devices.base import Advertised
from edgehar.types import Chunk, StreamSpec
from tests import mock_bluez
from tests.commands import edgehar

HCI0 = AdapterState("hci0", "00:00:00:00:00:01", powered=True, central=True, discovering=False)
OFF = AdapterState("hci0", "00:00:00:00:00:01", powered=False, central=True, discovering=False)
OLD_STICK = AdapterState("hci0", "00:00:00:00:00:01", powered=True, central=False, discovering=False)
NAMES = ("acc_x", "acc_y", "acc_z")


def by_name(findings):
    for one in findings:
        assert (one.fix == "") == (one.health in (Health.OK, Health.UNKNOWN)), one
    return {one.check: one for one in findings}


def failing(findings):
    return {name for name, one in by_name(findings).items() if one.health is Health.FAIL}


def test_a_machine_in_good_health():
    findings = check_host(Host((5, 66), [HCI0], None, ()))
    assert [one.health for one in findings] == [Health.OK] * 4
    assert [one.check for one in findings] == ["service", "permission", "adapter", "power"]


@pytest.mark.parametrize(
    ("host", "ill", "fix"),
    [
        (Host((5, 66), None, RadioError(Trouble.NO_SERVICE), ()), "service", "systemctl enable --now bluetooth"),
        (Host((5, 66), None, RadioError(Trouble.NO_BUS), ()), "service", "/run/dbus"),
        (Host((5, 43), [HCI0], None, ()), "service", "bookworm"),
        (Host((5, 66), None, RadioError(Trouble.DENIED), ()), "permission", "usermod -aG bluetooth"),
        (Host((5, 66), [], None, ()), "adapter", "bluetoothctl list"),
        (Host((5, 66), [OLD_STICK], None, ()), "adapter", "plug one in"),
        (Host((5, 66), [OFF], None, ("soft",)), "power", "rfkill unblock bluetooth"),
        (Host((5, 66), [OFF], None, ("hard",)), "power", "a key or switch"),
    ],
)
def test_what_is_wrong_with_a_machine_is_the_only_failure(host, ill, fix):
    findings = check_host(host)
    assert failing(findings) == {ill}
    assert fix in by_name(findings)[ill].fix


def test_a_bluez_that_does_not_tell_the_mtu_is_a_warning_and_another_system_has_no_such_checks():
    assert by_name(check_host(Host((5, 55), [HCI0], None, ())))["service"].health is Health.WARN
    assert check_host(Host(None, None, None, ())) == []


def test_switches_of_the_kernel_are_read(tmp_path, monkeypatch):
    for i, (kind, soft, hard) in enumerate([("wlan", 1, 1), ("bluetooth", 1, 0), ("bluetooth", 0, 1)]):
        switch = tmp_path / f"rfkill{i}"
        switch.mkdir()
        for name, text in (("type", kind), ("soft", soft), ("hard", hard)):
            (switch / name).write_text(f"{text}\n")
    (tmp_path / "rfkill9").mkdir()  # pulled out meanwhile
    assert list(machine._blocked(tmp_path)) == ["soft", "hard"]


def candidate(kind="toy", rssi=-60, address="AA:BB:CC:DD:EE:01"):
    known = None if kind is None else Kind(kind, lambda advertised: True, lambda choice: None, least_mtu=36)
    return Candidate(Sighting(Advertised(address, "wrist", rssi_dbm=rssi), None, 0), known)


def test_what_is_in_range():
    assert failing(check_range([], 5)) == {"in range"}
    assert failing(check_range([candidate(kind=None)], 5)) == {"in range"}
    found = by_name(check_range([candidate(), candidate(kind=None)], 5))
    assert found["in range"].measured == "2 devices in 5 s, 1 of a known kind"
    assert "device AA:BB:CC:DD:EE:01" in found
    assert by_name([signal(candidate(rssi=-60))])["signal"].health is Health.OK
    assert by_name([signal(candidate(rssi=-95))])["signal"].health is Health.WARN
    assert by_name([signal(candidate(rssi=0))])["signal"].health is Health.UNKNOWN


class Device:
    title = "toy"


def visited(*, mtu=247, n=250, each=8, lost=0, late_ms=None, interval=30.0, battery=80, counts=()):
    """Ten seconds or so at 100 Hz; notifications wait for the next connection event."""
    rng = np.random.default_rng(5)
    spec = StreamSpec("imu", NAMES, 100.0, ("g",) * 3)
    chunks = []
    for i in range(n):
        seq = np.arange(i * each, (i + 1) * each) + (lost if i > n // 2 else 0)
        t_ms = 10.0 * seq
        ready_ms = t_ms[-1] + rng.uniform(0, interval)  # made when the sensor likes
        host_ms = interval * np.ceil(ready_ms / interval) + (rng.exponential(late_ms / 4.6) if late_ms else 0.3)
        host = np.full(each, round(max(host_ms, 0) * 1e6))
        flags = np.zeros(each, np.uint16)
        chunks.append(Chunk(spec, (t_ms * 1e6).astype(np.int64), host, seq, np.zeros((each, 3), np.float32), flags))
    host_ns = np.maximum.accumulate([chunk.t_host_ns[0] for chunk in chunks])
    for chunk, at in zip(chunks, host_ns, strict=True):
        chunk.t_host_ns[:] = at
    return Visit(
        candidate(), Device(), spec, mtu, 36, n * each / 100, 2.0, Counter(dict(counts)), battery, "1.2", "T1", chunks
    )


def test_a_sensor_in_good_health():
    findings = by_name(check_visit(visited()))
    assert {one.health for one in findings.values()} == {Health.OK}
    assert findings["firmware"].measured.startswith("toy: T1, 1.2")
    assert findings["notifications"].measured == "12.5/s of 8.0 samples"
    assert findings["connection interval"].measured.startswith("about 30 ms")


@pytest.mark.parametrize(
    ("ill", "health", "settings"),
    [
        ("mtu", Health.FAIL, {"mtu": 23}),
        ("mtu", Health.WARN, {"mtu": 64}),
        ("mtu", Health.UNKNOWN, {"mtu": None}),
        ("lost samples", Health.FAIL, {"lost": 400}),
        ("lost samples", Health.WARN, {"lost": 8}),
        ("lost samples", Health.UNKNOWN, {"counts": {"unnumbered": 8}}),
        ("jitter", Health.WARN, {"late_ms": 300}),
        ("jitter", Health.FAIL, {"late_ms": 3000}),
        ("connection", Health.WARN, {"counts": {"reconnects": 1}}),
        ("connection", Health.FAIL, {"counts": {"reconnects": 9}}),
        ("notifications", Health.WARN, {"each": 1, "n": 1500, "interval": 7.5}),
        ("connection interval", Health.WARN, {"interval": 100.0, "each": 20}),
        ("battery", Health.WARN, {"battery": 7}),
        ("battery", Health.UNKNOWN, {"battery": None}),
    ],
)
def test_what_is_wrong_with_a_sensor_is_found(ill, health, settings):
    assert by_name(check_visit(visited(**settings)))[ill].health is health


def test_a_sensor_that_sent_almost_nothing_is_not_judged_by_it():
    findings = by_name(check_visit(visited(n=3)))
    assert "jitter" not in findings
    assert "firmware" in findings


@pytest.mark.parametrize("interval", [15.0, 30.0, 48.75, 100.0])
def test_the_connection_interval_is_estimated(interval):
    found, told = interval_ms(arrivals_of(visited(interval=interval, n=400)))
    assert told
    assert abs(found - interval) <= 1.25


def test_arrivals_that_follow_no_interval_show_none():
    rng = np.random.default_rng(1)
    arrivals = arrivals_of(visited())
    scattered = np.cumsum(rng.exponential(80e6, len(arrivals.t_ns))).astype(np.int64)
    assert np.isnan(interval_ms(type(arrivals)(scattered, arrivals.late_ms, arrivals.samples))[0])


def test_an_address_of_no_sense_is_a_mistyped_command():
    with pytest.raises(UsageError):
        examine("ble:wrist?speed=1", 1)


@pytest.mark.skipif(bool(mock_bluez.missing()), reason=mock_bluez.missing())
def test_checkups_of_a_tag_and_of_a_machine_without_service(tmp_path, monkeypatch):
    with mock_bluez.bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        ill = edgehar("doctor", "ble", "--json")
        with mock_bluez.bluez(), mock_bluez.tag("wrist"):
            done = edgehar("doctor", f"ble:{mock_bluez.TAGS[0]}", "--duration", "2", "--json")
    assert ill.returncode == 1
    assert [one["check"] for one in json.loads(ill.stdout)["findings"]] == ["service"]
    found = json.loads(done.stdout)
    findings = {one["check"]: one for one in found["findings"]}
    assert found["simulated"]
    assert findings["connects"]["health"] == findings["lost samples"]["health"] == "OK"
    assert "SIMULATED" in findings["firmware"]["measured"]
    assert {"mtu", "notifications", "jitter", "connection interval", "battery", "rate", "clock"} <= set(findings)
