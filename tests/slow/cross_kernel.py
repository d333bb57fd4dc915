"""Bundles' kernels as aarch64 objects with NEON, made on any machine; a program of its own, run by the tests.

    python tests/slow/cross_kernel.py CPU BUNDLE...          writes BUNDLE.o and BUNDLE.calls beside each

The kernels of `edgehar.runtimes` are defined while the machine calls itself aarch64, so that their registers are
NEON's; Numba gives their LLVM IR before it is optimised, and LLVM optimises and compiles it for the CPU. What
`cross_kernel.c` reads are the arguments as a stream of the golden windows meets them, in pushes of several lengths.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

TRIPLE = "aarch64-linux-gnu"
PUSHES = 1, 2, 16, 1, 33, 7
"""Samples of a push, over and over."""


def as_if_on_aarch64() -> None:
    """Must run before a kernel is defined: nothing of x86, no optimisation, and nothing of it kept for others."""
    platform.machine = lambda: "aarch64"
    os.environ |= {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_OPT": "0"}


def engine_of(bundle: Any) -> Any:
    """The engine of a float or quantised bundle, at its own hop."""
    from edgehar.registry import resolve
    from edgehar.runtimes.numba import ENGINES

    manifest = bundle.manifest
    if manifest.quant is None:
        factory = resolve("engines", ENGINES, manifest.model["family"])
        return factory(factory.pack(manifest, bundle.weights), manifest, manifest.hop)
    from edgehar.runtimes.kernels.integer import integer_engine
    from edgehar.runtimes.lowered import int_graph_of

    return integer_engine(int_graph_of(bundle))(manifest.hop)


def cross_compile(dispatcher: Any, signature: tuple[str, ...], cpu: str) -> bytes:
    """`edgehar.machine_code.emit.emit` for another machine."""
    from llvmlite import binding

    from edgehar.machine_code import emit

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    kinds = tuple(emit._numba_type(word) for word in signature)
    if kinds not in dispatcher.overloads:
        dispatcher.compile(kinds)
    library = emit._with_entry(dispatcher.targetctx, dispatcher.overloads[kinds])
    text = str(binding.parse_bitcode(library._final_module.as_bitcode()))
    target = binding.Target.from_triple(TRIPLE).create_target_machine(cpu=cpu, opt=3, reloc="pic")
    head = [line for line in text.splitlines() if not line.startswith(("target triple", "target datalayout"))]
    module = binding.parse_assembly("\n".join(head))
    module.triple, module.data_layout = TRIPLE, str(target.target_data)
    emit._keep_entry(module)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = binding.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return target.emit_object(module)


def pushes(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(number of the first sample, samples) of every push."""
    t = k = 0
    while t < len(x):
        n = PUSHES[k % len(PUSHES)]
        yield t, x[t : t + n]
        t, k = t + n, k + 1


def regions_of(arrays: list[np.ndarray]) -> list[tuple[int, int]]:
    """(address, end) of the memory that the arrays lie in, arrays that share some of it together."""
    regions: list[tuple[int, int]] = []
    for start, end in sorted((a.ctypes.data, a.ctypes.data + a.nbytes) for a in arrays):
        if regions and start < regions[-1][1]:
            regions[-1] = regions[-1][0], max(end, regions[-1][1])
        else:
            regions.append((start, end))
    return regions


def calls_of(arguments: tuple[Any, ...], x: np.ndarray) -> bytes:
    """The file that `cross_kernel.c` reads."""
    from edgehar.machine_code.block import Call

    call = Call(lambda _: 0, arguments)
    places = [call.place[i] for i, argument in enumerate(arguments) if isinstance(argument, np.ndarray)]
    arrays = [argument for argument in arguments if isinstance(argument, np.ndarray)]
    regions = regions_of(arrays)
    made = list(pushes(x))
    head = [len(call.words), len(regions), len(arrays), len(made), call.place[0] + 1, call.place[1]]
    parts = [np.array(head, np.int64).tobytes(), call.words.tobytes()]
    for start, end in regions:
        parts += [np.array([end - start], np.int64).tobytes(), ctypes.string_at(start, end - start)]
    for place, array in zip(places, arrays, strict=True):
        address = array.ctypes.data
        region = next(k for k, (start, end) in enumerate(regions) if start <= address <= end)
        parts.append(np.array([place, region, address - regions[region][0], array.nbytes], np.int64).tobytes())
    room = np.zeros_like(arguments[0])
    for t, some in made:
        room[: len(some)] = some
        parts += [np.array([len(some), t], np.int64).tobytes(), room.tobytes()]
    return b"".join(parts)


def write(path: Path, cpu: str) -> None:
    """The object and the calls of one bundle."""
    from edgehar.bundle import open_bundle
    from edgehar.machine_code.block import kind_of
    from edgehar.runtimes.kernel_stream import outer_arguments

    bundle = open_bundle(path)
    engine = engine_of(bundle)
    x, ends, logits = outer_arguments(bundle.manifest)
    arguments = (x, 0, *engine.arguments, ends, logits)
    path.with_suffix(".o").write_bytes(cross_compile(engine.kernel, tuple(map(kind_of, arguments)), cpu))
    samples = bundle.golden["x"].astype(np.float32)
    path.with_suffix(".calls").write_bytes(calls_of(arguments, samples.reshape(-1, samples.shape[2])))


if __name__ == "__main__":
    as_if_on_aarch64()
    warnings.simplefilter("ignore")  # Numba says of every kernel that it does not keep this one
    for name in sys.argv[2:]:
        write(Path(name), sys.argv[1])
