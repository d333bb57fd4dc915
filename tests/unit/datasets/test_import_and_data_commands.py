"""`edgehar import`, `data` and `repair` as typed: output, JSON alone on stdout, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_sets import SPEC, people

from edgehar.cli.app import main
from edgehar.recording import RecordingWriter
from edgehar.types import Chunk

TABLE = "t_s,acc_x[g],label\n" + "".join(f"{i * 0.02:.2f},{i % 7},{'walk' if i < 150 else 'sit'}\n" for i in range(300))


def test_import_then_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ann_1.csv").write_text(TABLE)
    out = str(tmp_path / "d")
    assert main(["import", "csv", str(tmp_path / "ann_1.csv"), "--out", out, "--placement", "wrist", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["recordings"], told["subjects"], told["labels"]) == (1, 1, ["walk", "sit"])
    assert main(["data", out, "--json", "--plot", str(tmp_path / "d.png")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["class_seconds"] == {"walk": 3.0, "sit": 3.0}
    assert (told["rate_hz"], told["gaps"], told["subjects"]) == (50.0, 0, ["ann"])
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    assert main(["data", out]) == 0
    text = capsys.readouterr().out
    assert "1: ann" in text
    assert "50 Hz, measured 50 to 50 Hz" in text


def test_gaps_and_unlabelled_time_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = TABLE.splitlines()
    (tmp_path / "ann_1.csv").write_text("\n".join(lines[:51] + lines[101:]).replace("sit", ""))
    assert main(["import", "csv", str(tmp_path / "ann_1.csv"), "--out", str(tmp_path / "d")]) == 0
    capsys.readouterr()
    assert main(["data", str(tmp_path / "d"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["gaps"], told["missing_seconds"]) == (1, 1.0)
    assert told["class_seconds"] == {"walk": 2.0, "(none)": 3.0}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["import", "uci-hra", "x", "--out", "y"], 2, "did you mean 'uci-har"),
        (["import", "npz", "absent.npz", "--out", "y"], 3, "there is no file absent.npz"),
        (["data", "absent"], 3, "absent is not a dataset"),
        (["repair", "absent.mcap", "new.mcap"], 3, "there is no recording absent.mcap"),
    ],
)
def test_errors_say_what_to_do(tmp_path, monkeypatch, capsys, arguments: list[str], code: int, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    told = capsys.readouterr()
    assert message in told.err
    assert "next: " in told.err
    assert told.out == ""


def test_unwritable_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people(tmp_path / "d", 1)
    assert main(["data", str(tmp_path / "d"), "--plot", str(tmp_path / "x.docx")]) == 2
    assert "ends in .png" in capsys.readouterr().err


def test_repair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    n = 200
    stamps = np.arange(n) * 20_000_000
    path = tmp_path / "old.mcap"
    with RecordingWriter(path, SPEC) as writer:
        writer.write(Chunk(SPEC, stamps, stamps, np.arange(n), np.zeros((n, 2), np.float32), np.zeros(n, np.uint16)))
    path.write_bytes(path.read_bytes()[:-700])
    assert main(["repair", str(path), str(tmp_path / "new.mcap"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["samples"] in (150, 200)
    assert told["lost_chunks"] == 0


def test_datasets_import_without_the_desk_packages() -> None:
    heavy = ("torch", "sklearn", "scipy", "pandas", "matplotlib", "pooch")
    script = f"""
import sys, importlib, pkgutil, edgehar.datasets
for module in pkgutil.iter_modules(edgehar.datasets.__path__):
    importlib.import_module('edgehar.datasets.' + module.name)
print([name for name in {heavy} if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
