"""What a board is told when it is provisioned, and the limits of each setting."""

from __future__ import annotations

import getpass
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.wire.messages import Role

PASSWORD_VARIABLE = "EDGEHAR_WIFI_PASSWORD"  # noqa: S105 (a name)
MAX_NAME_BYTES = 31
"""The hello frame has 32 bytes for the name, and C ends a string with a zero."""
MAX_SSID_BYTES = 32
MAX_RATE_HZ = 1000
CHANNELS = (*range(1, 15), *range(36, 65, 4), *range(100, 145, 4), *range(149, 178, 4))
"""IEEE 802.11 channel numbers: 2.4 GHz, and 5 GHz for the chips that have it."""
CHANNELS_2_4_GHZ = CHANNELS[:14]
CHIPS_5_GHZ = frozenset({"esp32c5"})


class BoardSettings(Protocol):
    """What `edgehar flash` can write: a board's settings, or a tag's."""

    def check_chip(self, chip: str) -> None:
        """Raise UsageError when this chip cannot do what is wanted of it."""

    def public(self) -> dict[str, Any]:
        """Everything but secrets, for people and JSON."""

    def nvs_values(self) -> list[tuple[str, str, str | int]]:
        """(key, encoding, value) of each; one whose value is "" is left out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One board's settings. Without `ssid` it joins no network and listens (or sends) on `channel` by ESP-NOW.

    `password` appears in no repr, JSON or message. Raises UsageError naming the option whose value cannot be.
    """

    role: Role
    channel: int
    rate_hz: int
    name: str
    ssid: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise _usage(f"--channel {self.channel} is no Wi-Fi channel", "1 to 13, or a 5 GHz channel on an ESP32-C5")
        if not 1 <= self.rate_hz <= MAX_RATE_HZ:
            raise _usage(f"--rate {self.rate_hz} is outside 1 to {MAX_RATE_HZ} frames a second", "--rate 100")
        check_text("--id", self.name, 1, MAX_NAME_BYTES, "--id hall-01")
        if self.ssid:
            check_text("--ssid", self.ssid, 1, MAX_SSID_BYTES, "--ssid NAME")
        _check_password(self.password)
        if self.password and not self.ssid:
            raise _usage("a Wi-Fi password without a network", "name the network too: --ssid NAME")

    def check_chip(self, chip: str) -> None:
        """Raise UsageError when this chip's radio has not the channel."""
        if self.channel not in CHANNELS_2_4_GHZ and chip not in CHIPS_5_GHZ:
            raise _usage(f"--channel {self.channel} is a 5 GHz channel, which the {chip} has not", "--channel 6")

    def public(self) -> dict[str, Any]:
        """Everything but the password, for people and JSON."""
        return {
            "role": self.role.name.lower(),
            "channel": self.channel,
            "rate_hz": self.rate_hz,
            "id": self.name,
            "ssid": self.ssid,
            "password": bool(self.password),
        }

    def nvs_values(self) -> list[tuple[str, str, str | int]]:
        """As firmware/esp32s3_csi reads them."""
        return [
            ("role", "u8", self.role.value),
            ("channel", "u8", self.channel),
            ("rate_hz", "u16", self.rate_hz),
            ("name", "string", self.name),
            ("ssid", "string", self.ssid),
            ("psk", "string", self.password),
        ]


def role_named(name: str) -> Role:
    """The role `receiver` or `sender`. Raises UsageError for another."""
    if name.upper() not in Role.__members__:
        raise UsageError(f"--role {name!r}", reason=Reason.UNKNOWN_NAME, hint="--role receiver or --role sender")
    return Role[name.upper()]


def read_password(file: Path | None, ssid: str) -> str:
    """The password of `ssid`: from `file`, else from EDGEHAR_WIFI_PASSWORD, else asked for. "": an open network.

    Raises MissingError where none is given and nobody can be asked.
    """
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise MissingError(
                f"--password-file {file}: {error.strerror}", reason=Reason.NOT_FOUND, hint="check the path"
            ) from None
        except UnicodeDecodeError:
            raise _usage(f"--password-file {file} is not UTF-8", "write the password alone into it") from None
        return text.removesuffix("\n").removesuffix("\r")
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if not sys.stdin.isatty():
        raise MissingError(
            f"no password for the network {ssid!r}, and no terminal to ask for it",
            reason=Reason.NOT_FOUND,
            hint=f"--password-file FILE, or set {PASSWORD_VARIABLE} (empty: an open network)",
        )
    return getpass.getpass(f"Password of {ssid} (empty: an open network): ")


def check_text(option: str, text: str, least: int, most: int, example: str) -> None:
    """Raise UsageError unless `text` has so many bytes and can be printed."""
    size = len(text.encode("utf-8", "surrogateescape"))
    if not least <= size <= most:
        raise _usage(f"{option} has {size} bytes, must be {least} to {most}", example)
    if not text.isprintable():
        raise _usage(f"{option} {text!r} has characters that cannot be printed", example)


def _check_password(password: str) -> None:
    """WPA2: 8 to 63 printable ASCII characters, or 64 hexadecimal digits; nothing of it may reach a message."""
    if not password or re.fullmatch(r"[ -~]{8,63}|[0-9A-Fa-f]{64}", password):
        return
    raise _usage(
        f"the Wi-Fi password ({len(password)} characters) is not 8 to 63 ASCII characters or 64 hexadecimal digits",
        "check the password; leave it empty for an open network",
    )


def _usage(message: str, hint: str) -> UsageError:
    return UsageError(message, reason=Reason.VALUE, hint=hint)
