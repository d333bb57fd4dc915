"""`edgehar bench streams` from the command line: lines that say SIMULATED, JSON, a plot, and refusals by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from factories import random_bundle

from edgehar.bundle import save_bundle
from edgehar.cli.app import main

ASKED = ("--streams", "3", "--duration", "0.96")


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    save_bundle(random_bundle("fastgrnn", window=32, hop=16, hidden=7), tmp_path / "m.edgehar")
    return str(tmp_path / "m.edgehar")


def test_lines_say_what_was_pushed_and_that_it_is_simulated(bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "streams", bundle, *ASKED]) == 0
    told = capsys.readouterr().out
    assert "3 SIMULATED streams for 0.96 s: 144 samples, 6 decisions" in told
    assert "one core sustains" in told


def test_json_and_plot(bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edgehar[report]'")
    assert main(["bench", "streams", bundle, *ASKED, "--json", "--plot", str(tmp_path / "p.svg")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["streams"], told["samples"], told["decisions"]) == (3, 144, 6)
    assert (tmp_path / "p.svg").stat().st_size > 1000


def test_a_family_without_a_batch_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_bundle(random_bundle("gru"), tmp_path / "m.edgehar")
    assert main(["bench", "streams", str(tmp_path / "m.edgehar"), *ASKED]) != 0
    assert "is a gru" in capsys.readouterr().err
