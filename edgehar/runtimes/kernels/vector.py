"""The vectors that kernels are emitted with: how wide they are, and the few instructions that primitives are made of.

The LLVM IR is the same for every CPU; `edgehar.runtimes.kernels.simd` says how wide a register is, and how many hold
sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils

from edgehar.runtimes.kernels.simd import CACHE_LINE_BYTES, host_simd

SIMD: Final = host_simd()
WIDTH: Final = SIMD.width
SUMS: Final = SIMD.sums
WIDEST: Final = max(1, SUMS // 4)
"""Vectors of a tile at most; four rows of them fit."""
TALLEST: Final = 8 if SUMS >= 24 else 4
"""Rows of a tile at most: the more, the less often a matrix is read. With few registers eight would be too narrow."""
HEIGHTS: Final = tuple(r for r in (8, 4, 2, 1) if r <= TALLEST)
LONE_SUMS: Final = min(12, max(1, SUMS // 2))

FLOAT = ir.FloatType()
INT = ir.IntType(64)
LANES = ir.VectorType(FLOAT, WIDTH)
Values = list[Any]


class Emitter:
    """The few instructions that the primitives are made of; pointers are to float32, places in values."""

    def __init__(self, builder: Any) -> None:
        self.b = builder
        name = f"llvm.fma.v{WIDTH}f32"
        kind = ir.FunctionType(LANES, [LANES] * 3)
        self._fma = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]

    def at(self, pointer: Any, place: Any) -> Any:
        return self.b.gep(pointer, [place])

    def load(self, pointer: Any, vector: int) -> Any:
        """Vector number `vector` behind the pointer; no alignment is promised."""
        start = self.at(pointer, INT(vector * WIDTH))
        return self.b.load(self.b.bitcast(start, LANES.as_pointer()), align=4)

    def store(self, value: Any, pointer: Any, vector: int) -> None:
        start = self.at(pointer, INT(vector * WIDTH))
        self.b.store(value, self.b.bitcast(start, LANES.as_pointer()), align=4)

    def splat(self, scalar: Any) -> Any:
        """The scalar in every lane."""
        undefined = ir.Constant(LANES, ir.Undefined)
        first = self.b.insert_element(undefined, scalar, ir.IntType(32)(0))
        return self.b.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))

    def fma(self, a: Any, b: Any, total: Any) -> Any:
        return self.b.call(self._fma, [a, b, total])

    def apart(self, pointer: Any) -> Any:
        """The pointer, with LLVM kept from computing it out of others that it would have to keep or spill."""
        kind = ir.FunctionType(pointer.type, [pointer.type])
        return self.b.asm(kind, "", "=r,0", [pointer], side_effect=False)

    def prefetch(self, pointer: Any, vectors: int) -> None:
        """Ask for every cache line of the `vectors` vectors behind the pointer, which may point anywhere."""
        byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
        ask = cgutils.get_or_insert_function(self.b.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        for place in range(0, vectors * WIDTH, CACHE_LINE_BYTES // 4):
            # To read, as near as can be, data.
            self.b.call(ask, [self.b.bitcast(self.at(pointer, INT(place)), byte), i32(0), i32(3), i32(1)])

    def loop(self, first: Any, last: Any, step: int, carried: Values, body: Callable[[Any, Values], Values]) -> Values:
        """For i = first, first + step, ... < last: carried = body(i, carried), held in registers. Returns the last."""
        before = self.b.block
        head, inside, after = (self.b.append_basic_block(name) for name in ("head", "body", "after"))
        self.b.branch(head)
        self.b.position_at_end(head)
        i, held = self.b.phi(INT), [self.b.phi(value.type) for value in carried]
        i.add_incoming(first, before)
        for phi, value in zip(held, carried, strict=True):
            phi.add_incoming(value, before)
        self.b.cbranch(self.b.icmp_signed("<", i, last), inside, after)
        self.b.position_at_end(inside)
        new = body(i, held)
        i.add_incoming(self.b.add(i, INT(step)), self.b.block)
        for phi, value in zip(held, new, strict=True):
            phi.add_incoming(value, self.b.block)
        self.b.branch(head)
        self.b.position_at_end(after)
        return held

    def each(self, last: Any, body: Callable[[Any], None], *, first: Any = None, step: int = 1) -> None:
        """body(i) for i = first, or 0, first + step, ... < last: a loop that holds nothing in registers."""

        def without(i: Any, _: Values) -> Values:
            body(i)
            return []

        self.loop(INT(0) if first is None else first, last, step, [], without)
