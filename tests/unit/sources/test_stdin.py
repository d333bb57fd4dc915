"""CSV on stdin: every cut of the bytes gives the same samples; every error names line, column and value."""

import asyncio
import io
import json

import numpy as np
import pytest
from commands import edgehar

from edgehar.bundle import open_bundle
from edgehar.cli.app import main
from edgehar.demo import BUNDLE
from edgehar.errors import EdgeHarError, InputError, MissingError, Reason, UsageError
from edgehar.sources import SourceUri
from edgehar.sources.csv_rows import CsvRows
from edgehar.sources.stdin import StdinCsv, from_uri
from edgehar.testing.source import check_source
from edgehar.types import Flag, StreamSpec

SPEC = StreamSpec("imu", ("acc_x", "acc_y"), 50.0, ("g", "g"))
TEXT = b"t_ns,acc_x,acc_y\n0,1.5,-2\n20000000,nan,0.25\r\n\n40000000,,3e-1\n100000000,7,8"


def source(text, *, spec=SPEC, query="", block=7):
    stream = io.BytesIO(text)
    return StdinCsv(SourceUri.parse(f"stdin:csv{query}"), spec, lambda: stream.read(block))


def decode(text, block):
    rows = CsvRows(SPEC.channels)
    parts = [rows.feed(text[i : i + block]) for i in range(0, len(text), block)] + [rows.finish()]
    rows.check()
    return np.concatenate([t for t, _ in parts]), np.concatenate([x.reshape(-1, 2) for _, x in parts])


@pytest.mark.parametrize("block", [1, 2, 3, 16, 1000])
def test_any_cut_of_the_bytes_gives_the_same_rows(block):
    t_ns, x = decode(TEXT, block)
    assert t_ns.tolist() == [0, 20_000_000, 40_000_000, 100_000_000]
    assert np.array_equal(x, np.float32([[1.5, -2], [np.nan, 0.25], [np.nan, 0.3], [7, 8]]), equal_nan=True)


def test_keeps_the_source_protocol():
    chunks = check_source(lambda: source(TEXT), at_least=4)
    assert chunks[0].spec == SPEC


def test_a_missing_stretch_becomes_a_jump_of_the_running_number():
    chunks = check_source(lambda: source(TEXT), at_least=4)
    assert np.concatenate([c.seq for c in chunks]).tolist() == [0, 1, 2, 5]
    assert np.concatenate([c.flags for c in chunks]).tolist() == [0, 0, 0, Flag.GAP_BEFORE]


def test_columns_may_come_in_any_order():
    [chunk] = check_source(lambda: source(b"t_ns,acc_y,acc_x\n0,1,2\n", block=99))
    assert chunk.x.tolist() == [[2.0, 1.0]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"t_ns,acc_x,acc_y\n0,1,2\n20000000,1,two\n", ["line 3", "acc_y", "'two'"]),
        (b"t_ns,acc_x,acc_y\n\n\n0,1,2,3\n", ["line 4", "4 values", "3 columns"]),
        (b"t_ns,acc_x,acc_y\n0,1,2\n20000000,1", ["line 3", "2 values"]),
        (b"t_ns,acc_x,acc_y\n0.5,1,2\n", ["line 2", "t_ns", "'0.5'"]),
        (b"t_ns,acc_x,acc_y\n5,1,2\n5,1,2\n", ["line 3", "t_ns", "5 does not come after 5"]),
        (b"t_ns,acc_x,acc_y\n99999999999999999999,1,2\n", ["line 2", "99999999999999999999", "nanoseconds"]),
        (b"t_ns,acc_x,acc_y\n-9000000000000000000,1,2\n", ["line 2", "-9000000000000000000", "nanoseconds"]),
        (b"t_ns,acc_x,acc_y\n0,1,inf\n", ["line 2", "acc_y", "'inf'"]),
        (b"t_ns,acc_x,acc_y\n0,-1e39,1\n", ["line 2", "acc_x", "'-1e39'"]),
        (b"time,acc_x,acc_y\n", ["line 1", "'time'"]),
        (b"t_ns,acc_x,acc_x\n", ["line 1", "'acc_x' twice"]),
        (b"\xff\xfe\x00\n", ["line 1", "UTF-8"]),
        (b"", ["empty"]),
    ],
)
def test_errors_name_line_column_and_value(text, names):
    with pytest.raises(EdgeHarError) as caught:
        check_source(lambda: source(text, block=1000))
    assert isinstance(caught.value, InputError)
    for name in names:
        assert name in str(caught.value)
    assert caught.value.hint


