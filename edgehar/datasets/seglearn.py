"""Format `seglearn`: the smartwatch recordings inside the seglearn wheel, without importing that package.

They are a pickled array, the only pickle that edgehar ever reads: its SHA-256 must be the known one, and then only
NumPy's own array constructors may be called.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from edgehar.datasets.download import download
from edgehar.datasets.session import About, ImportOptions, Session, Source, label_runs, subject_names, uniform_times_ns
from edgehar.errors import InputError, MissingError, Reason
from edgehar.types import StreamSpec

MEMBER = "seglearn/data/watch_dataset.npy"
SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
URL = (
    "https://files.pythonhosted.org/packages/8e/1d/786c3ff9c0452d0a6461a97ae248478319473777bf074ad1738d4749f2ac/"
    "seglearn-1.2.5-py3-none-any.whl"
)
WHEEL_SHA256 = "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd"
WHEEL = "pip download --no-deps seglearn==1.2.5"
RATE_HZ = 50.0
CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
UNITS = ("g", "g", "g", "radps", "radps", "radps")
_ALLOWED: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("numpy.core.multiarray", "_reconstruct"): "numpy array",
        ("numpy", "ndarray"): "numpy array",
        ("numpy", "dtype"): "numpy type",
        ("_codecs", "encode"): "bytes",
    }
)


def open_seglearn(path: Path, options: ImportOptions) -> Source:
    """140 recordings of 10 people. `path`: the wheel, watch_dataset.npy, or one of the words installed and download."""
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise InputError(
            f"{path}: watch_dataset.npy has SHA-256 {found}, not that of seglearn 1.2.5",
            reason=Reason.DAMAGED,
            hint=f"get it again: {WHEEL}",
        )
    loaded = unpickle_array(content).item()
    labels = tuple(str(label) for label in loaded["y_labels"])
    about = About(
        name=options.name or "seglearn",
        format="seglearn",
        labels=labels,
        licence="BSD-3-Clause, Copyright (c) 2018 David M. Burns",
        citation=(
            "D.M. Burns, N. Leung, M. Hardisty, C.M. Whyne, P. Henry, S. McLachlin. Shoulder physiotherapy exercise "
            "recognition: machine learning the inertial signals from a smartwatch. arXiv:1802.01489, 2018."
        ),
        source="PyPI seglearn 1.2.5, seglearn/data/watch_dataset.npy",
    )
    spec = StreamSpec("imu", CHANNELS, RATE_HZ, UNITS, placement="wrist")
    return Source(about, _sessions(loaded, spec, labels), len(loaded["X"]))


def _sessions(loaded: Mapping[str, Any], spec: StreamSpec, labels: tuple[str, ...]) -> Iterator[Session]:
    people = [int(subject) for subject in loaded["subject"]]
    named = subject_names(people)
    for number, (x, code, subject, side) in enumerate(
        zip(loaded["X"], loaded["y"], people, loaded["side"], strict=True)
    ):
        t_ns = uniform_times_ns(len(x), spec.rate_hz)
        yield Session(
            subject=named[subject],
            name=f"{number:03d}",
            spec=spec,
            t_ns=t_ns,
            seq=np.arange(len(x)),
            x=np.ascontiguousarray(x, np.float32),
            labels=label_runs(np.full(len(x), int(code)), t_ns, spec.rate_hz, labels),
            extra={"side": "right" if side == 1 else "left"},
        )


def _content(path: Path) -> bytes:
    if str(path) == "installed":
        package = importlib.util.find_spec("seglearn")  # finds it without running any of it
        if package is None or package.origin is None:
            raise MissingError(
                "the package seglearn is not installed",
                reason=Reason.NOT_INSTALLED,
                hint=f"pip install --no-deps seglearn==1.2.5, or give a wheel: {WHEEL}",
            )
        path = Path(package.origin).parent / "data" / "watch_dataset.npy"
    elif str(path) == "download":
        path = download(URL, WHEEL_SHA256, f"get the wheel by hand: {WHEEL}")
    try:
        if not path.name.endswith(".whl"):
            return path.read_bytes()
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(MEMBER)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise MissingError(f"there is no file {path}", reason=Reason.NOT_FOUND, hint=f"get it: {WHEEL}") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise InputError(
            f"{path} is not a seglearn wheel: {error}", reason=Reason.FORMAT, hint=f"get it again: {WHEEL}"
        ) from error


class _ArraysOnly(pickle.Unpickler):
    """Refuses every global but those that rebuild NumPy arrays."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise InputError(
                f"the pickled array asks for {module}.{name}", reason=Reason.DAMAGED, hint=f"get it again: {WHEEL}"
            )
        if module == "numpy.core.multiarray" and np.lib.NumpyVersion(np.__version__) >= "2.0.0":
            module = "numpy._core.multiarray"  # where NumPy 2 keeps it
        return super().find_class(module, name)


def unpickle_array(content: bytes) -> Any:
    """The object array in an .npy file, made by NumPy's constructors alone; anything else is refused."""
    stream = io.BytesIO(content)
    np.lib.format.read_magic(stream)
    np.lib.format.read_array_header_1_0(stream)
    return _ArraysOnly(stream, encoding="latin1").load()
