"""`imu:PORT`: an inertial sensor on a cable, with edgehar's firmware or one that prints columns of numbers.

imu:auto?rate_hz=100&accel=8&gyro=1000
imu:/dev/ttyACM0?columns=t_ms,acc_x,acc_y,acc_z&units=mps2,mps2,mps2
"""

from __future__ import annotations

from pathlib import Path

from edgehar.align.delay import UNKNOWN, LeastDelay, serial_delay
from edgehar.errors import MissingError, Reason, UsageError
from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.byte_link import ByteLink, SerialLink
from edgehar.sources.imu_frames import ImuFrames
from edgehar.sources.imu_rows import ImuRows, RowsChoice
from edgehar.sources.link_source import LINK_KEYS, PATIENCE_S, LinkSource, nothing_came
from edgehar.sources.uri import SourceUri
from edgehar.types import StreamSpec
from edgehar.wire.command import encode_command
from edgehar.wire.frames import Cause

DEFAULT_BAUD = 921_600
KEYS = ("rate_hz", "accel", "gyro", "placement", "columns", "units", *LINK_KEYS)
GREETING = b"\n" + encode_command("hello")  # the line feed ends what somebody before us left half said


def from_uri(uri: SourceUri, expected: StreamSpec | None) -> ImuFrameSource | ImuRowSource:
    """Keys: rate_hz (default: the bundle's), accel (g), gyro (dps), placement, columns and units (for rows of text),
    baud, raw=FILE (keeps every byte), patience_s (for the first samples), reopen_s (0: for ever).
    """
    uri.only(*KEYS)
    if not uri.locator:
        raise UsageError(
            f"source '{uri.text}' names no port", reason=Reason.FORMAT, hint="write imu:/dev/ttyACM0 or imu:auto"
        )
    placement = uri.word("placement", "")
    columns = uri.word("columns", "")
    rate_hz = uri.number("rate_hz", 0.0, low=0.0, high=10_000.0)
    baud = uri.integer("baud", DEFAULT_BAUD, low=300)
    link: ByteLink = SerialLink(uri.locator, baud)
    raw = Path(uri.word("raw", "")) if uri.word("raw", "") else None
    patience_s = uri.number("patience_s", PATIENCE_S, low=0.1)
    reopen_s = uri.number("reopen_s", 0.0, low=0.0) or None
    if columns:
        _refuse(uri, ("accel", "gyro"), "a sensor that prints rows is set by its own firmware")
        rows = RowsChoice.parse(columns, uri.word("units", ""), rate_hz, placement)
        return ImuRowSource(link, rows, raw=raw, patience_s=patience_s, reopen_s=reopen_s)
    _refuse(uri, ("units",), "units belong to rows of text: name their columns=, too")
    if not rate_hz and expected is not None:
        rate_hz = expected.rate_hz
    choice = Choice(
        rate_hz=rate_hz,
        accel_range_g=uri.integer("accel", 0),
        gyro_range_dps=uri.integer("gyro", 0),
        placement=placement,
    )
    return ImuFrameSource(link, choice, baud=baud, raw=raw, patience_s=patience_s, reopen_s=reopen_s)


def _refuse(uri: SourceUri, keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        if uri.word(key, ""):
            raise UsageError(f"source '{uri.text}': {key}= does not fit", reason=Reason.VALUE, hint=why)


class ImuFrameSource(LinkSource[ImuFrames]):
    """A tag with edgehar's firmware. It is set as wanted before its stream begins, and again when it restarted.

    baud: of the line; 0 where there is none, and so nothing is known of how long a message takes.
    """

    def __init__(
        self,
        link: ByteLink,
        choice: Choice | None = None,
        *,
        baud: int = 0,
        raw: Path | None = None,
        patience_s: float = PATIENCE_S,
        reopen_s: float | None = None,
    ) -> None:
        super().__init__(
            link,
            ImuFrames(choice),
            scheme="imu",
            raw=raw,
            patience_s=patience_s,
            reopen_s=reopen_s,
            greeting=GREETING,
        )
        self._baud = baud

    @property
    def least_delay(self) -> LeastDelay:
        """What a message takes on the line. A board with USB of its own sends it at once, whatever the baud rate."""
        if not (self._baud and self.stream.message_bytes) or self._reader.link.native:
            return UNKNOWN
        return serial_delay(self.stream.message_bytes, self._baud)

    def nothing(self, name: str, waited: str, received: int) -> MissingError:
        """Why no sample came, as far as the bytes tell."""
        hello, decoder = self.stream.hello, self.stream.decoder
        decoder.finish()  # text that no frame has ended is still text
        if hello is not None:
            said = f"{name}: '{hello.name}' is alive but sends no samples"
            return nothing_came(
                said, f"is its sensor ({hello.sensor or 'none found'}) connected? press RST on the board"
            )
        if not received:
            return nothing_came(f"{name}: not one byte came {waited}", "press RST on the board; is it the right port?")
        if decoder.counts[Cause.VERSION]:
            said = f"{name}: frames came {waited}, of another version of the wire protocol"
            return nothing_came(said, "flash the firmware that comes with this edgehar: edgehar firmware build --help")
        if decoder.counts[Cause.KIND]:
            said = f"{name}: frames came {waited}, none of an inertial sensor"
            return nothing_came(said, f"does it measure Wi-Fi CSI? edgehar doctor csi:{name}")
        if decoder.log:
            said = f"{name}: text came {waited}, no frames; the last line was '{decoder.log[-1]}'"
            return nothing_came(said, f"if these are samples, name their columns: 'imu:{name}?columns=t_ms,acc_x,...'")
        said = f"{name}: {received} bytes came {waited} that read as noise: is the baud rate right?"
        return nothing_came(said, f"name the speed: imu:{name}?baud=115200")


class ImuRowSource(LinkSource[ImuRows]):
    """A sensor whose firmware prints rows of numbers."""

    def __init__(
        self,
        link: ByteLink,
        choice: RowsChoice,
        *,
        raw: Path | None = None,
        patience_s: float = PATIENCE_S,
        reopen_s: float | None = None,
    ) -> None:
        super().__init__(link, ImuRows(choice), scheme="imu", raw=raw, patience_s=patience_s, reopen_s=reopen_s)

    def nothing(self, name: str, waited: str, received: int) -> MissingError:
        """Why no row came, as far as the bytes tell."""
        if not received:
            return nothing_came(f"{name}: not one byte came {waited}", "press RST on the board; is it the right port?")
        columns = len(self.stream.choice.columns)
        last = self.stream.last_bad
        said = f"; the last line was '{last}'" if last else ", and they read as noise: is the baud rate right?"
        return nothing_came(
            f"{name}: {received} bytes came {waited}, no row of {columns} numbers among them{said}",
            f"name the columns as they are printed, or the speed: imu:{name}?baud=115200",
        )
