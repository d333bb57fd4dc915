"""The one pickle: checked by its SHA-256, opened by NumPy's constructors only, and nothing else imports pickle."""

from __future__ import annotations

import ast
import functools
import hashlib
import http.server
import io
import os
import pickle
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

import edgehar
from edgehar.datasets import seglearn
from edgehar.datasets.session import ImportOptions
from edgehar.datasets.store import write_dataset
from edgehar.errors import InputError, MissingError, Reason


def small_file() -> bytes:
    """An array as in the wheel, but small."""
    series = np.empty(2, object)
    series[0], series[1] = np.arange(600.0).reshape(100, 6), np.ones((80, 6))
    content = {
        "X": series,
        "y": np.array([0, 1]),
        "subject": np.array([1, 10]),
        "side": np.array([1, 0]),
        "y_labels": ["PEN", "ABD"],
        "X_labels": ["ax", "ay", "az", "wx", "wy", "wz"],
    }
    file = io.BytesIO()
    np.save(file, np.array(content, object), allow_pickle=True)
    return file.getvalue()


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> bytes:
    content = small_file()
    monkeypatch.setattr(seglearn, "SHA256", hashlib.sha256(content).hexdigest())
    allowed = {("numpy._core.multiarray", "_reconstruct"): "numpy array", **seglearn._ALLOWED}
    monkeypatch.setattr(seglearn, "_ALLOWED", allowed)
    return content


@pytest.mark.parametrize("where", ["npy", "wheel"])
def test_recordings(tmp_path: Path, known: bytes, where: str) -> None:
    path = tmp_path / ("w.whl" if where == "wheel" else "watch_dataset.npy")
    if where == "wheel":
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(seglearn.MEMBER, known)
    else:
        path.write_bytes(known)
    dataset = write_dataset(seglearn.open_seglearn(path, ImportOptions()), tmp_path / "out")
    assert [(r.name, r.subject, r.extra["side"]) for r in dataset.recordings] == [
        ("01_000", "01", "right"),
        ("10_001", "10", "left"),
    ]
    recording = dataset.recordings[0].open()
    np.testing.assert_array_equal(recording.read().x, np.arange(600, dtype=np.float32).reshape(100, 6))
    assert recording.labels[0].label == "PEN"


def test_another_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "watch_dataset.npy").write_bytes(small_file())
    with pytest.raises(InputError, match="has SHA-256") as caught:
        seglearn.open_seglearn(tmp_path / "watch_dataset.npy", ImportOptions())
    assert caught.value.reason is Reason.DAMAGED


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    with pytest.raises(InputError, match=r"asks for posix\.mkdir"):
        seglearn.unpickle_array(header.getvalue() + pickle.dumps(Evil(), protocol=2))
    assert not (tmp_path / "owned").exists()


def test_absent_package_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingError, match="is not installed") as caught:
        seglearn.open_seglearn(Path("installed"), ImportOptions())
    assert "pip install --no-deps seglearn" in caught.value.hint
    with pytest.raises(MissingError, match="there is no file"):
        seglearn.open_seglearn(tmp_path / "absent.whl", ImportOptions())
    (tmp_path / "bad.whl").write_bytes(b"no zip")
    with pytest.raises(InputError, match="is not a seglearn wheel"):
        seglearn.open_seglearn(tmp_path / "bad.whl", ImportOptions())


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize("tampered", [False, True])
def test_download_checks_the_wheel(tmp_path: Path, known: bytes, monkeypatch, tampered: bool) -> None:
    pytest.importorskip("pooch")
    with zipfile.ZipFile(tmp_path / "s.whl", "w") as wheel:
        wheel.writestr(seglearn.MEMBER, known)
    sha256 = hashlib.sha256((tmp_path / "s.whl").read_bytes()).hexdigest()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(seglearn, "URL", f"http://127.0.0.1:{server.server_port}/s.whl")
    monkeypatch.setattr(seglearn, "WHEEL_SHA256", "0" * 64 if tampered else sha256)
    try:
        if tampered:
            with pytest.raises(InputError, match="is not the known file"):
                seglearn.open_seglearn(Path("download"), ImportOptions())
        else:
            assert seglearn.open_seglearn(Path("download"), ImportOptions()).count == 2
    finally:
        server.shutdown()
        server.server_close()
    if not tampered:  # from the cache now
        assert seglearn.open_seglearn(Path("download"), ImportOptions()).count == 2
    else:
        with pytest.raises(MissingError, match="cannot be had"):
            seglearn.open_seglearn(Path("download"), ImportOptions())


def test_nothing_else_imports_pickle() -> None:
    guilty = set()
    for file in Path(edgehar.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.split(".")[0] for name in names} & {
                "pickle",
                "_pickle",
                "cPickle",
                "dill",
                "cloudpickle",
                "joblib",
            }:
                guilty.add(file.name)
    assert guilty == {"seglearn.py"}
