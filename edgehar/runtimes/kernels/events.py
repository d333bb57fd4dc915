"""The primitives of spiking kernels: neurons advance in whole vectors, spikes are bits, a bit costs a row of weights.

Spikes of a population are 64-bit words, neuron i in bit i % 64 of word i / 64. Nothing here is fused or reordered: sums
take their terms by ascending neuron, one rounded addition each, which gives the reference runtime's bits on x86-64.

Roofline: an event loads and adds `vectors` vectors, a neuron-step costs five vector operations a `WIDTH` neurons.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Indices, Vector, exact_kernel
from edgehar.runtimes.kernels.vector import INT, LANES, WIDEST, WIDTH, Emitter, Values


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
        for n in range(1, WIDEST + 1):
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


@exact_kernel
def gather(
    out: Vector,
    oo: int,
    init: Vector,
    io: int,
    matrix: Vector,
    mo: int,
    vectors: int,
    bits: Indices,
    bo: int,
    words: int,
) -> None:
    """Init plus the rows of matrix [neurons, vectors * WIDTH] whose neurons fired; out and init may be the same."""
    left = vectors
    tiles = (vectors + WIDEST - 1) // WIDEST
    while left > 0:
        take = (left + tiles - 1) // tiles
        left -= take
        tiles -= 1
        at = left * WIDTH
        _gather_tile(  # type: ignore[call-arg]
            take, out, oo + at, init, io + at, matrix, mo + at, vectors * WIDTH, bits, bo, words
        )


def _fire(*, synaptic: bool) -> Any:
    """I' = alpha I' + I (synaptic only);  R = [U > thr];  U = beta U + I - R thr;  S = [U > thr]."""

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
            per_word = 64 // WIDTH
            zero = ir.Constant(LANES, [0.0] * WIDTH)

            def vector(v: Any, carried: Values) -> Values:
                at = b.mul(v, INT(WIDTH))
                d, u, t = (e.load(e.at(p, at), 0) for p in (drive, potential, thr))
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
