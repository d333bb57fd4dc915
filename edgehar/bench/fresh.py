"""`edgehar bench startup` and `memory`: fresh processes, from exec to the first decision, and what they hold."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from edgehar.bench.peers import PEERS, Desk, field_of
from edgehar.bench.timing import machine
from edgehar.bundle import Bundle, save_bundle
from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.recording import RecordingWriter
from edgehar.runtimes.onnx_file import SAMPLES, behind_preprocessing, read_description
from edgehar.types import Chunk, StreamSpec

Report = Callable[[int, int], None]
WINDOWS = 20
"""How long the stream of a measured run is, in windows."""


@dataclass(frozen=True, slots=True)
class FreshRun:
    """One process: seconds from exec to its first line, CPU seconds in all, largest resident memory.

    CPU time is that of user and system, which other work on the machine hardly changes.
    """

    first_s: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Fresh:
    """Medians by name; `absent`: what could not be run here, and why."""

    medians: Mapping[str, FreshRun]
    runs: int
    absent: Mapping[str, str]
    machine: Mapping[str, object]

    def json(self) -> dict[str, object]:
        """Plain JSON types."""
        medians = {name: asdict(run) for name, run in self.medians.items()}
        return {"runs": self.runs, "processes": medians, "absent": dict(self.absent), "machine": dict(self.machine)}


def measure_fresh(
    bundle: Bundle, against: Sequence[str], desk: Desk, *, runs: int = 5, report: Report | None = None
) -> Fresh:
    """`edgehar run` with Numba, and with the exported C where a compiler is, beside bare scripts of the peers.

    Each is started once before, which compiles and caches what can be, then `runs` times, all in turn. A peer's script
    loads its file and decides windows: it neither reads a recording nor preprocesses, smooths or abstains.
    """
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        commands = {"edgehar run, numba": _run_command(bundle, directory, "numba")}
        try:
            desk.module(bundle, directory / "c")
            command = _run_command(bundle, directory, "c")
            run_fresh(command)
            commands["edgehar run, c"] = command
        except (MissingError, UsageError) as error:
            absent["edgehar run, c"] = str(error)
        for name in against:
            if name != "c":
                commands[f"{name}, a bare script"] = _peer_command(name, bundle, desk, directory)
        for command in commands.values():
            run_fresh(command)
        found: dict[str, list[FreshRun]] = {name: [] for name in commands}
        for turn in range(runs):
            for number, (name, command) in enumerate(commands.items()):
                found[name].append(run_fresh(command))
                if report is not None:
                    report(turn * len(commands) + number + 1, runs * len(commands))
    return Fresh({name: _median(each) for name, each in found.items()}, runs, absent, machine())


def run_fresh(command: Sequence[str]) -> FreshRun:
    """Run the command to its end, watching for its first line. Raises InputError where it fails or says nothing."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stderr is None:
            raise RuntimeError("Popen gave no pipes")
        line = process.stdout.readline()
        first = time.perf_counter() - began
        peak = _peak_mib(process.pid) or 0.0
        for _ in process.stdout:
            peak = _peak_mib(process.pid) or peak
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not line:
        last = (said.strip().splitlines() or ["it printed nothing"])[-1]
        raise InputError(
            f"exit code {process.returncode} of {' '.join(command)}: {last}",
            reason=Reason.VALUE,
            hint="run that command by itself to see what it says",
        )
    return FreshRun(first, used.ru_utime + used.ru_stime, peak)


def _peak_mib(pid: int) -> float | None:
    """Largest resident memory so far (wait4's figure would count the parent's before exec); None once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


def _median(runs: Sequence[FreshRun]) -> FreshRun:
    return FreshRun(*(statistics.median(getattr(run, name) for run in runs) for name in FreshRun.__slots__))


def _run_command(bundle: Bundle, directory: Path, runtime: str) -> list[str]:
    """The live command on a recording of the bundle's own golden samples."""
    path, recording = directory / "model.edgehar", directory / "stream.mcap"
    if not recording.exists():
        save_bundle(replace(bundle, path=""), path)
        _write_stream(bundle, recording)
    command = [sys.executable, "-m", "edgehar", "run", str(path), "--source", f"replay:{recording}"]
    return [*command, "--speed", "0", "--json", "--runtime", runtime]


def _write_stream(bundle: Bundle, path: Path) -> None:
    """As many samples as WINDOWS windows need, standing still: what is measured does not depend on their values."""
    contract, window = bundle.manifest.contract, bundle.manifest.window
    spec = StreamSpec(contract.kind, contract.channels, contract.rate_hz, contract.units, contract.axes)
    n = WINDOWS * window
    t_ns = np.rint(np.arange(n) * (1e9 / contract.rate_hz)).astype(np.int64)
    x = np.zeros((n, len(contract.channels)), np.float32)
    with RecordingWriter(path, {"main": spec}) as writer:
        writer.write(Chunk(spec, t_ns, t_ns, np.arange(n), x, np.zeros(n, np.uint16)))


def _peer_command(name: str, bundle: Bundle, desk: Desk, directory: Path) -> list[str]:
    if name not in SCRIPTS:
        if name not in PEERS:
            field_of(name, bundle, desk)
        raise UsageError(f"{name} has no start of its own", reason=Reason.VALUE, hint=f"choose: {', '.join(SCRIPTS)}")
    kind, form = SCRIPTS[name]
    file, windows = directory / f"{name}.{kind}", directory / "windows.npy"
    content = desk.file(bundle, kind, form)
    if kind == "onnx":
        content = behind_preprocessing(content, str(read_description(content, str(file))[SAMPLES]))
    file.write_bytes(content)
    np.save(windows, np.asarray(bundle.golden["x"][:WINDOWS], np.float32))
    return [sys.executable, str(Path(__file__).with_name("bare_script.py")), name, str(file), str(windows)]


SCRIPTS: Mapping[str, tuple[str, str]] = {
    "litert": ("tflite", "window"),
    "ort": ("onnx", "window"),
    "torch": ("torchscript", "window"),
}
"""What a peer's bare script loads: kind and form of the file."""
