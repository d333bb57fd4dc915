"""The fast scanner of `CSI_DATA` rows: one pass over the bytes, compiled. Its twin is `scan_py` in espcsi_rows.py.

A row that is as it should be takes the straight path; whatever is odd there is looked at again as a whole line, to name
the cause. Base64 arrays are left to the twin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgehar.dsp.kernel import kernel
from edgehar.types import IntArray
from edgehar.wire.espcsi_rows import (
    ABSENT,
    AT,
    BY_COMMAS,
    COLUMNS,
    CONSOLE_TEST,
    DIALECTS,
    HEADER,
    JOINED,
    LEAST_GREATEST,
    MAC_AT,
    MAX_COMMAS,
    MAX_DIGITS,
    MAX_ROW_BYTES,
    ODD,
    OVERLONG,
    TAG,
    TRUNCATED,
    UNKNOWN_COLUMNS,
    VALUE,
    Rows,
    scan_py,
)

_TAG = np.frombuffer(TAG, np.uint8)
_HEADER = np.frombuffer(HEADER, np.uint8)
_BASE64_COMMAS = DIALECTS[CONSOLE_TEST].commas
_PADDING = b"\n" * 16  # a token may be read past the end of its line
_LF, _CR, _QUOTE, _COMMA, _MINUS, _BLANK, _COLON, _UNDERSCORE = b'\n\r",- :_'
_OPEN, _CLOSE, _0, _C = b"[]0C"
_GOOD = -1
# What a row of the kernel's integers holds before its columns.
LINE, DIALECT, MAC, FIRST, COUNT, LEAST, GREATEST, TAIL, END = range(9)
_FIXED = 9


def scan(text: bytes) -> Rows:
    """The rows of whole lines, each ended by a line feed."""
    buf = np.frombuffer(text + _PADDING, np.uint8)
    ends = np.flatnonzero(buf[: len(text)] == _LF)
    rows = np.empty((len(ends), _FIXED + COLUMNS), np.int64)
    refused = np.empty((len(ends), 2), np.int64)
    values = np.empty(len(text) // 2 + 1, np.int16)
    good, bad, written, log_bytes = scan_kernel(
        buf, ends, rows, refused, values, _TAG, _HEADER, BY_COMMAS, AT, MAC_AT, LEAST_GREATEST
    )
    if good < 0:
        return scan_py(text)
    rows, refused = rows[:good], refused[:bad]
    return Rows(
        line=rows[:, LINE],
        dialect=rows[:, DIALECT],
        columns=rows[:, _FIXED:],
        mac=rows[:, MAC],
        first=rows[:, FIRST],
        count=rows[:, COUNT],
        least=rows[:, LEAST],
        greatest=rows[:, GREATEST],
        tail=rows[:, TAIL : END + 1],
        values=values[:written],
        refused=refused[:, 0],
        cause=refused[:, 1],
        lines=len(ends),
        log_bytes=log_bytes,
    )


@kernel
def scan_kernel(
    buf: NDArray[np.uint8],
    ends: IntArray,
    rows: IntArray,
    refused: IntArray,
    values: NDArray[np.int16],
    tag: NDArray[np.uint8],
    header: NDArray[np.uint8],
    by_commas: IntArray,
    at: IntArray,
    mac_at: IntArray,
    least_greatest: IntArray,
) -> tuple[int, int, int, int]:
    """Lines end at `ends`; returns (rows, refused rows, values written, log bytes), rows = -1: Base64 is among them."""
    comma = np.empty(MAX_COMMAS + 2, np.int64)  # comma[k]: where column k + 1 begins, less one
    good, bad, written, log_bytes = 0, 0, 0, 0
    begin = 0
    for number in range(len(ends)):
        start, end = begin, ends[number]
        begin = end + 1
        if end - start > MAX_ROW_BYTES:
            refused[bad, 0], refused[bad, 1] = number, OVERLONG
            bad += 1
            continue
        while end > start and buf[end - 1] == _CR:
            end -= 1

        # Where the tag is: at the line's begin as a rule.
        found, k = start, 0
        while found + len(tag) <= end:
            k = 0
            while k < len(tag) and buf[found + k] == tag[k]:
                k += 1
            if k == len(tag):
                break
            found += 1
        k_header = 0
        while k_header < len(header) and start + k_header < end and buf[start + k_header] == header[k_header]:
            k_header += 1
        if k_header == len(header):
            continue
        if found + len(tag) > end:
            log_bytes += end - start
            continue
        log_bytes += found - start

        # Columns, up to the bracket.
        cause = _GOOD
        odd_line = False  # look at the line as a whole
        commas = 0
        j = found
        while j < end and buf[j] != _OPEN:
            c = buf[j]
            if c == _COMMA:
                comma[min(commas, MAX_COMMAS)] = j
                commas += 1
            elif c < _BLANK or c > 126:
                cause = VALUE
            elif c in (_UNDERSCORE, _CLOSE):
                odd_line = odd_line or j >= found + len(tag)
            j += 1
        opens = j
        dialect = by_commas[commas] if commas <= MAX_COMMAS else ABSENT
        if dialect == ABSENT:
            cause = UNKNOWN_COLUMNS
        if opens == end:
            cause = TRUNCATED
        mac = np.int64(0)
        if cause == _GOOD:
            comma[commas] = opens
            j = comma[mac_at[dialect] - 1] + 1
            if comma[mac_at[dialect]] - j != 17:
                cause = VALUE
            for k in range(17 if cause == _GOOD else 0):
                c = np.int64(buf[j + k])
                if k % 3 == 2:
                    if c != _COLON:
                        cause = VALUE
                elif _0 <= c <= 57:
                    mac = mac * 16 + c - _0
                elif 97 <= (c | 32) <= 102:
                    mac = mac * 16 + (c | 32) - 87
                else:
                    cause = VALUE
        for field in range(at.shape[1] if cause == _GOOD else 0):
            rows[good, _FIXED + field] = 0
            if at[dialect, field] == ABSENT:
                continue
            j, stop = comma[at[dialect, field] - 1] + 1, comma[at[dialect, field]]
            negative = j < stop and buf[j] == _MINUS
            j += negative
            if j == stop or stop - j > 10:
                cause = VALUE
                break
            number_ = np.int64(0)
            while j < stop:
                digit = np.int64(buf[j]) - _0
                if digit < 0 or digit > 9:
                    cause = VALUE
                number_ = number_ * 10 + digit
                j += 1
            number_ = -number_ if negative else number_
            if number_ < least_greatest[field, 0] or number_ > least_greatest[field, 1]:
                cause = VALUE
            rows[good, _FIXED + field] = number_

        # Numbers, up to the bracket's end. One token a turn, read without a branch on how long it is.
        j = opens + 1
        first = written
        least, greatest = np.int64(0), np.int64(0)
        closed = False
        if cause == _GOOD:
            while buf[j] == _BLANK:
                j += 1
            least, greatest = np.int64(32767), np.int64(-32768)
            while True:
                # The five bytes at j as a sign and digits, both readings at once: what they are does not wait.
                b0, b1, b2, b3 = np.int64(buf[j]), np.int64(buf[j + 1]), np.int64(buf[j + 2]), np.int64(buf[j + 3])
                minus = b0 == _MINUS
                d0, d1, d2 = (b1, b2, b3) if minus else (b0, b1, b2)
                d0, d1, d2 = d0 - _0, d1 - _0, d2 - _0
                two = (d1 >= 0) & (d1 <= 9)
                three = two & (d2 >= 0) & (d2 <= 9)
                if d0 < 0 or d0 > 9:
                    cause = VALUE
                    break
                value = (d0 * 100 + d1 * 10 + d2) if three else ((d0 * 10 + d1) if two else d0)
                j += 1 + minus + two + three
                if three:
                    digits = 3
                    while _0 <= buf[j] <= 57 and digits <= MAX_DIGITS:
                        value = value * 10 + (np.int64(buf[j]) - _0)
                        digits += 1
                        j += 1
                    if digits > MAX_DIGITS:
                        cause = VALUE
                        break
                value = -value if minus else value
                least, greatest = min(least, value), max(greatest, value)
                values[written] = value
                written += 1
                c = buf[j]
                if c in (_COMMA, _BLANK) and (buf[j + 1] == _MINUS or _0 <= buf[j + 1] <= 57):
                    j += 1
                    continue
                separators, blanks = 0, 0
                while buf[j] == _BLANK or (buf[j] == _COMMA and separators == 0):
                    separators += buf[j] == _COMMA
                    blanks += buf[j] == _BLANK
                    j += 1
                if buf[j] == _CLOSE and separators == 0:
                    closed = True
                    break
                if separators + blanks == 0 or buf[j] == _CLOSE:
                    cause = VALUE
                    break
            if cause == _GOOD and (least < -32768 or greatest > 32767):
                cause = VALUE
            if cause == _GOOD and (written - first) % 2:
                cause = ODD
        tail = j + 1
        if closed:
            for k in range(tail, end):
                c = buf[k]
                odd_line = odd_line or c in (_OPEN, _CLOSE, _UNDERSCORE)

        if cause != _GOOD or odd_line:
            # The whole line from its tag: does it hold two rows, or no whole bracket?
            again = False
            n_open, n_close, n_comma, first_open, first_close = 0, 0, 0, -1, -1
            for k in range(found, end):
                c = buf[k]
                n_comma += c == _COMMA
                if c == _OPEN:
                    n_open += 1
                    first_open = k if first_open < 0 else first_open
                elif c == _CLOSE:
                    n_close += 1
                    first_close = k if first_close < 0 else first_close
                elif c == _C and k >= found + len(tag) and k + len(tag) - 1 <= end:
                    m = 0
                    while m < len(tag) - 1 and buf[k + m] == tag[m]:
                        m += 1
                    again = again or m == len(tag) - 1
            if again:
                cause = JOINED
            elif n_open == 0 and n_close == 0 and n_comma == _BASE64_COMMAS:
                return -1, 0, 0, 0
            elif n_open == 0 or n_close == 0 or first_close < first_open:
                cause = TRUNCATED
            elif n_open > 1 or n_close > 1:
                cause = VALUE
        if cause != _GOOD:
            refused[bad, 0], refused[bad, 1] = number, cause
            bad += 1
            written = first
            continue
        rows[good, LINE], rows[good, DIALECT], rows[good, MAC] = number, dialect, mac
        rows[good, FIRST], rows[good, COUNT] = first, written - first
        rows[good, LEAST], rows[good, GREATEST] = least, greatest
        rows[good, TAIL], rows[good, END] = tail, end
        good += 1
    return good, bad, written, log_bytes
