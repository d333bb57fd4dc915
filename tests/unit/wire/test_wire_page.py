"""docs/wire.md and docs/ble-imu.md are the schema's: their tables, figures and examples."""

import re
import sys
from pathlib import Path

import pytest

from edgehar.wire.encode import encode_csi
from edgehar.wire.frames import Cause, Loss
from edgehar.wire.gatt import gatt, samples_per_notification
from edgehar.wire.imu_codec import ImuDecoder
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuSamples, ReplyStatus
from edgehar.wire.schema import schema
from tests.wire_frames import csi_frames

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "benchmarks"))

from wire_page import BLE_PAGE, PAGE, render  # noqa: E402

TEXT, BLE_TEXT = (page.read_text(encoding="utf-8") for page in (PAGE, BLE_PAGE))


@pytest.mark.parametrize("text", [TEXT, BLE_TEXT])
def test_the_tables_are_current(text):
    assert render(text) == text, "run: python benchmarks/wire_page.py"


def test_the_figures_are_the_codec_s():
    dense = csi_frames(1)
    dense.iq[:] = 1  # no zero to shorten a block
    n = len(encode_csi(dense, boot=0x0101)[0])
    assert f"at most {n} bytes: {92_160 // n} frames a second" in TEXT
    assert f"at most {schema().max_payload_bytes:,} bytes" in TEXT
    assert f"at most {schema().max_command_bytes} bytes" in TEXT


def test_every_cause_loss_and_status_is_explained():
    ours = set(Cause) - {Cause.JOINED, Cause.COLUMNS}  # of text rows
    assert [name for name in (*ours, *Loss) if f"`{name}`" not in TEXT] == []
    assert all(f"{status.value} {status.name.lower().replace('_', ' ')}" in TEXT for status in ReplyStatus)


def test_the_example_runs(capsys):
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(code[1], {})
    assert capsys.readouterr().out == "5 ['boot: ok'] 10 0\nb'#7 rate 100\\n'\n"


def test_the_profile_s_figures_are_those_of_its_table():
    link = gatt().link
    least = next(mtu for mtu in range(23, 512) if samples_per_notification(mtu, 6))
    core = (ROOT / "firmware" / "common" / "eh_tag.h").read_text()
    every_s = [int(us) // 1_000_000 for us in re.findall(r"EVERY_US (\d+)u", core)]
    assert every_s == [5, 1]
    for sentence in (
        f"`version` is {schema().version};",
        f"| interval | {link.interval_min_ms} to {link.interval_max_ms} ms |",
        f"| peripheral latency | {link.peripheral_latency} |",
        f"| supervision timeout | {link.supervision_timeout_ms // 1000} s |",
        f"A sample waits at most {link.max_wait_ms} ms",
        f"to {link.recommended_mtu} or more",
        f"Below {least} no sample fits",
        f"MTU - {link.att_overhead_bytes} bytes at most, and never more than {link.max_value_bytes}",
        f"at most {schema().max_command_bytes} bytes",
    ):
        assert sentence in BLE_TEXT, sentence


def test_the_packets_of_the_example_say_what_stands_beside_them():
    data, status = (
        bytes.fromhex("".join(line[:38] for line in block.splitlines()))
        for block in re.findall(r"```text\n(.*?)```", BLE_TEXT, re.DOTALL)
    )
    decoder = ImuDecoder()
    samples = decoder.push_packet(data)
    assert isinstance(samples, ImuSamples)
    assert (samples.boot, samples.seq, samples.t_us, samples.period_us) == (3, 1000, 5_000_000, 9615)
    assert (samples.accel_range_g, samples.gyro_range_dps) == (8, 1000)
    assert samples.x.tolist() == [[0, 0, 4096, 0, -32, 33], [-82, 16, 4080, -5, -30, 41]]
    assert round(samples.x[0, 5] / 32768 * 1000, 3) == 1.007
    assert decoder.push_packet(status) == ImuHeartbeat(3, 5_000_123, BoardFlag.RUNNING, 1002, 0, 17, 0, 84)


def test_the_profile_s_example_runs(capsys):
    code = re.search(r"```python\n(.*?)```", BLE_TEXT, re.DOTALL)
    exec(code[1], {})
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "1000 [0. 0. 1.]"
    assert second == "bad_length {'packets': 1, <Cause.LENGTH: 'bad_length'>: 1}"
    assert third == f"{gatt().characteristics['data'].uuid} 18"
