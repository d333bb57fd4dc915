"""What goes wrong with Bluetooth, in few words, whatever a system calls it; and what somebody can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from edgehar.errors import MissingError, Reason


class Trouble(StrEnum):
    """Stable names: what is counted, and what decides what is tried next."""

    NO_BUS = "no_bus"
    NO_SERVICE = "no_service"
    NO_ADAPTER = "no_adapter"
    POWERED_OFF = "powered_off"
    DENIED = "denied"
    IN_PROGRESS = "in_progress"  # BlueZ believes that the same is being done already
    NOT_AVAILABLE = "not_available"
    GONE = "gone"  # the system has forgotten the device; only a new scan brings it back
    TIMED_OUT = "timed_out"
    ABORTED = "aborted"  # the connection broke while something was asked over it
    UNPAIRED = "unpaired"
    NO_CHARACTERISTIC = "no_characteristic"
    REFUSED = "refused"  # the device answered, with an error
    OTHER = "other"


class Advice(NamedTuple):
    """What to say of a trouble."""

    message: str
    reason: Reason
    hint: str


ADVICE: Mapping[Trouble, Advice] = MappingProxyType(
    {
        Trouble.NO_BUS: Advice(
            "the D-Bus system bus, by which programs reach Bluetooth, cannot be reached",
            Reason.NOT_FOUND,
            "sudo systemctl start dbus; in a container: mount /run/dbus of the host",
        ),
        Trouble.NO_SERVICE: Advice(
            "the Bluetooth service (bluetoothd) does not run",
            Reason.NOT_FOUND,
            "sudo apt install bluez && sudo systemctl enable --now bluetooth",
        ),
        Trouble.NO_ADAPTER: Advice(
            "this machine has no Bluetooth LE adapter that works",
            Reason.NOT_FOUND,
            "plug one in, or see what the system thinks of it: bluetoothctl list; sudo dmesg | grep -i bluetooth",
        ),
        Trouble.POWERED_OFF: Advice(
            "the Bluetooth adapter is switched off",
            Reason.NOT_FOUND,
            "rfkill unblock bluetooth && bluetoothctl power on",
        ),
        Trouble.DENIED: Advice(
            "no permission to use Bluetooth",
            Reason.PERMISSION,
            "sudo usermod -aG bluetooth $USER, then log in again (macOS: Settings, Privacy & Security, Bluetooth)",
        ),
        Trouble.IN_PROGRESS: Advice(
            "the Bluetooth service is busy with what another program asked",
            Reason.NOT_FOUND,
            "end other programs that use Bluetooth, or: sudo systemctl restart bluetooth",
        ),
        Trouble.NOT_AVAILABLE: Advice(
            "the device cannot be connected to",
            Reason.NOT_FOUND,
            "is it connected to a phone or another computer? switch it off and on, bring it nearer",
        ),
        Trouble.GONE: Advice(
            "the device went out of reach while it was being connected",
            Reason.NOT_FOUND,
            "bring it nearer, wake it, charge it",
        ),
        Trouble.TIMED_OUT: Advice(
            "the device does not answer",
            Reason.NOT_FOUND,
            "bring it nearer, switch it off and on; is it connected to a phone?",
        ),
        Trouble.ABORTED: Advice(
            "the connection broke while it was being set up",
            Reason.NOT_FOUND,
            "bring it nearer, charge it; on a Raspberry Pi: keep Wi-Fi off 2.4 GHz, or use a Bluetooth stick",
        ),
        Trouble.UNPAIRED: Advice(
            "the device talks only to whom it is paired with",
            Reason.PERMISSION,
            "bluetoothctl pair ADDRESS",
        ),
        Trouble.NO_CHARACTERISTIC: Advice(
            "the device lacks a characteristic that its kind has: it is something else, or has older firmware",
            Reason.VERSION,
            "what is it? edgehar doctor ble; name its kind (?device=KIND) or update its firmware",
        ),
        Trouble.REFUSED: Advice(
            "the device refuses what it is asked",
            Reason.VALUE,
            "ask it for less (rate_hz, accel, gyro), or update its firmware",
        ),
        Trouble.OTHER: Advice(
            "Bluetooth does not work",
            Reason.NOT_FOUND,
            "look closer: edgehar doctor ble; journalctl -u bluetooth",
        ),
    }
)

# Nothing that is tried again within a minute changes these; somebody has to do something.
LASTING = frozenset({Trouble.NO_BUS, Trouble.NO_SERVICE, Trouble.NO_ADAPTER, Trouble.POWERED_OFF, Trouble.DENIED})
OF_THE_DEVICE = frozenset({Trouble.NO_CHARACTERISTIC, Trouble.UNPAIRED, Trouble.REFUSED})

# What BlueZ and D-Bus say, the first that fits (org.bluez in doc/, errors of src/error.c and src/device.c).
SAID = (
    ("accessdenied", Trouble.DENIED),
    ("notauthorized", Trouble.DENIED),
    ("serviceunknown", Trouble.NO_SERVICE),
    ("namehasnoowner", Trouble.NO_SERVICE),
    ("activation", Trouble.NO_SERVICE),
    ("dbus.error.spawn", Trouble.NO_SERVICE),
    ("notready", Trouble.POWERED_OFF),
    ("not powered", Trouble.POWERED_OFF),
    ("inprogress", Trouble.IN_PROGRESS),
    ("already in progress", Trouble.IN_PROGRESS),
    ("operation already in progress", Trouble.IN_PROGRESS),
    ("doesnotexist", Trouble.GONE),
    ("unknownobject", Trouble.GONE),
    ("was not found", Trouble.GONE),
    ("not found", Trouble.GONE),
    ("notavailable", Trouble.NOT_AVAILABLE),
    ("not available", Trouble.NOT_AVAILABLE),
    ("unavailable", Trouble.NOT_AVAILABLE),
    ("notpaired", Trouble.UNPAIRED),
    ("authentication", Trouble.UNPAIRED),
    ("timeout", Trouble.TIMED_OUT),
    ("timed out", Trouble.TIMED_OUT),
    ("noreply", Trouble.TIMED_OUT),
    ("abort", Trouble.ABORTED),
    ("not connected", Trouble.ABORTED),
    ("notconnected", Trouble.ABORTED),
    ("disconnected", Trouble.ABORTED),
    ("connection reset", Trouble.ABORTED),
    ("notsupported", Trouble.REFUSED),
    ("notpermitted", Trouble.REFUSED),
)


class RadioError(MissingError):
    """A trouble that no second try has mended; reads as any other error of edgehar."""

    def __init__(self, trouble: Trouble, said: str = "", *, of: str = "") -> None:
        advice = ADVICE[trouble]
        where = f"{of}: " if of else ""
        super().__init__(
            f"{where}{advice.message}{f' ({said})' if said else ''}", reason=advice.reason, hint=advice.hint
        )
        self.trouble = trouble
        self.said = said


def classify(said: str) -> Trouble:
    """The trouble behind the name and text of a system's error.

    >>> classify("[org.bluez.Error.InProgress] Operation already in progress")
    <Trouble.IN_PROGRESS: 'in_progress'>
    """
    text = said.lower()
    return next((trouble for words, trouble in SAID if words in text), Trouble.OTHER)
