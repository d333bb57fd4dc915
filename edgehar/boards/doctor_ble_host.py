"""Checks of this machine's Bluetooth: service, permission, adapter, switches; and what it hears."""

from __future__ import annotations

from collections.abc import Iterable

from edgehar.boards.doctor import Finding, Health, Limits, finding
from edgehar.sources.ble.choose import Candidate
from edgehar.sources.ble.host import Host
from edgehar.sources.ble.trouble import ADVICE, Trouble

OLDEST, TELLS_MTU = (5, 55), (5, 62)  # what bleak needs; since when BlueZ tells the MTU
WEAK_DBM = Limits(80.0, 200.0)  # below the transmitted milliwatt
POWER_FIX = ADVICE[Trouble.POWERED_OFF].hint


def check_host(host: Host) -> list[Finding]:
    """In the order in which one thing needs the other; what cannot be said after a failure is left out.

    Nothing where the system is not Linux: it has its own settings, and errors that say what to do.
    """
    if host.adapters is None and host.trouble is None:
        return []
    trouble = None if host.trouble is None else host.trouble.trouble
    found = [_service(host, trouble)]
    if trouble in (Trouble.NO_BUS, Trouble.NO_SERVICE):
        return found
    found.append(_permission(host, trouble))
    if host.trouble is not None or host.adapters is None:
        return found
    found.append(_adapter(host))
    if any(adapter.central for adapter in host.adapters):
        found.append(_power(host))
    return found


def check_range(candidates: list[Candidate], seconds: float) -> list[Finding]:
    """One finding for all that were heard, one more for each device whose kind is known."""
    known = [one for one in candidates if one.kind is not None]
    measured = f"{len(candidates)} devices in {seconds:g} s, {len(known)} of a known kind"
    if candidates and not known:
        measured += f"; the nearest: {', '.join(map(str, candidates[:3]))}"
    fix = "wake the sensor, bring it nearer; is it connected to a phone? another kind: ble:ADDRESS?device=KIND"
    health = Health.OK if known else Health.FAIL
    return [finding("in range", health, measured, "a sensor of a known kind", fix), *_devices(known)]


def signal(candidate: Candidate) -> Finding:
    """How strong the device is heard."""
    rssi_dbm = candidate.sighting.advertised.rssi_dbm
    should = f">= {-WEAK_DBM.ok:g} dBm"
    if rssi_dbm >= 0:  # a device that was connected already is not heard
        return finding("signal", Health.UNKNOWN, "not told", should, "")
    fix = "bring it nearer: a body between the two takes 20 dB; another place for the computer's antenna"
    return finding("signal", WEAK_DBM.judge(-rssi_dbm), f"{rssi_dbm} dBm", should, fix)


def _service(host: Host, trouble: Trouble | None) -> Finding:
    should = f"bluetoothd runs, BlueZ {_text(OLDEST)} or newer"
    version = "of unknown version" if host.version is None else _text(host.version)
    if trouble in (Trouble.NO_BUS, Trouble.NO_SERVICE):
        advice = ADVICE[trouble]
        return finding("service", Health.FAIL, advice.message, should, advice.hint)
    old = host.version is not None and host.version < OLDEST
    blind = host.version is not None and host.version < TELLS_MTU
    fix = "a newer system; Raspberry Pi OS since bookworm has 5.66" if old or blind else ""
    health = Health.FAIL if old else Health.WARN if blind else Health.OK
    return finding("service", health, f"runs, BlueZ {version}", should, fix)


def _permission(host: Host, trouble: Trouble | None) -> Finding:
    denied = trouble is Trouble.DENIED
    said = "" if host.trouble is None else str(host.trouble)
    if host.trouble is not None and not denied:
        return finding("permission", Health.UNKNOWN, said, "may talk to bluetoothd", "")
    fix = ADVICE[Trouble.DENIED].hint
    measured = "refused by D-Bus" if denied else "granted"
    return finding("permission", Health.FAIL if denied else Health.OK, measured, "may talk to bluetoothd", fix)


def _adapter(host: Host) -> Finding:
    found = host.adapters or []
    able = [adapter for adapter in found if adapter.central]
    told = ", ".join(f"{one.name} ({one.address})" for one in found) or "none"
    if len(able) > 1:
        told += (
            f"; {next((one.name for one in able if one.powered), able[0].name)} is used, ?adapter=NAME takes another"
        )
    fix = ADVICE[Trouble.NO_ADAPTER].hint
    return finding("adapter", Health.OK if able else Health.FAIL, told, "one that can be central of Bluetooth LE", fix)


def _power(host: Host) -> Finding:
    on = [adapter.name for adapter in host.adapters or [] if adapter.powered and adapter.central]
    blocked = f", blocked ({' and '.join(host.blocked)})" if host.blocked else ""
    measured = f"{', '.join(on)} on" if on else f"off{blocked}"
    fix = POWER_FIX
    if "hard" in host.blocked:
        fix = "a key or switch of this computer turns Bluetooth off; then: bluetoothctl power on"
    return finding("power", Health.OK if on else Health.FAIL, measured, "on", fix)


def _devices(known: Iterable[Candidate]) -> list[Finding]:
    """The check's name holds the address, so that a script finds each."""
    return [
        finding(f"device {one.address}", Health.OK, str(one), f"edgehar doctor ble:{one.address}", "") for one in known
    ]


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
