"""The vector primitive of every float kernel: a tile of a matrix product with all its sums in registers.

    out[r] = init[r] + sum over j of x[r, j] matrix[j]         r < rows, vectors of n = vectors * WIDTH values

`edgehar.runtimes.kernels.products` cuts products of any size into tiles. A tile of rows x vectors sums stays in
registers over all j, so that a vector of weights is loaded once per tile and every load feeds `rows` multiply-adds.
The LLVM IR is the same for every CPU; `edgehar.runtimes.kernels.simd` says how wide a register is and how large a tile
may be. Rows are lanes of a recurrent model or columns of a convolution.

A sum takes its terms in the order of j, one fused multiply-add each, whatever the tile: a row has the same bits alone
and among others. Only tiles of a lone row (`sets` > 1) join several sums at the end.

Roofline: `rows * vectors` multiply-adds against `vectors` loads of weights and `rows` broadcasts per j. One row is
bound by loads from L1, four rows and more by the multiply-adds. A matrix that fills L1 shares it with everything else:
the tallest tiles ask for their weights `AHEAD` rows early, which on the CPU that we measured on makes the difference
between 90 and 99 % of the multiply-adds that it can do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from edgehar.runtimes.kernels.simd import CACHE_LINE_BYTES, host_simd

SIMD: Final = host_simd()
WIDTH: Final = SIMD.width
SUMS: Final = SIMD.sums
WIDEST: Final = max(1, SUMS // 4)
"""Vectors of a tile at most; four rows of them fit."""
TALLEST: Final = 8 if SUMS >= 24 else 4
"""Rows of a tile at most: the more, the less often a matrix is read. With few registers eight would be too narrow."""
AHEAD: Final = 8
"""Rows of the matrix between what a tall tile multiplies with and what it asks for."""
BLOCK: Final = 16
"""Outputs of a block of `sparse_product`; the pruner's 16x1 (`edgehar.compress.blocks`)."""
BLOCK_VECTORS: Final = max(1, BLOCK // WIDTH)
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


def emit_tile(
    e: Emitter,
    rows: int,
    vectors: int,
    sets: int,
    out: tuple[Any, Any],
    init: tuple[Any, Any],
    matrix: tuple[Any, Any],
    x: tuple[Any, Any],
    columns: Any,
    inner: Any,
) -> None:
    """`rows` x `vectors` sums over j < inner; out, init, matrix and x are (pointer, step from row to row).

    columns: None, or a pointer to the place in x of every j. sets > 1: as many sums for each output, joined at the
    end, so that one row does not wait for its own last addition.
    """
    b = e.b

    def row(operand: tuple[Any, Any], r: Any) -> Any:
        pointer, step = operand
        return e.at(pointer, b.mul(step, r))

    def terms(j: Any, sums: Values) -> Values:
        line = row(matrix, j)
        weights = [e.load(line, v) for v in range(vectors)]
        if rows == TALLEST and columns is None:
            e.prefetch(row(matrix, b.add(j, INT(AHEAD))), vectors)
        place = j if columns is None else b.load(e.at(columns, j))
        new = []
        for r in range(rows):
            value = e.splat(b.load(e.at(starts[r], place)))
            new += [e.fma(weights[v], value, sums[r * vectors + v]) for v in range(vectors)]
        return new

    def several(j: Any, sums: Values) -> Values:
        each = rows * vectors
        return [s for k in range(sets) for s in terms(b.add(j, INT(k)), sums[k * each : (k + 1) * each])]

    starts = [e.apart(row(x, INT(r))) for r in range(rows)]
    sums: Values = [e.load(row(init, INT(r)), v) for r in range(rows) for v in range(vectors)]
    done = INT(0)
    if sets > 1:
        done = b.sub(inner, b.srem(inner, INT(sets)))
        zeros = [ir.Constant(LANES, [0.0] * WIDTH)] * (len(sums) * (sets - 1))
        parts = e.loop(INT(0), done, sets, [*sums, *zeros], several)
        each = len(sums)
        sums = parts[:each]
        for k in range(1, sets):
            sums = [b.fadd(p, q) for p, q in zip(sums, parts[k * each : (k + 1) * each], strict=True)]
    sums = e.loop(done, inner, 1, sums, terms)
    for r in range(rows):
        for v in range(vectors):
            e.store(sums[r * vectors + v], row(out, INT(r)), v)


def _tile_function(module: Any, rows: int, vectors: int, sets: int, *, sparse: bool) -> Any:
    """One tile as a function of its own: (out, step, init, step, matrix, step, x, step, inner, columns if sparse).

    Among the code around it, LLVM would keep the places of all rows of all tiles and spill them inside the loop.
    """
    name = f"eh_tile_{'sparse' if sparse else 'dense'}_{rows}x{vectors}x{sets}"
    if name in module.globals:
        return module.globals[name]
    pointer = FLOAT.as_pointer()
    kinds = [pointer, INT] * 4 + [INT] + ([INT.as_pointer()] if sparse else [])
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block())
    places = function.args
    operands = [(places[k], places[k + 1]) for k in (0, 2, 4, 6)]
    columns = places[9] if sparse else None
    emit_tile(
        Emitter(builder), rows, vectors, sets, operands[0], operands[1], operands[2], operands[3], columns, places[8]
    )
    builder.ret_void()
    return function


