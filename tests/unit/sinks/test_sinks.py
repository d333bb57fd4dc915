"""Sinks: every decision at once, in order, and never without the simulated mark."""

import asyncio
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.sinks import SINKS, open_sink
from edgehar.sinks.jsonl import JsonlSink, encode
from edgehar.sinks.lines import LinesSink
from edgehar.sinks.live_table import LiveTable
from edgehar.testing.fault import ProtocolFaultError
from edgehar.testing.sink import check_sink
from edgehar.types import Activity, Status


def activity(**changes):
    base = {"t_ns": 5, "label": "walk", "p": 0.1 + 0.2, "status": Status.OK, "coverage": 1.0, "latency_ns": 77}
    return Activity(**{**base, "model_id": "m", "simulated": False, **changes})


def test_jsonl_file_keeps_the_sink_protocol_and_appends(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("before\n")
    check_sink(lambda: open_sink(f"jsonl:{path}"), path.read_text)
    lines = path.read_text().splitlines()
    assert lines[0] == "before"
    assert [json.loads(line)["simulated"] for line in lines[1:]] == [False] * 4 + [True] * 4


def test_jsonl_on_stdout_and_plain_console_keep_the_sink_protocol(capsys):
    for address in ("jsonl:-", "console"):
        seen = []

        def output(seen=seen):
            seen.append(capsys.readouterr().out)
            return "".join(seen)

        check_sink(lambda address=address: open_sink(address), output)


def test_lines_and_live_table_keep_the_sink_protocol():
    for make in (LinesSink, lambda stream: LiveTable(console=Console(file=stream, force_terminal=True, width=120))):
        stream = io.StringIO()
        check_sink(lambda make=make, stream=stream: make(stream), stream.getvalue)


def test_every_registered_sink_is_checked_here():
    assert set(SINKS) == {"console", "jsonl"}


def test_a_sink_that_drops_the_mark_is_found_out():
    class Forgetful(LinesSink):
        async def emit(self, activity):
            object.__setattr__(activity, "simulated", False)
            await super().emit(activity)

    stream = io.StringIO()
    with pytest.raises(ProtocolFaultError, match="simulated"):
        check_sink(lambda: Forgetful(stream), stream.getvalue)


def test_json_line_reads_back_exactly_and_keeps_latency_apart():
    line = json.loads(encode(activity()))
    assert line.pop("meta") == {"latency_ns": 77}
    assert line == {
        "t_ns": 5,
        "label": "walk",
        "p": 0.1 + 0.2,
        "status": "OK",
        "coverage": 1.0,
        "model_id": "m",
        "simulated": False,
    }
    assert "\n" not in encode(activity(label="a\nb"))


def test_the_table_shows_truth_and_footer_and_only_the_newest_rows():
    stream = io.StringIO()
    console = Console(file=stream, width=120)

    async def go():
        table = LiveTable(title=lambda: "demo", truth=lambda a: "sit", footer=lambda: "90 % right", console=console)
        async with table:
            for i in range(30):
                await table.emit(activity(label=f"label{i}", t_ns=i * 10**9))
        return table

    console.print(asyncio.run(go()).render())
    shown = stream.getvalue()
    assert "label29" in shown
    assert "90 % right" in shown
    assert "sit" in shown
    assert "SIMULATED" not in shown


@pytest.mark.parametrize("address", ["mqtt:broker", "web:8080"])
def test_what_is_not_built_yet_says_so(address):
    with pytest.raises(MissingError, match="not built yet"):
        open_sink(address)


@pytest.mark.parametrize("address", ["consle", "jsonl", "jsonl:", "console:x"])
def test_addresses_that_make_no_sense_are_refused(address):
    with pytest.raises(UsageError):
        open_sink(address)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_told_as_such():
    async def go():
        async with JsonlSink("/dev/full") as sink:
            await sink.emit(activity())

    with pytest.raises(MissingError, match="No space left") as caught:
        asyncio.run(go())
    assert caught.value.reason is Reason.DISK_FULL


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    async def go():
        async with JsonlSink(str(tmp_path / "no" / "x.jsonl")):
            pass

    with pytest.raises(MissingError, match=r"x\.jsonl"):
        asyncio.run(go())


def test_the_table_says_which_sensors_a_decision_rests_on():
    def shown(sensors):
        async def go():
            async with LiveTable(console=Console(file=io.StringIO(), width=120)) as table:
                await table.emit(activity(sensors=sensors))
                return table.render()

        console = Console(file=io.StringIO(), width=120)
        console.print(asyncio.run(go()))
        return console.file.getvalue()

    assert "wrist+leg" in shown(("wrist", "leg"))
    assert "sensors" not in shown(())
