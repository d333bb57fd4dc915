"""Traces of lab meters: columns and units by header, marks, and errors that name line and value."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgehar.bench.meters import open_meter
from edgehar.bench.meters.csv_trace import CsvTrace, read_trace
from edgehar.errors import InputError, MissingError
from edgehar.testing import check_meter


def trace(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "lab.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_trace_keeps_the_contract(tmp_path: Path) -> None:
    path = trace(tmp_path, "time_s,power_mw,marker\n0,10,idle\n0.5,12,decisions\n1.0,12,1\n1.5,11,\n")
    (block,) = check_meter(lambda: CsvTrace(path, decisions=20))
    assert block.t_ns.tolist() == [0, 500_000_000, 1_000_000_000, 1_500_000_000]
    assert block.values[:, 0].tolist() == [10, 12, 12, 11]
    assert block.marks is not None
    assert block.marks.tolist() == [0, 1, 1, -1]


@pytest.mark.parametrize(
    ("header", "row", "milliwatts", "t_ns"),
    [
        ("time_s,power_w,mark", "2,0.5,0", 500, 2_000_000_000),
        ("t_us,power_uw,mark", "2,500,0", 0.5, 2_000),
        ("Time (ms),Power [mW],Marker", "2,500,0", 500, 2_000_000),
        ("timestamp_ns,current_ua,voltage_mv,mark", "7,2000,1800,0", 3.6, 7),
        ("Time(s),Current(nA),Voltage(V),mark", "1,5000,3,0", 0.015, 1_000_000_000),
        ("time_s,current_a,mark", "1,0.5,0", 1650, 1_000_000_000),
        ("Timestamp(ms),Current(uA),D0,D1,D2,D3,D4,D5,D6,D7", "0.01,1000,0,0,0,0,0,0,0,0", 3.3, 10_000),
        ("Timestamp(ms),Current(uA),D0-D7", "0.01,1000,00000000", 3.3, 10_000),
        ("time_s,current_µa,mark", "1,1000,0", 3.3, 1_000_000_000),
    ],
)
def test_units_are_in_the_header(tmp_path: Path, header: str, row: str, milliwatts: float, t_ns: int) -> None:
    cells = row.split(",")
    again = ",".join([str(float(cells[0]) + 1), *cells[1:]])
    block = read_trace(trace(tmp_path, f"{header}\n{row}\n{again}\n"), 3.3)
    assert block.t_ns[0] == t_ns
    assert block.values[0, 0] == pytest.approx(milliwatts)


def test_one_pin_or_two(tmp_path: Path) -> None:
    rows = "".join(f"{i},1,{i % 2},{i // 2}\n" for i in range(4))
    path = trace(tmp_path, f"time_ms,power_mw,D0,D1\n{rows}")
    assert read_trace(path).marks.tolist() == [0, 1, 0, 1]
    assert read_trace(path, pins=2).marks.tolist() == [0, 1, 2, 3]
    digits = "".join(f"{i},1,{i % 2}{i // 2}000000\n" for i in range(4))
    path = trace(tmp_path, f"time_ms,power_mw,D0-D7\n{digits}")
    assert read_trace(path, pins=2).marks.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no time column"),
        ("time,power_mw,mark\n0,1,0\n", "line 1: no time column with a unit"),
        ("time_s,power,mark\n0,1,0\n", "line 1: no power or current column"),
        ("time_s,current_ma,mark\n0,1,0\n", "line 1: a current but no voltage"),
        ("time_s,power_mw\n0,1\n", "line 1: no column says what the device did"),
        ("time_s,power_mw,D1\n0,1,1\n", "line 1: no column says what the device did"),
        ("time_s,power_mw,mark\n0,1,0\n1,one,0\n", "line 3: column 'power_mw' is 'one'"),
        ("time_s,power_mw,mark\n0,1,0\n1,nan,0\n", "line 3: column 'power_mw' is 'nan'"),
        ("time_s,power_mw,mark\n0,1,0\n0,1,0\n", "line 3: time 0 does not rise"),
        ("time_s,power_mw,mark\n0,1,0\n1,1\n", "line 3: 2 values under 3 columns"),
        ("time_s,power_mw,mark\n0,1,0\n1,1,resting\n", "line 3: its mark is none of ours"),
        ("time_s,power_mw,mark\n0,1,0\n1,1,9\n", "line 3: its mark is none of ours"),
        ("time_s,power_mw,D0\n0,1,0\n1,1,7\n", "line 3: its mark is none of ours"),
        ("time_s,power_mw,mark\n0,1,0\n", "line 2: 1 rows"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_trace(trace(tmp_path, text))
    assert "lab.csv" in str(caught.value)
    assert caught.value.hint


def test_a_file_that_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="No such file"):
        read_trace(tmp_path / "none.csv")
    (tmp_path / "raw.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no text"):
        read_trace(tmp_path / "raw.csv")
    with pytest.raises(MissingError, match="no trace is given"):
        open_meter("csv:lab.csv")
