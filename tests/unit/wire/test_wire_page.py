"""docs/wire.md is the schema's: its tables, its figures, its example."""

import re
import sys
from pathlib import Path

from edgehar.wire.encode import encode_csi
from edgehar.wire.frames import Cause, Loss
from edgehar.wire.messages import ReplyStatus
from edgehar.wire.schema import schema
from tests.wire_frames import csi_frames

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "benchmarks"))

from wire_page import PAGE, render  # noqa: E402

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_current():
    assert render(TEXT) == TEXT, "run: python benchmarks/wire_page.py"


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
