"""An exported C module as a shared library: compiled by the device's own compiler, kept, and loaded.

Kept in $XDG_STATE_HOME/edgehar/c (default ~/.local/state), or in the system's temporary directory, under a name that
follows from the sources, the compiler, its flags and the CPU. Where nothing can be written, each start compiles again.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from edgehar.errors import InputError, MissingError, Reason
from edgehar.state_directory import is_private, state_places

SOURCES = ("eh_shared.c", "eh_model.c")
COMPILERS = ("cc", "gcc", "clang")
# One rounding per operation: the bits of every other build of the module.
FLAGS = ("-std=c99", "-O3", "-ffp-contract=off", "-fPIC", "-shared", "-fvisibility=hidden")
NATIVE = {"x86_64": "-march=native", "aarch64": "-mcpu=native"}
"""This very CPU's instructions, where compilers are sure to know them; the name of the library says which CPU."""


@dataclass(frozen=True, slots=True)
class Library:
    """A loaded library. `path` is its file, None where it could not be kept; `compile_s` 0 where it was found."""

    code: ctypes.CDLL
    path: Path | None
    compile_s: float


def load_library(directory: Path) -> Library:
    """Compile the module in `directory`, or take the library that an earlier call has left.

    Raises MissingError without a compiler, InputError for a module that does not compile.
    """
    sources = _sources(directory)
    command = _command(directory)
    place = next((place for place in state_places("c") if is_private(place)), None)
    if place is None:
        with tempfile.TemporaryDirectory() as temporary:  # loaded code outlives its file
            code, seconds = _compiled(command, directory, Path(temporary) / "model.so")
            return Library(code, None, seconds)
    library = place / f"{_key(sources, command)}.so"
    if library.exists():
        try:
            return Library(ctypes.CDLL(str(library)), library, 0.0)
        except OSError:  # a power cut left half of it
            pass
    code, seconds = _compiled(command, directory, library)
    return Library(code, library, seconds)


def _sources(directory: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in sorted(directory.glob("eh_*.[ch]"))}
    lacking = [name for name in SOURCES if name not in found]
    if lacking:
        raise MissingError(
            f"{directory}: {lacking[0]} is not there",
            reason=Reason.NOT_FOUND,
            hint="export the C module again: edgehar export BUNDLE --target c --out DIR",
        )
    return found


def _command(directory: Path) -> list[str]:
    compiler = next((path for path in map(shutil.which, COMPILERS) if path), None)
    if compiler is None:
        raise MissingError(
            f"{directory}: no C compiler to build it with ({', '.join(COMPILERS)})",
            reason=Reason.NOT_INSTALLED,
            hint="sudo apt-get install gcc libc6-dev, or take another runtime: --runtime numba",
        )
    native = NATIVE.get(platform.machine())
    return [str(Path(compiler).resolve()), *FLAGS, *([native] if native else [])]


def _key(sources: dict[str, bytes], command: list[str]) -> str:
    # The compiler's file stands for its version: asking it would start a process at every start.
    compiler = Path(command[0]).stat()
    told = [*command, str(compiler.st_size), str(compiler.st_mtime_ns), platform.machine(), _cpu()]
    digest = hashlib.sha256("\n".join(told).encode())
    for name, content in sources.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:32]


def _cpu() -> str:
    """What this CPU is and can, since the code uses it; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    kept = ("model", "cpu family", "CPU part", "CPU implementer", "CPU variant", "flags", "Features", "isa")
    return "\n".join(line for line in lines if line.startswith(kept))


def _compiled(command: list[str], directory: Path, library: Path) -> tuple[ctypes.CDLL, float]:
    """Compile beside `library` and rename: a process at the same work, or a power cut, never shows half a file."""
    began = time.perf_counter()
    handle, name = tempfile.mkstemp(dir=library.parent, prefix=".", suffix=".so")
    os.close(handle)
    partial = Path(name)
    try:
        arguments = [*command, *(str(directory / source) for source in SOURCES), "-o", name, "-lm"]
        done = subprocess.run(arguments, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            said = next((line for line in done.stderr.splitlines() if "error" in line), f"exit code {done.returncode}")
            raise InputError(
                f"{directory}: {Path(command[0]).name} does not compile it: {said.strip()}",
                reason=Reason.DAMAGED,
                hint="sudo apt-get install libc6-dev if a system header is missing; else export the C module again",
            )
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(library)
    finally:
        partial.unlink(missing_ok=True)
    return ctypes.CDLL(str(library)), time.perf_counter() - began
