"""The grammar of `CSI_DATA` rows, and its scanner in plain Python: the kernel in espcsi_kernel.py gives the same rows.

A row is `CSI_DATA,` and the columns of one of five dialects, then numbers in one pair of square brackets, separated by
blanks or commas, then perhaps a quote and whatever the host appended. What a dialect is, its number of columns tells;
`len` is not believed, because ESP32-CSI-Tool prints 384 there over 128 numbers. console_test may print Base64 instead
of the brackets.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.types import IntArray
from edgehar.wire.frames import Cause

TAG = b"CSI_DATA,"
AGAIN = b"CSI_DATA"  # a second one in the line: two rows ran together
HEADER = b"type,"
MAX_ROW_BYTES = 16_384  # 612 numbers with their columns take 4 KiB at most
MAX_DIGITS = 5

# The numbers that a row tells before the bracket, and the least and greatest that each may be.
COLUMNS = 12
ID, RSSI, SIG_MODE, BANDWIDTH, STBC, NOISE_FLOOR, CHANNEL, SECONDARY, T_US, FIRST_WORD, AGC_GAIN, FFT_GAIN = range(
    COLUMNS
)
_WORD = (-(2**31), 2**32 - 1)  # 32 bits, printed signed or unsigned
_BYTE = (-128, 255)  # likewise
LEAST_GREATEST = np.array(
    [_WORD, (-128, 127), (0, 3), (0, 1), (0, 3), _BYTE, (0, 255), (0, 2), _WORD, (0, 1), (-256, 255), (-256, 255)],
    np.int64,
)
ABSENT = -1


@dataclass(frozen=True, slots=True)
class Dialect:
    """Who prints such rows; `commas` before the bracket; `mac` and `at` are column numbers, `CSI_DATA` is 0."""

    name: str
    commas: int
    mac: int
    at: tuple[int, ...]


DIALECTS = (
    #                          id rs sm bw st nf ch se  t fw  ag  ff
    Dialect("csi_recv", 24, 2, (1, 3, 5, 7, 11, 14, 16, 17, 18, 23, -1, -1)),
    Dialect("csi_recv_c5_c6", 14, 2, (1, 3, -1, -1, -1, 5, 8, -1, 9, 13, 7, 6)),
    Dialect("console_test", 29, 5, (1, 6, 8, 10, 14, 17, 19, 20, 21, 28, 25, 26)),
    Dialect("csi_tool", 25, 2, (-1, 3, 5, 7, 11, 14, 16, 17, 18, -1, -1, -1)),
    Dialect("console_test_host", 27, 5, (1, 6, 8, 10, 14, 17, 19, 20, 21, 26, -1, -1)),
)
CSI_RECV, C5_C6, CONSOLE_TEST, CSI_TOOL, CONSOLE_TEST_HOST = range(len(DIALECTS))
PACKED = np.array([False, False, True, False, True])  # nulls and invalid words are left out of the numbers
SENDER_NUMBERS = np.array([True, True, False, False, False])  # `id` may be the sender's
MAX_COMMAS = max(dialect.commas for dialect in DIALECTS)
BY_COMMAS = np.full(MAX_COMMAS + 1, ABSENT, np.int64)  # dialect of a row by its commas
BY_COMMAS[[dialect.commas for dialect in DIALECTS]] = range(len(DIALECTS))
AT = np.array([dialect.at for dialect in DIALECTS], np.int64)
MAC_AT = np.array([dialect.mac for dialect in DIALECTS], np.int64)

# Why a row was refused, in the kernel's numbers.
CAUSES = (Cause.TRUNCATED, Cause.JOINED, Cause.VALUE, Cause.COLUMNS, Cause.LENGTH, Cause.OVERLONG)
TRUNCATED, JOINED, VALUE, UNKNOWN_COLUMNS, ODD, OVERLONG = range(len(CAUSES))


@dataclass(frozen=True, slots=True)
class Rows:
    """What some whole lines hold: g rows, b refused ones.

    line [g], refused [b]: index of the line. dialect [g] indexes DIALECTS. columns [g, 12] int64 as printed, 0 where
    absent. mac [g]: the address as a number. first [g], count [g]: where its numbers stand in `values`, int16.
    least, greatest [g]: of these. tail [g, 2]: begin and end, in the bytes, of what follows the bracket. cause [b]
    indexes CAUSES. lines: how many there were. log_bytes: in lines, or before a tag, that are no row.
    """

    line: IntArray
    dialect: IntArray
    columns: IntArray
    mac: IntArray
    first: IntArray
    count: IntArray
    least: IntArray
    greatest: IntArray
    tail: IntArray
    values: NDArray[np.int16]
    refused: IntArray
    cause: IntArray
    lines: int
    log_bytes: int

    def __len__(self) -> int:
        return len(self.line)


_NUMBERS = re.compile(rb" *-?\d{1,5}(?:(?: +| *, *)-?\d{1,5})* *")
_NUMBER = re.compile(rb"-?\d{1,10}")
_MAC = re.compile(rb"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")
_PRINTED = re.compile(rb"[ -~]*")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?|[A-Za-z0-9+/]{2}==")


class RefusedError(Exception):
    """A row that is none; `cause` indexes CAUSES."""

    def __init__(self, cause: int) -> None:
        super().__init__(CAUSES[cause])
        self.cause = cause


@dataclass(slots=True)
class _Row:
    dialect: int
    columns: list[int]
    mac: int
    values: NDArray[np.int16]
    tail: tuple[int, int]


def scan_py(text: bytes) -> Rows:
    """The rows of whole lines, each ended by a line feed."""
    good: list[tuple[int, _Row]] = []
    bad: list[tuple[int, int]] = []
    log_bytes = begin = 0
    for number, ended in enumerate(text.split(b"\n")[:-1]):
        line = ended.rstrip(b"\r")
        at = line.find(TAG)
        if len(ended) > MAX_ROW_BYTES:
            bad.append((number, OVERLONG))
        elif not line.startswith(HEADER):
            log_bytes += len(line) if at < 0 else at
            if at >= 0:
                try:
                    good.append((number, _row(line, at, begin)))
                except RefusedError as refused:
                    bad.append((number, refused.cause))
        begin += len(ended) + 1
    return _rows(good, bad, text.count(b"\n"), log_bytes)


def _row(line: bytes, at: int, begin: int) -> _Row:
    """The row that `line` holds from its tag at `at` on; `begin` is where the line stands in the text."""
    if line.find(AGAIN, at + len(TAG)) >= 0:
        raise RefusedError(JOINED)
    opens, closes = line.find(b"[", at), line.find(b"]", at)
    if opens < 0 and closes < 0 and line.count(b",", at) == DIALECTS[CONSOLE_TEST].commas:
        opens = line.rfind(b",") + 1
        values, end = _base64(line[opens:]), len(line)
    elif opens < 0 or closes < opens:
        raise RefusedError(TRUNCATED)
    else:
        end = closes + 1
        values = None
    head = line[at:opens].split(b",")
    dialect = int(BY_COMMAS[len(head) - 1]) if len(head) - 1 <= MAX_COMMAS else ABSENT
    if values is None and (line.find(b"[", opens + 1) >= 0 or line.find(b"]", end) >= 0):
        raise RefusedError(VALUE)
    if dialect == ABSENT:
        raise RefusedError(UNKNOWN_COLUMNS)
    mac = head[MAC_AT[dialect]]
    if not _MAC.fullmatch(mac) or not _PRINTED.fullmatch(line, at, opens):
        raise RefusedError(VALUE)
    columns = [_column(head, int(AT[dialect, k]), k) for k in range(COLUMNS)]
    values = _numbers(line[opens + 1 : closes]) if values is None else values
    if len(values) % 2:
        raise RefusedError(ODD)
    return _Row(dialect, columns, int(mac.replace(b":", b""), 16), values, (begin + end, begin + len(line)))


def _column(head: list[bytes], at: int, column: int) -> int:
    if at == ABSENT:
        return 0
    least, greatest = LEAST_GREATEST[column].tolist()
    if not _NUMBER.fullmatch(head[at]) or not least <= int(head[at]) <= greatest:
        raise RefusedError(VALUE)
    return int(head[at])


def _numbers(body: bytes) -> NDArray[np.int16]:
    if not _NUMBERS.fullmatch(body):
        raise RefusedError(VALUE)
    numbers = [int(word) for word in body.replace(b",", b" ").split()]
    if not -(2**15) <= min(numbers) <= max(numbers) < 2**15:
        raise RefusedError(VALUE)
    return np.array(numbers, np.int16)


def _base64(word: bytes) -> NDArray[np.int16]:
    if not _BASE64.fullmatch(word):
        raise RefusedError(TRUNCATED)
    try:
        return np.frombuffer(base64.b64decode(word, validate=True), np.int8).astype(np.int16)
    except binascii.Error as error:
        raise RefusedError(TRUNCATED) from error


def _rows(good: list[tuple[int, _Row]], bad: list[tuple[int, int]], lines: int, log_bytes: int) -> Rows:
    rows = [row for _, row in good]
    count = np.array([len(row.values) for row in rows], np.int64)
    return Rows(
        line=np.array([number for number, _ in good], np.int64),
        dialect=np.array([row.dialect for row in rows], np.int64),
        columns=np.array([row.columns for row in rows], np.int64).reshape(-1, COLUMNS),
        mac=np.array([row.mac for row in rows], np.int64),
        first=np.cumsum(count) - count,
        count=count,
        least=np.array([row.values.min() for row in rows], np.int64),
        greatest=np.array([row.values.max() for row in rows], np.int64),
        tail=np.array([row.tail for row in rows], np.int64).reshape(-1, 2),
        values=np.concatenate([row.values for row in rows]) if rows else np.empty(0, np.int16),
        refused=np.array([number for number, _ in bad], np.int64),
        cause=np.array([cause for _, cause in bad], np.int64),
        lines=lines,
        log_bytes=log_bytes,
    )
