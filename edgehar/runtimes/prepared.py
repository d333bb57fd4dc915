"""A bundle made ready for its kernel, kept between runs: packed weights, buffers and the name of the object code.

With it a run neither packs weights nor imports the kernels, and so not Numba. The file's name follows from everything
that it was made from: the model and its weights, the code of this package, and the CPU by the directory that it is in.
Arrays may share memory (a buffer seen as bytes and as words), so what is kept is the memory and where each array lies.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.bundle import Bundle
from edgehar.machine_code.bind import kept_call
from edgehar.machine_code.block import kind_of
from edgehar.machine_code.store import code_directory, code_name, replace_file
from edgehar.runtimes.kernel_stream import KernelStream, outer_arguments

ALIGNMENT = 64  # a cache line, as the kernels' buffers have it
MOST = 64
"""Models kept; the least recently made are dropped."""
PACKAGE = Path(__file__).parent.parent
SOURCES = ("runtimes/*.py", "graph/*.py")


def prepared_stream(bundle: Bundle) -> KernelStream | None:
    """The stream of a bundle that was kept by `keep_prepared`; None where it was not, or is damaged."""
    path = _path(bundle)
    if path is None:
        return None
    try:
        content = path.read_bytes()
        head, _, memory = content[32:].partition(b"\n")
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            return None
    except OSError:
        return None
    told = json.loads(head)
    room = np.zeros(len(memory) + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    room[start : start + len(memory)] = np.frombuffer(memory, np.uint8)
    inner = [_argument(entry, room, start) for entry in told["arguments"]]
    x, ends, logits = outer_arguments(bundle.manifest)
    arguments = (x, 0, *inner, ends, logits)
    call = kept_call(code_name(told["kernel"], tuple(map(kind_of, arguments))), arguments)
    if call is None:
        return None
    state, counters = ([inner[i] for i in told[which]] for which in ("state", "counters"))
    return KernelStream(call, state, counters, bundle.manifest)


def keep_prepared(bundle: Bundle, stream: KernelStream, kernel: str) -> None:
    """Keep what `prepared_stream` needs, before the stream has seen a sample; only for a bundle that is a file."""
    path = _path(bundle)
    if path is None or not bundle.sha256:
        return
    arguments = stream.call.arguments[2:-2]
    memory, entries = _laid_out(arguments)
    state, counters = (
        [i for i, a in enumerate(arguments) if any(a is array for array in which)]
        for which in (stream.state, stream.counters)
    )
    head = json.dumps({"kernel": kernel, "arguments": entries, "state": state, "counters": counters}).encode()
    content = head + b"\n" + memory
    replace_file(path, hashlib.sha256(content).digest() + content)
    with contextlib.suppress(OSError):
        kept = sorted(path.parent.glob("model-*"), key=lambda file: file.stat().st_mtime_ns)
        for old in kept[:-MOST]:
            old.unlink()


def _path(bundle: Bundle) -> Path | None:
    directory = code_directory()
    if directory is None:
        return None
    manifest = bundle.manifest
    made_from = {
        "model": dict(manifest.model), "quant": manifest.quant, "preprocess": list(manifest.preprocess),
        "window": manifest.window, "hop": manifest.hop, "outputs": manifest.outputs,
        "channels": manifest.contract.channels,
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True, default=str).encode())
    for pattern in SOURCES:
        for source in sorted(PACKAGE.glob(pattern)):
            digest.update(source.read_bytes())
    for name, weights in sorted(bundle.weights.items()):
        digest.update(f"{name} {weights.shape}".encode() + weights.tobytes())
    return directory / f"model-{digest.hexdigest()[:32]}"


def _laid_out(arguments: tuple[Any, ...]) -> tuple[bytes, list[dict[str, Any]]]:
    """The memory of all arrays, each stretch of it once and aligned; an entry for every argument."""
    arrays = sorted((a for a in arguments if isinstance(a, np.ndarray)), key=lambda a: (a.ctypes.data, -a.nbytes))
    memory = bytearray()
    places: dict[int, int] = {}  # address -> place in `memory`
    begins = ends = at = 0
    for array in arrays:
        address = array.ctypes.data
        if address >= ends or not array.nbytes:
            memory.extend(bytes(-len(memory) % ALIGNMENT))
            begins, ends, at = address, address, len(memory)
        if address + array.nbytes > ends:
            memory.extend(array.tobytes()[ends - address :])
            ends = address + array.nbytes
        places[address] = at + address - begins
    return bytes(memory), [_entry(a, places) for a in arguments]


def _entry(argument: Any, places: dict[int, int]) -> dict[str, Any]:
    if isinstance(argument, np.ndarray):
        at = places[argument.ctypes.data] if argument.size else 0
        return {"dtype": argument.dtype.name, "shape": list(argument.shape), "at": at}
    kind = kind_of(argument)
    # JSON's numbers are float64, which holds every float32 exactly.
    return {"kind": kind, "value": float(argument) if kind.startswith("float") else int(argument)}


def _argument(entry: dict[str, Any], room: NDArray[np.uint8], start: int) -> Any:
    if "kind" in entry:
        make = {"float32": np.float32, "float64": float, "bool": bool, "int64": int}[entry["kind"]]
        return make(entry["value"])
    dtype, shape = np.dtype(entry["dtype"]), entry["shape"]
    size = dtype.itemsize * int(np.prod(shape))
    at = start + int(entry["at"])
    return room[at : at + size].view(dtype).reshape(shape)
