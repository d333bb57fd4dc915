"""One other parser on one file of ESP32-CSI-Tool rows; runs under a Python that has it, for parse.py.

    PYTHON benchmarks/parse_peer.py csikit|csiread FILE RUNS OUT.npz

Prints one JSON object: version, processor seconds of each run. OUT.npz gets what was read: `values` [n, v], the first
and the second number of each subcarrier as printed, and `rssi` [n]. Imports nothing of edgehar.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import json
import sys
import time
from typing import Any

import numpy as np


def csikit(path: str) -> Any:
    """What `CSIKit` makes of the file."""
    return importlib.import_module("CSIKit.reader").CSVBeamformReader().read_file(path)


def csiread(path: str) -> Any:
    """What `csiread` makes of the file."""
    file = importlib.import_module("csiread").ESP32(path, if_report=False)
    file.read()
    return file


def numbers(name: str, found: Any) -> tuple[np.ndarray, np.ndarray]:
    """(values [n, v], rssi [n]). The first number of a pair is the real part for CSIKit, the imaginary for csiread."""
    if name == "csikit":
        first = np.array([frame.csi_matrix.ravel() for frame in found.frames])
        rssi = np.array([frame.rssi for frame in found.frames])
        pairs = np.stack([first.real, first.imag], axis=2)
    else:
        csi, rssi = np.asarray(found.csi), np.asarray(found.rssi)
        pairs = np.stack([csi.imag, csi.real], axis=2)
    return pairs.reshape(len(pairs), -1).astype(np.int16), rssi.astype(np.int64)


def main() -> None:
    """Read the file as often as was asked."""
    name, path, runs, out = sys.argv[1:5]
    read = {"csikit": csikit, "csiread": csiread}[name]
    seconds = []
    with contextlib.redirect_stdout(io.StringIO()):
        found = read(path)  # imports, and caches of the operating system
        for _ in range(int(runs)):
            began = time.process_time()
            found = read(path)
            seconds.append(time.process_time() - began)
    values, rssi = numbers(name, found)
    np.savez(out, values=values, rssi=rssi)
    package = {"csikit": "CSIKit", "csiread": "csiread"}[name]
    print(json.dumps({"version": importlib.metadata.version(package), "seconds": seconds}))


if __name__ == "__main__":
    main()
