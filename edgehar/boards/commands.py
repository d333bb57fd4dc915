"""Telling a board something, and waiting for its answer."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from edgehar.errors import EdgeHarError, MissingError, Reason, UsageError
from edgehar.sources.byte_link import ByteLink, SerialLink, SocketLink
from edgehar.sources.csi_serial import DEFAULT_BAUD
from edgehar.sources.uri import SourceUri
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.command import encode_command
from edgehar.wire.messages import Reply, ReplyStatus

PATIENCE_S = 3.0
_REASONS = {
    ReplyStatus.UNKNOWN_COMMAND: "does not know this command: is its firmware older than this edgehar?",
    ReplyStatus.BAD_ARGUMENT: "refuses the argument",
    ReplyStatus.TOO_LONG: "finds the line too long",
    ReplyStatus.FAILED: "could not do it",
}


def board_link(address: str) -> ByteLink:
    """The link, not yet open, that `csi:PORT[?baud=N]`, `imu:PORT`, `csi:auto` or `tcp:HOST:PORT` names; a bare path
    is a port.
    """
    uri = SourceUri.parse(address if ":" in address else f"csi:{address}")
    uri.only("baud")
    if uri.scheme == "tcp":
        return SocketLink(uri.locator)
    if uri.scheme not in ("csi", "imu") or not uri.locator:
        raise UsageError(
            f"'{address}' is no board that takes commands",
            reason=Reason.FORMAT,
            hint="write csi:/dev/ttyACM0, csi:auto, imu:/dev/ttyACM0 or tcp:HOST:PORT",
        )
    return SerialLink(uri.locator, uri.integer("baud", DEFAULT_BAUD, low=300))


def tell_board(link: ByteLink, words: Sequence[str], *, patience_s: float = PATIENCE_S) -> Reply:
    """The board's answer to `words`, such as ("gain", "lock"); frames that come in between are let go.

    UsageError before anything is sent where the board would refuse the words; EdgeHarError with the board's own
    reason where it does; MissingError where no answer comes.
    """
    if not words:
        raise UsageError("no command", reason=Reason.VALUE, hint="edgehar command csi:auto hello")
    number = 1 + secrets.randbelow(0xFFFF)  # a late answer to somebody else's command is not ours
    line = encode_command(words[0], *(int(w) if w.isdecimal() else w for w in words[1:]), id=number)
    link.open()
    try:
        reply = _ask(link, line, number, patience_s)
    finally:
        link.close()
    if reply.status is not ReplyStatus.DONE:
        said = f": {reply.text}" if reply.text else ""
        raise EdgeHarError(
            f"{link.name} {_REASONS[reply.status]}{said}", reason=Reason.VALUE, hint="see the commands in docs/wire.md"
        )
    return reply


def _ask(link: ByteLink, line: bytes, number: int, patience_s: float) -> Reply:
    decoder, received = FrameDecoder(), 0
    link.write(b"\n" + line)  # ends what somebody before us may have left half said
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        data = link.read()
        received += len(data)
        decoder.push(data)
        while decoder.replies:
            reply = decoder.replies.popleft()
            if reply.id == number:
                return reply
    what = f"{received} bytes came, but no answer" if received else "not one byte came"
    raise MissingError(
        f"{link.name}: {what} within {patience_s:g} s",
        reason=Reason.NOT_FOUND,
        hint=f"does it run edgehar's firmware, at this speed? edgehar doctor csi:{link.name}",
    )
