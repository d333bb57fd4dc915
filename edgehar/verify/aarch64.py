"""Targets `cortex-a53:...` and `cortex-a72:...`: our runtimes and LiteRT and ONNX Runtime on an emulated Linux board.

EDGEHAR_ARM64_ROOT names a Debian arm64 root directory with the aarch64 wheels, such as the Raspberry Pi installer
leaves behind (packages in ROOT/opt/edgehar/venv). qemu-user runs its Python; neither privileges nor chroot are needed.

onnxruntime and LiteRT look up the CPU in /proc/cpuinfo and /sys, where an emulated program would find this machine's:
so the root gets files that describe the emulated one, unless it has its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import edgehar
from edgehar.bundle import save_bundle
from edgehar.errors import EdgeHarError, Reason
from edgehar.types import FloatArray
from edgehar.verify.choose import ROOT_VARIABLE
from edgehar.verify.files import FileTarget
from edgehar.verify.litert import LitertTarget
from edgehar.verify.ort import OnnxTarget
from edgehar.verify.target import Footprint, Subject, Trace

EMULATOR = "qemu-aarch64-static"
PATIENCE_S = 3600
"""Only so that a hang ends: compiling kernels there takes half a minute, and many on a busy machine."""
PARTS = {"cortex-a53": 0xD03, "cortex-a72": 0xD08}
"""Arm's part numbers, as /proc/cpuinfo shows them."""
FILES: Mapping[str, type[FileTarget]] = {"litert": LitertTarget, "onnxruntime": OnnxTarget}
# What the desk's environment would tell the board's Python and libraries.
FOREIGN = ("PYTHONHOME", "VIRTUAL_ENV", "OPENBLAS_CORETYPE", "NUMBA_CPU_NAME", "LD_PRELOAD", "LD_LIBRARY_PATH")


class Aarch64Target:
    """`CPU:RUNTIME`; runs `edgehar.verify.worker` there."""

    def __init__(self, name: str, subject: Subject) -> None:
        self.subject = subject
        self.cpu, _, self.runtime = name.partition(":")
        self.own_arithmetic = self.runtime not in FILES
        self.root = Path(os.environ.get(ROOT_VARIABLE, ""))
        # The file is made here, where the exporters are installed.
        self._twin = FILES[self.runtime](self.runtime, subject) if self.runtime in FILES else None
        self._kernels = tempfile.TemporaryDirectory(prefix="edgehar-")  # compiling them there takes minutes

    def missing(self) -> str | None:
        if not os.environ.get(ROOT_VARIABLE):
            return f"make an arm64 root with the wheels and name it: {ROOT_VARIABLE}=DIR (docs/verify.md)"
        here = None if self._twin is None else self._twin.missing()
        if here is not None:
            return here
        if shutil.which(EMULATOR) is None:
            return "apt-get install qemu-user-static"
        if not self._packages().is_dir():
            return f"{self.root} has no packages in opt/edgehar/venv: install edgehar there (docs/verify.md)"
        if self._twin is not None and (self.root / "proc" / "self").exists():
            return f"umount {self.root}/proc: it shows this machine's CPU, not the emulated one"
        absent = [name for name in self._modules() if not (self._packages() / name).exists()]
        return f"{self.root}: pip install {' '.join(absent)} there (docs/verify.md)" if absent else None

    def logits(self, x: FloatArray) -> FloatArray:
        return self._run(x, x[:0, 0])["logits"]

    def streamed(self, x: FloatArray) -> FloatArray | None:
        if self._twin is not None:
            return None  # a file of whole windows
        return self._run(np.zeros((1, self.subject.graph.window, x.shape[1]), np.float32), x).get("streamed")

    def trace(self, _: FloatArray) -> Trace:
        """Nothing: the same target on this machine is easier to look into."""
        return {}

    def faults(self) -> list[str]:
        return []

    def logit_step(self) -> float | None:
        return self.subject.logit_step if self.own_arithmetic else None

    def footprint(self) -> Footprint:
        return Footprint() if self._twin is None else self._twin.footprint()

    def _packages(self) -> Path:
        found = sorted(self.root.glob("opt/edgehar/venv/lib/python3*/site-packages"))
        return found[0] if found else self.root / "opt/edgehar/venv"

    def _modules(self) -> tuple[str, ...]:
        own = {"numba": ("numba",), "litert": ("ai_edge_litert",), "onnxruntime": ("onnxruntime",)}
        return ("numpy", "safetensors", *own.get(self.runtime, ()))

    def _run(self, x: FloatArray, stream: FloatArray) -> dict[str, FloatArray]:
        _describe_cpu(self.root, self.cpu)
        with tempfile.TemporaryDirectory(prefix="edgehar-") as name:
            directory = Path(name)
            save_bundle(self.subject.bundle, directory / "model.edgehar")
            np.savez(directory / "in.npz", x=x, stream=stream)
            exported: list[str] = []
            if self._twin is not None:
                shutil.copy(self._twin.window_file, directory / f"model.{self._twin.ending}")
                exported = [str(directory)]
            done = self._board(
                "-m", "edgehar.verify.worker", self.runtime, str(directory / "model.edgehar"),
                str(directory / "in.npz"), str(directory / "out.npz"), *exported,
            )  # fmt: skip
            if done.returncode != 0:
                raise EdgeHarError(
                    f"{self.runtime} on {self.cpu} ended with {done.returncode}: {done.stderr.strip()[-2000:]}",
                    reason=Reason.VALUE,
                    hint="-4 is an instruction that the CPU does not have: another release of the wheel may do",
                )
            with np.load(directory / "out.npz") as arrays:
                return dict(arrays)

    def _board(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The root's Python on the emulated CPU."""
        python = self.root / "usr" / "bin" / self._packages().parent.name  # python3.11
        command = [EMULATOR, "-L", str(self.root), str(python), *arguments]
        try:
            return subprocess.run(
                command, env=self._environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise EdgeHarError(
                f"{self.runtime} on {self.cpu} did not end within {PATIENCE_S} s",
                reason=Reason.VALUE,
                hint="give it fewer windows: --windows 16",
            ) from None

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        own = {
            "QEMU_CPU": self.cpu,
            "PYTHONPATH": f"{Path(edgehar.__file__).parents[1]}:{self._packages()}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": self._kernels.name,
            "OMP_NUM_THREADS": "1",
        }
        return {**kept, **own}


def _describe_cpu(root: Path, cpu: str) -> None:
    """Give the root a cpuinfo for `cpu` with four cores, unless a real /proc is mounted there."""
    core = (
        "processor\t: {}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
        "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {:#05x}\nCPU revision\t: 3\n\n"
    )
    if not (root / "proc" / "self").exists():
        (root / "proc").mkdir(exist_ok=True)
        (root / "proc" / "cpuinfo").write_text("".join(core.format(i, PARTS[cpu]) for i in range(4)))
    cores = root / "sys" / "devices" / "system" / "cpu"
    if not cores.exists():
        cores.mkdir(parents=True)
        for name in ("possible", "present", "online"):
            (cores / name).write_text("0-3\n")
