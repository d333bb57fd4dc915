"""`csi:PORT` and `tcp:HOST:PORT`: channel state from a board, as binary frames or printed rows.

csi:/dev/ttyACM0?baud=921600    csi:auto?field=lltf    tcp:192.168.4.1:3333?raw=all.bin
"""

from __future__ import annotations

from pathlib import Path

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.sources.byte_link import ByteLink, SerialLink, SocketLink
from edgehar.sources.csi_stream import CsiChoice, CsiStream
from edgehar.sources.link_source import LINK_KEYS, PATIENCE_S, LinkSource, nothing_came
from edgehar.sources.uri import SourceUri
from edgehar.types import StreamSpec
from edgehar.wire.messages import BoardFlag

DEFAULT_BAUD = 921_600
KEYS = ("protocol", "field", "layout", "form", "rate_hz", "sender", "salt", *LINK_KEYS)


def from_uri(uri: SourceUri, expected: StreamSpec | None) -> CsiSource:
    """Keys: baud, protocol=auto|binary|text, field=auto|lltf|htltf|..., layout, form=iq|amp, rate_hz, sender (hash),
    salt, raw=FILE (keeps every byte), patience_s (for the first frames), reopen_s (0: for ever).
    """
    del expected  # a board is what it is; the contract is checked where the two meet
    uri.only(*KEYS)
    if not uri.locator:
        raise UsageError(
            f"source '{uri.text}' names no port", reason=Reason.FORMAT, hint="write csi:/dev/ttyACM0 or csi:auto"
        )
    typed = uri.word("sender", "")
    try:
        sender = int(typed, 16) if typed else -1
    except ValueError:
        raise UsageError(
            f"source '{uri.text}': sender='{typed}' is no hash",
            reason=Reason.VALUE,
            hint="give eight hexadecimal digits, as edgehar doctor prints them",
        ) from None
    choice = CsiChoice(
        protocol=uri.word("protocol", "auto"),
        field=uri.word("field", "auto"),
        layout=uri.word("layout", ""),
        rate_hz=uri.number("rate_hz", 0.0, low=0.0, high=100_000.0),
        sender=sender,
        salt=uri.word("salt", ""),
        form=uri.word("form", "iq"),
    )
    tcp = uri.scheme == "tcp"
    baud = uri.integer("baud", DEFAULT_BAUD, low=300)
    link: ByteLink = SocketLink(uri.locator) if tcp else SerialLink(uri.locator, baud)
    return CsiSource(
        link,
        choice,
        raw=Path(uri.word("raw", "")) if uri.word("raw", "") else None,
        patience_s=uri.number("patience_s", PATIENCE_S, low=0.1),
        reopen_s=uri.number("reopen_s", 0.0, low=0.0) or None,
    )


class CsiSource(LinkSource[CsiStream]):
    """A board's frames of one layout as Chunks; the frames that came together are one where their layout is one."""

    def __init__(
        self,
        link: ByteLink,
        choice: CsiChoice | None = None,
        *,
        raw: Path | None = None,
        patience_s: float = PATIENCE_S,
        reopen_s: float | None = None,
    ) -> None:
        super().__init__(link, CsiStream(choice), scheme="csi", raw=raw, patience_s=patience_s, reopen_s=reopen_s)

    def nothing(self, name: str, waited: str, received: int) -> MissingError:
        """Why no frame came, as far as the bytes tell."""
        board = next((decoder for decoder in self.stream.binary if decoder.hello is not None), None)
        hello = None if board is None else board.hello
        if hello is not None and not hello.csi:
            return nothing_came(
                f"{name}: the firmware of '{hello.name}' has CSI switched off", "edgehar firmware build"
            )
        if board is not None and hello is not None and BoardFlag.RUNNING not in (board.heartbeat or hello).flags:
            only = "" if board.model is None else ", only the decisions of its own model"
            hint = f"edgehar doctor csi:{name}; the line start makes it send them: printf 'start\\n' > {name}"
            return nothing_came(f"{name}: '{hello.name}' sends no frames{only}", hint)
        if hello is not None:
            hint = "make traffic on its channel: edgehar flash --role sender on a second board, or ping through it"
            said = f"{name}: '{hello.name}' is alive on channel {hello.channel} but receives no frame"
            return nothing_came(said, hint)
        if not received:
            hint = f"press RST on the board; then: edgehar doctor csi:{name}"
            return nothing_came(f"{name}: not one byte came {waited}", hint)
        lines = [line for decoder in self.stream.binary for line in decoder.log]
        said = f"; the last line was '{lines[-1]}'" if lines else ", and they read as noise: is the baud rate right?"
        hint = f"edgehar doctor csi:{name}, or name the speed: csi:{name}?baud=115200"
        return nothing_came(f"{name}: {received} bytes came {waited}, no CSI among them{said}", hint)