def _tile(shapes: Sequence[tuple[int, int, int]], *, sparse: bool) -> Any:
    """An intrinsic with a tile for every (rows, vectors, sets) of `shapes`, chosen by its first two arguments."""

    @intrinsic
    def tile(
        _: Any, rows: Any, vectors: Any,  # noqa: ARG001
        out: Any, oo: Any, os: Any, init: Any, io: Any, is_: Any,  # noqa: ARG001
        matrix: Any, mo: Any, ms: Any, x: Any, xo: Any, xs: Any,  # noqa: ARG001
        columns: Any, co: Any, inner: Any,  # noqa: ARG001
    ) -> Any:  # fmt: skip
        i = types.intp
        signature = types.void(i, i, out, i, i, init, i, i, matrix, i, i, x, i, i, columns, i, i)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            e = Emitter(builder)

            def pointer(k: int) -> Any:
                array = context.make_array(signature.args[k])(context, builder, arguments[k])
                return e.at(array.data, arguments[k + 1])

            operands = [value for k in (2, 5, 8, 11) for value in (pointer(k), arguments[k + 2])]
            indices = [pointer(14)] if sparse else []
            end = builder.append_basic_block("tiled")
            which = builder.add(builder.mul(arguments[0], INT(WIDEST + 1)), arguments[1])
            chosen = builder.switch(which, end)
            for r, v, sets in shapes:
                case = builder.append_basic_block(f"tile{r}x{v}")
                chosen.add_case(INT(r * (WIDEST + 1) + v), case)
                builder.position_at_end(case)
                function = _tile_function(builder.module, r, v, sets, sparse=sparse)
                builder.call(function, [*operands, arguments[16], *indices])
                builder.branch(end)
            builder.position_at_end(end)
            return context.get_dummy_value()

        return signature, generate

    return tile


HEIGHTS = tuple(r for r in (8, 4, 2, 1) if r <= TALLEST)
dense_tile = _tile([(r, v, 1) for v in range(1, WIDEST + 1) for r in HEIGHTS if r * v <= SUMS or r == 1], sparse=False)
lone_tile = _tile([(1, v, max(1, min(4, LONE_SUMS // v))) for v in range(1, WIDEST + 1)], sparse=False)
sparse_tile = _tile(
    [(r, BLOCK_VECTORS, 1 if r > 1 else max(1, LONE_SUMS // (2 * BLOCK_VECTORS)))
     for r in HEIGHTS if r * BLOCK_VECTORS <= SUMS or r == 1], sparse=True)  # fmt: skip


@intrinsic
def _copy_vectors(_: Any, vectors: Any, out: Any, oo: Any, x: Any, xo: Any) -> Any:  # noqa: ARG001
    """Copy `vectors` vectors from place xo of x to place oo of out; a slice's assignment takes ten times as long."""
    i = types.intp
    signature = types.void(i, out, i, x, i)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)
        target, source = (
            e.at(context.make_array(signature.args[k])(context, builder, arguments[k]).data, arguments[k + 1])
            for k in (1, 3)
        )

        def vector(v: Any, _: Values) -> Values:
            place = builder.mul(v, INT(WIDTH))
            e.store(e.load(e.at(source, place), 0), e.at(target, place), 0)
            return []

        e.loop(INT(0), arguments[0], 1, [], vector)
        return context.get_dummy_value()

    return signature, generate


copy_vectors: Final[Any] = _copy_vectors
