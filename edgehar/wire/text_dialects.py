"""Which decoder reads a capture: by name, or by what its beginning looks like."""

from __future__ import annotations

import re

from edgehar.errors import InputError, Reason, UsageError
from edgehar.wire.adr018 import MAGIC, Adr018Decoder
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.espcsi_rows import AGAIN
from edgehar.wire.espcsi_text import TextDecoder
from edgehar.wire.number_rows import NUMBER_DIALECTS, NumberRowDecoder

ESPCSI, ADR018 = "espcsi", "adr018"
BINARY = "edgehar"  # frames of our own firmware, as raw=FILE of a live source keeps them
TEXT_DIALECTS = (ESPCSI, ADR018, *NUMBER_DIALECTS)
DIALECTS = (*TEXT_DIALECTS, BINARY)
SAMPLE_BYTES = 1 << 16
SIMULATED_MARK = b"edgehar virtual board: SIMULATED"
"""Rows have no place to say that no radio is behind them: a simulated board writes this between them, every second."""
_FEW_NUMBERS = 16  # a row of numbers has more; a line of a boot log has not

AnyDecoder = TextDecoder | Adr018Decoder | NumberRowDecoder | FrameDecoder


def open_decoder(dialect: str, salt: str = "", layout: str = "") -> AnyDecoder:
    """The decoder of a dialect, one of DIALECTS; salt and layout as in `TextDecoder`."""
    if dialect == ESPCSI:
        return TextDecoder(salt, layout)
    if dialect == ADR018:
        return Adr018Decoder(layout)
    if dialect == BINARY:
        return FrameDecoder()
    if dialect in NUMBER_DIALECTS:
        return NumberRowDecoder(dialect, layout)
    raise UsageError(
        f"there is no CSI dialect {dialect}",
        reason=Reason.UNKNOWN_NAME,
        hint=f"choose one of: {', '.join(DIALECTS)}",
    )


def detect(sample: bytes, where: str) -> str:
    """The dialect of a capture by its first SAMPLE_BYTES; an InputError names the place where none is known.

    The first line that only one dialect writes decides: boot logs may stand before it.
    """
    if AGAIN in sample:
        return ESPCSI
    binary = FrameDecoder()
    if binary.push(sample) or binary.hello is not None or binary.heartbeat is not None:
        return BINARY
    lines = [line.rstrip(b"\r") for line in sample[:SAMPLE_BYTES].split(b"\n")]
    for line in lines:
        if line.startswith(b"{") and b'"magic"' in line and MAGIC[:-1].encode() in line:
            return ADR018
        for name, dialect in NUMBER_DIALECTS.items():
            if dialect.header:
                if line.startswith(dialect.header):
                    return name
            elif len(re.findall(rb"-?\d+", line)) > _FEW_NUMBERS and dialect.row.fullmatch(line):
                return name
    raise InputError(
        f"{where} holds no CSI that edgehar can read",
        reason=Reason.FORMAT,
        hint=f"docs/csi.md lists the dialects; name one with --dialect: {', '.join(DIALECTS)}",
    )
