"""atheris on the decoders of CSI text: a short run always; in the slow tier a minute, or EDGEHAR_FUZZ_S seconds."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import text_rows as say

TARGET = Path(__file__).with_name("fuzz_csi_text.py")
WORDS = [
    b"CSI_DATA,",
    b']\\"',
    b"[",
    b",-",
    b"type,",
    b"\\x0d\\x0a",
    b"\\x1b[0;31m",
    b"1a:00:00:00:00:00",
    b"AP",
    b".0,",
]
SEEDS = [
    b"\0\x40" + say.csi_recv(say.numbers(128)) + say.csi_tool(say.numbers(128), tail=",159.5"),
    b"\0\x07" + say.csi_recv_c5(say.numbers(106)) + say.console_test(say.numbers(104)),
    b"\0\xff" + say.console_test(say.numbers(104), body="QUJDRA==") + b"I (3) boot: x\n" + say.csi_recv([1, 2]),
    b"\1\x20" + b'{"magic": "0xC5110001", "timestamp": 1.5, "node_id": 1, "size": 24, "rssi": -3, '
    b'"iq_hex": "01020304", "subcarriers": 2}\n',
    b"\2\x20" + b"4294967290 " + b"1 -2 " * 64 + b"\n",
    b"\3\x20" + b"esp_timestamp_us,rssi,i0,q0\n5,-40" + b",3" * 128 + b"\n",
    b"\4\x20" + b"timestamp,I0,Q0\n2025-05-21 14:20:01.206000" + b",3" * 104 + b"\n",
    b"\5\x20" + b"time,sc_0\n0.5" + b",3.0" * 128 + b",,\r\n",
    b"\6\x20" + b"0.5\r\n" + b"3\t" * 256 + b"\r\n",
]  # fmt: skip


@pytest.fixture
def fuzz(tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install 'edgehar[dev]' (Linux on x86-64)")
    (tmp_path / "corpus").mkdir()
    for number, seed in enumerate(SEEDS):
        (tmp_path / "corpus" / f"seed{number}").write_bytes(seed)
    (tmp_path / "words").write_text("".join(f'"{word.decode()}"\n' for word in WORDS))

    def run(*options):
        done = subprocess.run(
            [sys.executable, TARGET, "-seed=1", "-max_len=8192", "-timeout=300", "-dict=words", *options, "corpus"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        assert "INITED" in done.stderr, done.stderr[-4000:]

    return run


def test_the_decoders_keep_their_promises_on_a_thousand_inputs(fuzz):
    fuzz("-runs=1500")


@pytest.mark.slow
def test_the_decoders_keep_their_promises_for_a_minute(fuzz):
    fuzz(f"-max_total_time={os.environ.get('EDGEHAR_FUZZ_S', '60')}")
