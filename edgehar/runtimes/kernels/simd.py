"""What the vector kernels know about a CPU: how wide its registers are, and how many sums fit into them."""

from __future__ import annotations

import platform
from typing import NamedTuple

import numpy as np

from edgehar.types import FloatArray

CACHE_LINE_BYTES = 64


class Simd(NamedTuple):
    """`width`: float32 values in a register; `sums`: registers that may hold sums without spilling.

    The rest of the registers holds a row of weights and what is multiplied with it.
    """

    width: int
    sums: int


PLAIN = Simd(8, 0)
"""A CPU without a known vector unit: ordinary loops; rows are still padded, to this width."""


def simd_of(machine: str, features: frozenset[str]) -> Simd:
    """The vector unit of an architecture (`platform.machine()`) with these LLVM features.

    >>> simd_of("x86_64", frozenset({"avx2", "fma"}))
    Simd(width=8, sums=12)
    """
    if machine in ("aarch64", "arm64"):
        return Simd(4, 24)  # NEON, 32 registers: one set of sums; two spill
    if {"avx512f", "avx512vl"} <= features:
        return Simd(16, 24)  # 32 registers
    if {"avx2", "fma"} <= features:
        return Simd(8, 12)  # 16 registers
    return PLAIN


def host_features() -> frozenset[str]:
    """LLVM features that Numba compiles for: the host's, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say."""
    from llvmlite.binding import get_host_cpu_features
    from numba import config

    named: str | None = vars(config)["CPU_FEATURES"]
    if named is None:
        named = "" if vars(config)["CPU_NAME"] == "generic" else get_host_cpu_features().flatten()
    return frozenset(f[1:] for f in named.split(",") if f.startswith("+"))


def host_simd() -> Simd:
    """The vector unit that Numba compiles for."""
    return simd_of(platform.machine(), host_features())


def vectors_of(n: int, width: int) -> int:
    """Registers that n values fill."""
    return -(-n // width)


def aligned(size: int) -> FloatArray:
    """Zeros [size] that begin at a cache line: NumPy promises 16 bytes, and a load across two lines costs two."""
    line = CACHE_LINE_BYTES // 4
    raw = np.zeros(size + line, np.float32)
    first = -(raw.ctypes.data // 4) % line
    return raw[first : first + size]


def pack_rows(matrices: list[FloatArray], width: int) -> tuple[FloatArray, list[int]]:
    """All matrices [j, n] in one aligned vector, every row padded with zeros to whole registers; where each begins."""
    padded = [vectors_of(m.shape[1], width) * width for m in matrices]
    starts = np.cumsum([0] + [len(m) * n for m, n in zip(matrices, padded, strict=True)]).tolist()
    packed = aligned(starts[-1])
    for matrix, n, start in zip(matrices, padded, starts, strict=False):
        packed[start : start + len(matrix) * n].reshape(len(matrix), n)[:, : matrix.shape[1]] = matrix
    return packed, starts[:-1]
