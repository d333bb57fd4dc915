"""`edgehar firmware build --model`: a bundle's C module goes into the build, or is refused for what it lacks."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgehar.boards.firmware_model import INPUT_HEADER
from edgehar.bundle import save_bundle
from edgehar.cli.app import main
from edgehar.export import export_bundle
from edgehar.wire.encode import encode_decision
from edgehar.wire.messages import Decision
from tests.firmware.csi_model import csi_bundle

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no builder on the path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def builder(directory: Path) -> None:
    """An idf.py that builds nothing."""
    path = directory / "bin" / "idf.py"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What `edgehar export --target c --csi-layout` writes."""
    directory = tmp_path_factory.mktemp("exported")
    save_bundle(csi_bundle(), directory / "csi.edgehar")
    export_bundle(directory / "csi.edgehar", directory / "out", targets=["c"], csi_layout="classic-below-ht40")
    return directory / "out"


def test_a_model_goes_where_the_build_takes_it_from(exported, here, capsys):
    build = here / "b"
    builder(here)
    command = ["firmware", "build", "--out", str(build), "--model", str(exported)]
    assert main([*command, "--decisions-only", "--dry-run"]) == 0
    line = capsys.readouterr().out
    assert f"-DEDGEHAR_MODEL_DIR={build}/model -DEDGEHAR_DECISIONS_ONLY=1" in line
    assert not build.exists()
    subprocess.run(shlex.split(line.split(" && ")[0]), check=True, env={"PATH": os.defpath})
    copied = sorted(path.name for path in (build / "model").iterdir())
    assert {"eh_csi_input.h", "eh_model.c", "eh_stream.c"} <= set(copied)
    assert "main.c" not in copied  # the example's
    assert main(command) == 1  # the builder makes nothing, but was run
    assert "ended with exit code 0" in capsys.readouterr().err
    assert sorted(path.name for path in (build / "model").iterdir()) == copied
    assert main([*command, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["model"]
    digest = hashlib.sha256((exported / "csi.edgehar").read_bytes()).hexdigest()
    assert told == {"directory": str(exported / "c"), "model": digest[:8], "layout": "classic-below-ht40"}


def test_a_build_without_a_model_forgets_the_one_before(here, capsys):
    builder(here)
    assert main(["firmware", "build", "--dry-run"]) == 0
    assert "-DEDGEHAR_MODEL_DIR= -DEDGEHAR_DECISIONS_ONLY=0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--chip", "esp32c6"], 6, "takes frames of classic-below-ht40, the ESP32-C6 gives c6-ht20, c6-ht40"),
        (["imu_ble"], 2, "--model is for a CSI board"),
    ],
)
def test_a_model_that_does_not_fit_the_board_is_refused(options, code, said, exported, capsys):
    assert main(["firmware", "build", *options, "--model", str(exported), "--dry-run"]) == code
    err = capsys.readouterr().err
    assert said in err
    assert "next: " in err


def test_a_model_that_is_none_is_refused_with_the_command_that_makes_one(exported, tmp_path, capsys):
    build = ["firmware", "build", "--dry-run", "--model"]
    copied = shutil.copytree(exported / "c", tmp_path / "c")
    header = copied / INPUT_HEADER
    text = header.read_text()
    header.write_text(text.replace("EH_INPUT_FORMAT 1", "EH_INPUT_FORMAT 2"))
    assert main([*build, str(copied)]) == 5
    assert "another version of edgehar" in capsys.readouterr().err
    header.unlink()
    assert main([*build, str(copied)]) == 3
    err = capsys.readouterr().err
    assert f"{header} is missing" in err
    assert "edgehar export BUNDLE --target c --csi-layout LAYOUT" in err
    assert main(["firmware", "build", "--decisions-only", "--dry-run"]) == 2


def test_the_page_s_example_runs_and_its_figures_are_the_rows(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "firmware.md").read_text()
    section = page[page.index("## Decisions on the board") :].split("\n## ")[0]
    monkeypatch.chdir(tmp_path)
    save_bundle(csi_bundle(), Path("room.edgehar"))
    export, build = re.findall(r"^edgehar ((?:export|firmware) [^#\n]+)", section, re.MULTILINE)
    builder(tmp_path)
    assert main(shlex.split(export)) == 0
    assert main([*shlex.split(build), "--dry-run"]) == 0
    one = Decision(1, 0, 5, 9, 1, 0, np.float32([0.25, 1.0]))
    Path("all.bin").write_bytes(encode_decision(one))
    capsys.readouterr()
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out == "5 1 0 [0.25 1.  ]\n"
    rows = [json.loads(line) for line in (ROOT / "benchmarks/results/onboard.jsonl").read_text().splitlines()]
    table = [line for line in section.splitlines() if line.startswith("|")]
    for row in rows:
        if row["id"].startswith("onboard."):
            assert any(str(int(row["value"])) in line for line in table), row["id"]
