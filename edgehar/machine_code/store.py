"""Object code between runs: found by what it was made from, checked, loaded by LLVM's own linker.

A file belongs to one version of the kernels' sources (its directory's name), of Numba, of LLVM and to one CPU. What
does not match is not found, what is damaged is made again, and without a place to keep files kernels are called
through Numba as before.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import json
import os
import platform
import tempfile
from functools import cache
from pathlib import Path

from edgehar.kernel_cache import cache_directory
from edgehar.machine_code.block import ENTRY, Entry


@cache
def code_directory() -> Path | None:
    """Where this machine's object code is kept; None where nothing can be, or Numba is not installed."""
    toolchain = _toolchain()
    directory = cache_directory() if toolchain is not None else None
    if directory is None or toolchain is None:
        return None
    place = directory / f"code-{toolchain}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return place


def _toolchain() -> str | None:
    """A digest of everything but the sources that decides about the code; Numba itself is not imported."""
    digest = hashlib.sha256(platform.machine().encode())
    for package in ("numba", "llvmlite"):
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            return None
        digest.update((Path(found.submodule_search_locations[0]) / "_version.py").read_bytes())
    from llvmlite import binding

    digest.update(f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}".encode())
    settings = sorted((k, v) for k, v in os.environ.items() if k.startswith("NUMBA_") and k != "NUMBA_CACHE_DIR")
    digest.update(json.dumps(settings).encode())
    return digest.hexdigest()[:16]


class MachineCode:
    """Loaded object code; lives as long as its entry is called."""

    def __init__(self, code: bytes) -> None:
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        machine = binding.Target.from_default_triple().create_target_machine(jit=True)
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        address = self._engine.get_function_address(ENTRY)
        # CFUNCTYPE lets other threads run meanwhile.
        self.entry: Entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)


def read_code(path: Path) -> MachineCode | None:
    """The code in `path`; None where the file is absent, damaged, or needs a symbol that this process lacks."""
    try:
        head, _, code = path.read_bytes().partition(b"\n")
        told = json.loads(head)
        whole = told["sha256"] == hashlib.sha256(code).hexdigest()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    process = ctypes.CDLL(None)
    if not whole or not all(hasattr(process, name) for name in told["needs"]):
        return None
    return MachineCode(code)


def write_code(path: Path, code: bytes, needs: tuple[str, ...]) -> None:
    """Keep code; another process sees all of it or nothing. A full disk keeps nothing."""
    head = json.dumps({"sha256": hashlib.sha256(code).hexdigest(), "needs": list(needs)}).encode()
    replace_file(path, head + b"\n" + code)


def replace_file(path: Path, content: bytes) -> None:
    """Write beside `path` and rename; where that fails, nothing is kept."""
    with contextlib.suppress(OSError):
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise


def code_name(kernel: str, signature: tuple[str, ...]) -> str:
    """The file's name: the kernel's, readable, and a digest of the types that it was compiled for."""
    digest = hashlib.sha256(" ".join(signature).encode()).hexdigest()[:12]
    return f"{kernel}-{digest}.o"
