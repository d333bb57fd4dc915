"""An export's directory is written whole or not at all, and only an earlier export is ever replaced."""

from __future__ import annotations

import errno
import json
import resource
from pathlib import Path

import pytest

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.export.directory import SIDECAR, write_directory

FILES = {"model.onnx": b"new", "c/model.c": b"int x;"}


def sidecar(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, SIDECAR: json.dumps({"files": {name: {} for name in files}}).encode()}


def held(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_an_empty_or_absent_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "new" / "deep"):
        write_directory(place, FILES, force=False)
        assert held(place) == FILES
        assert place.stat().st_mode & 0o777 == 0o755


def test_a_filled_directory_is_refused_and_forced_only_if_it_is_an_export(tmp_path: Path) -> None:
    place = tmp_path / "out"
    old = sidecar({"old.tflite": b"old", "c/old.c": b""})
    write_directory(place, old, force=False)
    with pytest.raises(UsageError, match="not empty") as caught:
        write_directory(place, sidecar(FILES), force=False)
    assert "--force" in caught.value.hint
    assert held(place) == old
    write_directory(place, sidecar(FILES), force=True)
    assert held(place) == sidecar(FILES)
    (place / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        write_directory(place, sidecar(FILES), force=True)
    assert (place / "notes.txt").read_text() == "mine"


def test_force_never_replaces_what_edgehar_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("all of it")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        write_directory(tmp_path / "home", FILES, force=True)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(UsageError, match="is a file"):
        write_directory(tmp_path / "file", FILES, force=True)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_what_was_there(
    before: bool, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "out"
    old = sidecar({"old.tflite": b"old"}) if before else {}
    if before:
        write_directory(place, old, force=False)
    write, count = Path.write_bytes, 0

    def filling(path: Path, content: bytes) -> int:
        nonlocal count
        count += 1
        if count == 2:
            write(path, content[:1])
            raise error
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", filling)
    with pytest.raises((MissingError, KeyboardInterrupt)) as caught:
        write_directory(place, sidecar(FILES), force=True)
    if isinstance(error, OSError):
        assert caught.value.reason is Reason.DISK_FULL
    assert held(tmp_path) == {f"out/{name}": content for name, content in old.items()}
    assert [p.name for p in tmp_path.iterdir()] == (["out"] if before else [])


def test_a_limit_of_the_system_is_a_full_disk_too(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(MissingError) as caught:
            write_directory(tmp_path / "out", {"model.onnx": bytes(8192)}, force=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.reason is Reason.DISK_FULL
    assert list(tmp_path.iterdir()) == []


def test_a_swap_that_fails_puts_the_old_export_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "out"
    old = sidecar({"old.tflite": b"old"})
    write_directory(place, old, force=False)
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if target == place and not path.name.endswith(".old"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(MissingError):
        write_directory(place, sidecar(FILES), force=True)
    assert held(place) == old