def test_rows_before_a_bad_one_are_delivered():
    seen = []

    async def read():
        async with source(b"t_ns,acc_x,acc_y\n0,1,2\n20000000,3,4\noops\n60000000,5,6\n", block=1000) as opened:
            async for chunk in opened:
                seen.append(chunk.x.tolist())  # noqa: PERF401 - what was seen before the error counts

    with pytest.raises(InputError, match="line 4"):
        asyncio.run(read())
    assert seen == [[[1, 2], [3, 4]]]


def test_other_channels_than_the_contract_are_refused_with_both_sides():
    with pytest.raises(UsageError) as caught:
        check_source(lambda: source(b"t_ns,acc_x,gyro_x\n", block=99))
    assert caught.value.reason is Reason.CONTRACT
    assert "acc_x,acc_y" in str(caught.value)
    assert "acc_x,gyro_x" in str(caught.value)


def test_without_a_contract_rate_and_units_are_given_in_the_address():
    text = b"t_ns,a,b\n0,1,2\n"
    [chunk] = check_source(lambda: source(text, spec=None, query="?rate_hz=25&units=uT,1&placement=hip", block=99))
    assert chunk.spec == StreamSpec("imu", ("a", "b"), 25.0, ("uT", "1"), placement="hip")
    with pytest.raises(UsageError, match="neither rate nor units"):
        from_uri(SourceUri.parse("stdin:csv"), None)
    with pytest.raises(InputError, match="1 units for 2 channels"):
        check_source(lambda: source(text, spec=None, query="?rate_hz=25&units=g", block=99))


def test_endless_text_without_a_line_end_is_refused():
    with pytest.raises(InputError, match="line 1: no line end"):
        check_source(lambda: source(b"x" * 200_000, block=65_536))


def test_endless_text_after_good_rows_is_refused_at_its_line_and_the_rows_stand():
    seen = []

    async def read():
        async with source(b"t_ns,acc_x,acc_y\n0,1,2\n20000000,3,4\n" + b"x" * 200_000, block=100_000) as opened:
            async for chunk in opened:
                seen.append(len(chunk))  # noqa: PERF401 - what was seen before the error counts

    with pytest.raises(InputError, match="line 4: no line end"):
        asyncio.run(read())
    assert seen == [2]


def test_a_broken_stdin_is_named():
    def broken():
        if not blocks:
            raise OSError(5, "Input/output error")
        return blocks.pop()

    blocks = [b"t_ns,acc_x,acc_y\n0,1,2\n"]
    with pytest.raises(MissingError, match="Input/output error"):
        check_source(lambda: StdinCsv(SourceUri.parse("stdin:csv"), SPEC, broken))


def test_a_closed_stdin_ends_at_once_with_a_message(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(MissingError, match="stdin"):
        check_source(lambda: from_uri(SourceUri.parse("stdin:csv"), SPEC))


def test_a_file_that_is_piped_in_keeps_its_own_times(tmp_path, capsys):
    recorded = tmp_path / "a.mcap"
    assert main(["record", "--source", "virtual:imu?duration_s=12", "--speed", "0", "--out", str(recorded)]) == 0
    capsys.readouterr()
    assert main(["replay", str(recorded), "--speed", "0", "--csv"]) == 0
    table = capsys.readouterr().out.encode()
    assert table.startswith(b"# SIMULATED\n")
    done = edgehar("run", BUNDLE, "--source", "stdin:csv", "--json", given=table)
    assert done.returncode == 0, done.stderr
    decisions = [json.loads(line) for line in done.stdout.splitlines()[:-1]]
    assert all(decision["simulated"] for decision in decisions)
    times_ns = [decision["t_ns"] for decision in decisions]
    manifest = open_bundle(BUNDLE).manifest
    hop_ns = round(manifest.hop * 1e9 / manifest.contract.rate_hz)
    assert len(times_ns) > 5
    # After the first second, in which a program may still be catching up, each decision is a hop after the one before.
    assert np.abs(np.diff(times_ns)[1:] - hop_ns).max() < 1_000_000
