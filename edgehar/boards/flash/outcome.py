"""What esptool's failures mean to the person at the board, and what to do next."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgehar.errors import EdgeHarError, MissingError, Reason

BOOT_BUTTON = (
    "hold BOOT, press and release RST, let go of BOOT, and run the same command again; "
    "if that does not help, take a cable that carries data, or another socket"
)
SLOWER = "run the same command again with --baud 115200; if it fails again, the flash chip or its supply is bad"
AGAIN = "plug the board in again, straight into the computer, and run the same command again: writing starts anew"


@dataclass(frozen=True, slots=True)
class Symptom:
    """`pattern` in esptool's output: `meaning` for the message (after the port's name), `hint` for the next step."""

    pattern: str
    meaning: str
    hint: str
    reason: Reason = Reason.VALUE


# In order: the first that matches. The texts are those of esptool 5; a test makes each of the common ones happen.
SYMPTOMS = (
    Symptom(
        r"MD5 of file does not match|does not match the data|Verification failed",
        "the flash does not hold what was written to it",
        SLOWER,
        Reason.DAMAGED,
    ),
    Symptom(
        r"Wrong boot mode detected",
        "the board starts its application, not its boot loader",
        BOOT_BUTTON,
        Reason.NOT_FOUND,
    ),
    Symptom(
        r"serial TX path seems to be down",
        "the board hears nothing that is sent to it",
        "check the wire to the board's RX, or take another cable",
        Reason.NOT_FOUND,
    ),
    Symptom(
        r"exclusively lock|Resource temporarily unavailable|Device or resource busy",
        "another program has the port open",
        "close serial monitors, IDEs and ModemManager; who it is: sudo fuser -v PORT",
        Reason.PERMISSION,
    ),
    Symptom(r"Permission denied", "no permission to open the port", "edgehar flash --udev-rule", Reason.PERMISSION),
    Symptom(
        r"secure download mode|Secure [Dd]ownload|Flash encryption is enabled|Secure boot is enabled",
        "the board is locked: secure download, secure boot or flash encryption is on",
        "flash it with the keys and the procedure that it was locked with; edgehar cannot",
        Reason.PERMISSION,
    ),
    Symptom(
        r"device disconnected|returned no data|write failed|Input/output error|Errno 5|Errno 6\b|No such device"
        r"|Could not configure port|Attempting to use a port that is not open|No such file or directory",
        "the board went away",
        AGAIN,
        Reason.NOT_FOUND,
    ),
    Symptom(
        r"Failed to connect|No serial data received|Couldn't find a board|Could not auto-detect",
        "the board does not answer",
        BOOT_BUTTON,
        Reason.NOT_FOUND,
    ),
    Symptom(
        r"This chip is (?P<found>\S+), not (?P<wanted>[\w-]+)",
        "another chip answers than before",
        "leave one board plugged in, or name its port: --port PATH",
        Reason.CONTRACT,
    ),
    Symptom(
        r"start stub flasher|stub is not supported",
        "the board does not run the flasher's helper program",
        "run the same command again with --no-stub",
    ),
    Symptom(
        r"stopped responding|No more data to read|stream stopped|Write timeout"
        r"|Packet content transfer|Invalid head of packet|Invalid SLIP|Corrupt data|Timed out"
        r"|Failed to write|Failed to enter|Failed to read|Failed to calculate|Invalid data|checksum",
        "the link to the board loses bytes, or the board went away",
        "take a shorter cable without a hub and run the same command again with --baud 115200",
        Reason.DAMAGED,
    ),
)


def failure(output: str, port: str, doing: str) -> EdgeHarError:
    """The error for what esptool printed while `doing`; an output that no row knows is quoted."""
    if "No module named esptool" in output:
        return MissingError(
            "flashing needs the package esptool", reason=Reason.NOT_INSTALLED, hint="pip install 'edgehar[flash]'"
        )
    why = output[max(0, output.rfind("error occurred")) :]
    for symptom in SYMPTOMS:
        if re.search(symptom.pattern, why):
            message = f"{port}: {symptom.meaning} ({doing}); esptool: {last_words(output)}"
            return EdgeHarError(message, reason=symptom.reason, hint=symptom.hint.replace("PORT", port))
    return EdgeHarError(f"{port}: {doing} failed; esptool: {last_words(output)}", reason=Reason.VALUE, hint=BOOT_BUTTON)


def last_words(output: str) -> str:
    """The line that says why, without esptool's decoration."""
    said = re.findall(r"(?:fatal error occurred|serial exception error occurred): *(.+)", output)
    lines = said or [line for line in output.splitlines() if line.strip()] or ["nothing"]
    return str(lines[-1]).strip()
