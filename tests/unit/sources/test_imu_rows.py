"""Rows of numbers from a sensor's own firmware: columns are named by whoever asks, the rest is counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgehar.errors import UsageError
from edgehar.sources.imu_rows import ImuRows, RowsChoice
from edgehar.testing.source import _check_chunk, _check_seam
from edgehar.types import Flag

NS = 1_000_000_000
CHOICE = RowsChoice.parse("t_ms,acc_x,acc_y,-,gyro_z", "mps2,mps2,dps")


def row(i, step_ms=20, *, separator=","):
    return separator.join([str(i * step_ms), f"{i}.5", "-9.81", "7", "1e-2"]).encode() + b"\r\n"


def pushed(stream, *pieces):
    chunks = [chunk for piece in pieces for chunk in stream.push(piece, NS)] + stream.finish(NS)
    for before, after in itertools.pairwise(chunks):
        _check_seam(before, after)
    for chunk in chunks:
        _check_chunk(chunk, stream.spec)
    return chunks


def joined(chunks, name):
    return np.concatenate([getattr(chunk, name) for chunk in chunks])


@pytest.mark.parametrize("separator", [",", ";", "\t", "  ", ", "])
def test_rows_become_samples_whatever_parts_their_numbers(separator):
    stream = ImuRows(CHOICE)
    data = b"".join(row(i, separator=separator) for i in range(60))
    chunks = pushed(stream, *(data[i : i + 11] for i in range(0, len(data), 11)))
    assert (stream.spec.channels, stream.spec.units) == (("acc_x", "acc_y", "gyro_z"), ("mps2", "mps2", "dps"))
    assert stream.spec.rate_hz == 50.0
    assert joined(chunks, "seq").tolist() == list(range(60))
    assert joined(chunks, "t_dev_ns").tolist() == [i * 20_000_000 for i in range(60)]
    np.testing.assert_allclose(joined(chunks, "x")[10], [10.5, -9.81, 0.01], rtol=1e-6)


def test_missing_rows_are_a_gap_by_their_times_and_bad_ones_are_counted():
    stream = ImuRows(CHOICE)
    lines = [row(i) for i in range(60) if i not in (20, 21, 40)]
    lines.insert(10, b"I (123) wifi: started\r\n")
    lines[50] = lines[50][:9] + b"\r\n"
    chunks = pushed(stream, b"second half of a line\n", *lines)
    seq, flags = joined(chunks, "seq"), joined(chunks, "flags")
    assert np.diff(seq)[np.flatnonzero(np.diff(seq) != 1)].tolist() == [3, 2, 2]
    assert np.flatnonzero(flags & Flag.GAP_BEFORE).tolist() == [10, *(np.flatnonzero(np.diff(seq) != 1) + 1).tolist()]
    assert stream.totals == {"samples": len(seq), "bad_row": 2}


def test_a_clock_that_falls_back_restarted_and_one_that_stands_still_repeats():
    stream = ImuRows(CHOICE)
    lines = [*(row(i) for i in range(100)), row(99), row(98), *(row(i) for i in range(5))]
    chunks = pushed(stream, *lines)
    flags = joined(chunks, "flags")
    assert np.flatnonzero(flags & Flag.CLOCK_RESET).tolist() == [100]
    assert stream.totals == {"samples": 105, "repeated": 2}


def test_a_broken_link_leaves_a_gap():
    stream = ImuRows(CHOICE)
    chunks = [chunk for i in range(60) for chunk in stream.push(row(i), NS)]
    stream.push(b"1200,4", NS)
    stream.interrupt()
    chunks += stream.push(b"5,1\r\n" + row(60), NS)
    assert joined(chunks, "flags")[-1] == Flag.GAP_BEFORE
    assert joined(chunks, "seq").tolist() == list(range(61))


@pytest.mark.parametrize(
    ("columns", "units", "why"),
    [
        ("acc_x,acc_y", "g,g", "name 0 times"),
        ("t_ms,t_us,acc_x", "g", "name 2 times"),
        ("t_ms,acc_x,acc_x", "g,g", "each channel once"),
        ("t_ms", "", "each channel once"),
        ("t_ms,acc_x,acc_y", "g", r"2 channels \(acc_x,acc_y\) and units=g"),
        ("t_ms,acc_x", "furlong", "units=furlong"),
    ],
)
def test_columns_that_make_no_stream_are_refused(columns, units, why):
    with pytest.raises(UsageError, match=why):
        RowsChoice.parse(columns, units)


def test_numbers_that_are_none_are_bad_rows():
    stream = ImuRows(CHOICE)
    pushed(stream, *(row(i) for i in range(5)), b"100,nan,1,1,1\n", b"120,inf,1,1,1\n", b"\xff\xfe,1,1,1,1\n")
    assert stream.totals == {"samples": 5, "bad_row": 3}
