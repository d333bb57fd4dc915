"""The primitives of spiking kernels: neurons advance in whole vectors, spikes are bits, a bit costs a row of weights.

Spikes of a population are 64-bit words, neuron i in bit i % 64 of word i / 64. Nothing here is fused or reordered: sums
take their terms by ascending neuron, one rounded addition each, which gives the reference runtime's bits on x86-64.

Roofline: an event loads and adds `vectors` vectors, a neuron-step costs six vector operations a `WIDTH` neurons. What a
loop over bits costs beside that, a mispredicted branch at its end and the wait from one addition to the next, is paid
once per word: matrices that hear the same spikes are best laid side by side.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Indices, Vector, inlined_exact_kernel
from edgehar.runtimes.kernels.vector import INT, LANES, SUMS, WIDTH, Emitter, Values
from edgehar.types import IntArray


def _unary(builder: Any, name: str, value: Any) -> Any:
    """llvm.cttz or llvm.ctpop of an i64."""
    flag = [ir.IntType(1)] if name == "cttz" else []
    function = ir.FunctionType(INT, [INT, *flag])
    callee = cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.i64")  # type: ignore[no-untyped-call]
    return builder.call(callee, [value, *(kind(0) for kind in flag)])


def _each_bit(e: Emitter, mask: Any, carried: Values, body: Any) -> Values:
    """For every bit i of mask, ascending: carried = body(i, carried)."""
    b = e.b
    before = b.block
    head, inside, after = (b.append_basic_block(name) for name in ("bits", "bit", "nobit"))
    b.branch(head)
    b.position_at_end(head)
    left, held = b.phi(INT), [b.phi(value.type) for value in carried]
    left.add_incoming(mask, before)
    for phi, value in zip(held, carried, strict=True):
        phi.add_incoming(value, before)
    b.cbranch(b.icmp_unsigned("!=", left, INT(0)), inside, after)
    b.position_at_end(inside)
    new = body(_unary(b, "cttz", left), held)
    left.add_incoming(b.and_(left, b.sub(left, INT(1))), b.block)
    for phi, value in zip(held, new, strict=True):
        phi.add_incoming(value, b.block)
    b.branch(head)
    b.position_at_end(after)
    return held


WIDEST_GATHER: Final = max(1, SUMS * 2 // 3)
"""Vectors of a row that are added at once: more than in a product, since nothing else needs registers."""


@intrinsic
def _gather_tile(
    _: Any, vectors: Any, out: Any, oo: Any, init: Any, io: Any,  # noqa: ARG001
    matrix: Any, mo: Any, ms: Any, bits: Any, bo: Any, words: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    i = types.intp
    signature = types.void(i, out, i, init, i, matrix, i, i, bits, i, i)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)

        def pointer(k: int) -> Any:
            array = context.make_array(signature.args[k])(context, builder, arguments[k])
            return e.at(array.data, arguments[k + 1])

        target, start, matrix, spikes = (pointer(k) for k in (1, 3, 5, 8))
        step, count = arguments[7], arguments[10]
        end = builder.append_basic_block("gathered")
        chosen = builder.switch(arguments[0], end)
        for n in range(1, WIDEST_GATHER + 1):
            case = builder.append_basic_block(f"gather{n}")
            chosen.add_case(INT(n), case)
            builder.position_at_end(case)

            def word(w: Any, sums: Values) -> Values:
                rows = e.at(matrix, builder.mul(builder.mul(w, INT(64)), step))

                def bit(i: Any, sums: Values) -> Values:
                    row = e.at(rows, builder.mul(i, step))
                    return [builder.fadd(s, e.load(row, v)) for v, s in enumerate(sums)]

                return _each_bit(e, builder.load(e.at(spikes, w)), sums, bit)

            sums = e.loop(INT(0), count, 1, [e.load(start, v) for v in range(n)], word)
            for v, value in enumerate(sums):
                e.store(value, target, v)
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


@inlined_exact_kernel
def gather(
    out: Vector,
    oo: int,
    init: Vector,
    io: int,
    matrix: Vector,
    mo: int,
    step: int,
    vectors: int,
    bits: Indices,
    bo: int,
    words: int,
) -> None:
    """Init plus the rows of a matrix whose neurons fired, `vectors` of each; a row is `step` values long.

    Out and init may be the same.
    """
    left = vectors
    tiles = (vectors + WIDEST_GATHER - 1) // WIDEST_GATHER
    while left > 0:
        take = (left + tiles - 1) // tiles
        left -= take
        tiles -= 1
        at = left * WIDTH
        _gather_tile(  # type: ignore[call-arg]
            take, out, oo + at, init, io + at, matrix, mo + at, step, bits, bo, words
        )


@intrinsic
def _memory_drive(
    _: Any, order: Any, vectors: Any, out: Any, oo: Any, tiles: Any, ao: Any, bits: Any, mo: Any, uo: Any,  # noqa: ARG001
    spread: Any,
) -> Any:  # fmt: skip
    i = types.intp
    signature = types.void(i, i, out, i, tiles, i, bits, i, i, spread)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e, b = Emitter(builder), builder

        def pointer(k: int, offset: Any = None) -> Any:
            array = context.make_array(signature.args[k])(context, b, arguments[k])
            return array.data if offset is None else e.at(array.data, offset)

        order, vectors = arguments[0], arguments[1]
        target, columns = pointer(2, arguments[3]), pointer(4, arguments[5])
        own, inputs, spread = pointer(6, arguments[7]), pointer(6, arguments[8]), pointer(9)
        rows = b.udiv(INT(WIDTH), order)
        first = b.load(e.at(spread, INT(1)))  # all neurons of the first row
        pattern = b.udiv(INT((1 << WIDTH) - 1), first)  # the first neuron of every row

        def some(words: Any, place: Any, mask: int | Any) -> Any:
            word = b.load(e.at(words, b.udiv(place, INT(64))))
            return b.and_(b.lshr(word, b.urem(place, INT(64))), mask)

        def added(total: Any, chosen: Any, column: Any) -> Any:
            lanes = b.bitcast(b.trunc(chosen, ir.IntType(WIDTH)), ir.VectorType(ir.IntType(1), WIDTH))
            return b.select(lanes, b.fadd(total, e.load(column, 0)), total)

        def vector(v: Any, _: Values) -> Values:
            fired = some(own, b.mul(v, INT(WIDTH)), INT((1 << WIDTH) - 1))

            def source(j: Any, sums: Values) -> Values:
                chosen = b.mul(b.and_(b.lshr(fired, j), pattern), first)
                return [added(sums[0], chosen, e.at(columns, b.mul(j, INT(WIDTH))))]

            (total,) = e.loop(INT(0), order, 1, [ir.Constant(LANES, [0.0] * WIDTH)], source)
            heard = some(inputs, b.mul(v, rows), b.sub(b.shl(INT(1), rows), INT(1)))
            chosen = b.load(e.at(spread, heard))
            total = added(total, chosen, e.at(columns, b.mul(order, INT(WIDTH))))
            e.store(total, e.at(target, b.mul(v, INT(WIDTH))), 0)
            return []

        e.loop(INT(0), vectors, 1, [], vector)
        return context.get_dummy_value()

    return signature, generate


memory_drive: Final[Any] = _memory_drive
"""Drives of a memory of rows: A times the spikes of the row itself, plus B where its u fired.

