"""What the command line says before any command works: short help, packages that an extra brings, system errors."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from edgehar.cli.app import COMMANDS, SHORT, main
from edgehar.cli.extras import EXTRAS

ROOT = Path(__file__).parents[3]


def test_help_lists_every_command_in_one_whole_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(SHORT) == list(COMMANDS)
    main(["--help"])
    listed = capsys.readouterr().out
    assert all(short in listed for short in SHORT.values())


@pytest.mark.parametrize(
    ("module", "extra", "command"),
    [
        ("torch", "train", ["train", "--dataset", "d", "--model", "cnn", "--out", "o"]),
        ("torch", "train", ["compress", "b.edgehar", "--dataset", "d", "--out", "o.edgehar"]),
    ],
)
def test_a_package_that_an_extra_brings_is_named(
    module: str,
    extra: str,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    assert main(command) == 3
    told = capsys.readouterr()
    assert module in told.err
    assert f"pip install 'edgehar[{extra}]'" in told.err
    assert not told.out
    assert not list(tmp_path.iterdir())


def test_every_extra_that_is_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS.values()) <= set(extras)


def test_a_systems_error_names_the_file_without_pythons_brackets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("t_ns,acc_x[g]\n0,1\n20000000,1\n")
    assert main(["import", "csv", str(tmp_path / "a.csv"), "--out", str(tmp_path / "a.csv" / "sub")]) == 3
    told = capsys.readouterr().err
    assert "Not a directory" in told
    assert "a.csv" in told
    assert "Errno" not in told
