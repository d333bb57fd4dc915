"""Settings files: paths resolve against the file, every mistake names file, key and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgehar.config import load_settings
from edgehar.errors import InputError, MissingError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "edgehar.toml"
    path.write_text(text)
    return path


def test_reads_and_places_files(tmp_path: Path) -> None:
    run = load_settings(write(tmp_path, '[run]\nbundle = "a.edgehar"\nsinks = ["console"]\nspeed = 0\n')).run
    assert run.bundle == str(tmp_path / "a.edgehar")
    assert run.sinks == ("console",)
    assert run.speed == 0
    assert run.source is None


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ('[run]\nsouce = "x"\n', "run.souce", "did you mean 'source'"),
        ("[run]\nspeed = -1\n", "run.speed is -1", "greater than or equal to 0"),
        ("[run]\nbundle = 3\n", "run.bundle is 3", "string"),
        ("[rum]\n", "'rum'", "run"),
        ("[run\n", "edgehar.toml", "TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        load_settings(write(tmp_path, text))
    assert says in str(caught.value)
    assert hint in caught.value.hint


def test_a_directory_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Is a directory"):
        load_settings(tmp_path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"nothing\.toml"):
        load_settings(tmp_path / "nothing.toml")