(order, vectors, out, oo, tiles, ao, bits, mo, uo, spread): tiles at ao, one vector each: the columns of A and then B,
repeated for every row in a vector; spikes of the memory at mo of bits, of u at uo; `spread_table`. `order` masked
additions a vector, whatever fires, in the order of the inputs; the rows' zeros for each other are never touched.
"""


def spread_table(order: int) -> IntArray:
    """For every pattern of the rows in a vector, the neurons of those rows; empty where rows straddle vectors."""
    if order < 2 or WIDTH % order:
        return np.zeros(0, np.int64)
    rows = WIDTH // order
    patterns = (np.arange(1 << rows)[:, None] >> np.arange(rows)) & 1
    return np.asarray((patterns * (((1 << order) - 1) << (order * np.arange(rows)))).sum(axis=1), np.int64)


def _fire(*, synaptic: bool) -> Any:
    """I' = alpha I' + (I + bias), alpha only if synaptic;  R = [U > thr];  U = beta U + I - R thr;  S = [U > thr]."""

    @intrinsic
    def fire(
        _: Any, drive: Any, do: Any, potential: Any, po: Any, current: Any, co: Any, neurons: Any, no: Any,  # noqa: ARG001
        total: Any, vectors: Any, bits: Any, bo: Any,  # noqa: ARG001
    ) -> Any:  # fmt: skip
        i = types.intp
        signature = i(drive, i, potential, i, current, i, neurons, i, i, i, bits, i)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            e, b = Emitter(builder), builder

            def pointer(k: int) -> Any:
                array = context.make_array(signature.args[k])(context, b, arguments[k])
                return e.at(array.data, arguments[k + 1])

            drive, potential, current, beta, bits = (pointer(k) for k in (0, 2, 4, 6, 10))
            size, count = arguments[8], arguments[9]
            thr = e.at(beta, size)
            alpha = e.at(thr, size)
            bias = e.at(alpha, size)
            per_word = 64 // WIDTH
            zero = ir.Constant(LANES, [0.0] * WIDTH)

            def vector(v: Any, carried: Values) -> Values:
                at = b.mul(v, INT(WIDTH))
                d, u, t = (e.load(e.at(p, at), 0) for p in (drive, potential, thr))
                d = b.fadd(d, e.load(e.at(bias, at), 0))
                if synaptic:
                    d = b.fadd(b.fmul(e.load(e.at(alpha, at), 0), e.load(e.at(current, at), 0)), d)
                    e.store(d, e.at(current, at), 0)
                reset = b.select(b.fcmp_ordered(">", u, t), t, zero)
                u = b.fsub(b.fadd(b.fmul(e.load(e.at(beta, at), 0), u), d), reset)
                e.store(u, e.at(potential, at), 0)
                fired = b.zext(b.bitcast(b.fcmp_ordered(">", u, t), ir.IntType(WIDTH)), INT)
                place = b.urem(v, INT(per_word))
                earlier = b.select(b.icmp_unsigned("==", place, INT(0)), INT(0), carried[1])
                word = b.or_(earlier, b.shl(fired, b.mul(place, INT(WIDTH))))
                b.store(word, e.at(bits, b.udiv(v, INT(per_word))))
                return [b.add(carried[0], _unary(b, "ctpop", fired)), word]

            return e.loop(INT(0), count, 1, [INT(0), INT(0)], vector)[0]

        return signature, generate

    return fire


fire_leaky = _fire(synaptic=False)
fire_synaptic = _fire(synaptic=True)
