"""The primitives of spikes: a population is bits, and a bit costs a row of weights only where it has changed.

Spikes of a population are 64-bit words, an even number of them, neuron i in bit i % 64 of word i / 64. Every lane has a
record, a stretch of the state, in which its spikes and the sums that hear them lie at the same places.

Weights are integers and their sums exact (`edgehar.runtimes.cells.l2mu`), so a sum may be kept from sample to sample:
`hear` adds the rows of the neurons that fire and did not, takes away those of the neurons that did and do not, or
starts again from those that fire, whichever are fewer. The bits are the same.

Roofline: an event loads, flips and adds `vectors` vectors, and the load is the bound; a lane in which something changed
loads and stores its sums besides. Matrices that hear the same spikes are best laid side by side.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Indices, Vector, exact_kernel
from edgehar.runtimes.kernels.integer_types import Int32Array
from edgehar.runtimes.kernels.integer_types import Values as Integers
from edgehar.runtimes.kernels.vector import FLOAT, INT, LANES, SUMS, WIDTH, Emitter, Values

INTEGERS: Final = ir.VectorType(ir.IntType(32), WIDTH)
WIDEST_ROW: Final = max(1, SUMS * 2 // 3)
"""Vectors of a row that are added at once: more than in a product, since little else needs registers."""


def load_integers(e: Emitter, pointer: Any, vector: int = 0) -> Any:
    """Vector number `vector` of int32 behind the pointer."""
    return e.b.bitcast(e.load(pointer, vector), INTEGERS)


def store_integers(e: Emitter, value: Any, pointer: Any, vector: int = 0) -> None:
    e.store(e.b.bitcast(value, LANES), pointer, vector)


def intrinsic_of_bits(e: Emitter, name: str, value: Any) -> Any:
    """llvm.cttz or llvm.ctpop of an i64."""
    flag = [ir.IntType(1)] if name == "cttz" else []
    function = ir.FunctionType(INT, [INT, *flag])
    callee = cgutils.get_or_insert_function(e.b.module, function, f"llvm.{name}.i64")  # type: ignore[no-untyped-call]
    return e.b.call(callee, [value, *(kind(0) for kind in flag)])


def _splat(e: Emitter, scalar: Any) -> Any:
    """The low half of an i64 in every lane of a vector."""
    return e.b.bitcast(e.splat(e.b.bitcast(e.b.trunc(scalar, ir.IntType(32)), FLOAT)), INTEGERS)


def _each_bit(e: Emitter, low: Any, high: Any, carried: Values, body: Any) -> Values:
    """For every bit i of 128, ascending: carried = body(i % 64, whether it is in `high`, carried).

    One loop for both words, since its end is what a CPU does not foresee.
    """
    b = e.b
    before = b.block
    head, inside, after = (b.append_basic_block(name) for name in ("bits", "bit", "nobit"))
    b.branch(head)
    b.position_at_end(head)
    left, held = [b.phi(INT), b.phi(INT)], [b.phi(value.type) for value in carried]
    for phi, value in zip([*left, *held], [low, high, *carried], strict=True):
        phi.add_incoming(value, before)
    b.cbranch(b.icmp_unsigned("!=", b.or_(*left), INT(0)), inside, after)
    b.position_at_end(inside)
    in_high = b.icmp_unsigned("==", left[0], INT(0))
    new = body(intrinsic_of_bits(e, "cttz", b.select(in_high, left[1], left[0])), in_high, held)
    less = [b.and_(word, b.sub(word, INT(1))) for word in left]  # one bit less; 0 stays 0
    for phi, value in zip([*left, *held], [less[0], b.select(in_high, less[1], left[1]), *new], strict=True):
        phi.add_incoming(value, b.block)
    b.branch(head)
    b.position_at_end(after)
    return held


@intrinsic
def _hear(
    _: Any, records: Any, lanes: Any, state: Any, rows: Any, row: Any, step: Any, sums: Any, vectors: Any,  # noqa: ARG001
    spikes: Any, words: Any, last: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    i = types.intp
    signature = types.void(records, i, state, rows, i, i, i, i, i, i, types.boolean)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e, b = Emitter(builder), builder
        records, state, matrix = (
            context.make_array(signature.args[k])(context, b, arguments[k]).data for k in (0, 2, 3)
        )
        _, lanes, _, _, row, step, sums, vectors, spikes, words, last = arguments
        matrix = e.at(matrix, row)

        def lane(number: Any) -> None:
            record = e.at(state, b.load(e.at(records, number)))
            target = e.at(record, sums)
            now = b.bitcast(e.at(record, spikes), INT.as_pointer())
            heard = e.at(now, words)

            def pair(w: Any) -> Values:
                """Two words of spikes as they are, and the same as they were heard."""
                return [b.load(e.at(p, b.add(w, INT(k)))) for p in (now, heard) for k in (0, 1)]

            def different(w: Any, found: Values) -> Values:
                low, high, heard_low, heard_high = pair(w)
                return [b.or_(found[0], b.or_(b.xor(low, heard_low), b.xor(high, heard_high)))]

            def counted(w: Any, counts: Values) -> Values:
                low, high, heard_low, heard_high = pair(w)
                for new, old in ((low, heard_low), (high, heard_high)):
                    masks = new, b.xor(new, old), b.and_(old, b.not_(new))
                    found = [intrinsic_of_bits(e, "ctpop", mask) for mask in masks]
                    counts = [b.add(c, n) for c, n in zip(counts, found, strict=True)]
                return counts

            end, some = (b.append_basic_block(name) for name in ("heard", "changed"))
            (any_different,) = e.loop(INT(0), words, 2, [INT(0)], different)
            b.cbranch(b.icmp_unsigned("==", any_different, INT(0)), end, some)
            b.position_at_end(some)
            fired, changed, stopped = e.loop(INT(0), words, 2, [INT(0)] * 3, counted)
            goes_on = b.sext(b.icmp_unsigned("<=", changed, fired), INT)  # all ones; 0: as if nothing had been heard
            kept, minus_ones = _splat(e, goes_on), _splat(e, b.and_(goes_on, stopped))

            def events(w: Any, totals: Values) -> Values:
                low, high, heard_low, heard_high = pair(w)
                for k, new, old in ((0, low, heard_low), (1, high, heard_high)):
                    b.store(b.select(last, new, old), e.at(heard, b.add(w, INT(k))))
                changed_low = b.xor(low, b.and_(heard_low, goes_on))
                changed_high = b.xor(high, b.and_(heard_high, goes_on))
                lines = e.at(matrix, b.mul(b.mul(w, INT(64)), step))

                def event(i: Any, in_high: Any, totals: Values) -> Values:
                    line = e.at(lines, b.mul(b.add(i, b.select(in_high, INT(64), INT(0))), step))
                    fires = b.and_(b.lshr(b.select(in_high, high, low), i), INT(1))
                    # -weight = ~weight + 1, and `minus_ones` has counted the ones: neither a branch nor a product.
                    flip = _splat(e, b.sub(fires, INT(1)))
                    return [b.add(t, b.xor(load_integers(e, line, v), flip)) for v, t in enumerate(totals)]

                return _each_bit(e, changed_low, changed_high, totals, event)

            chosen = b.switch(vectors, end)
            for n in range(1, WIDEST_ROW + 1):
                case = b.append_basic_block(f"hear{n}")
                chosen.add_case(INT(n), case)
                b.position_at_end(case)
                start = [b.add(b.and_(load_integers(e, target, v), kept), minus_ones) for v in range(n)]
                for v, value in enumerate(e.loop(INT(0), words, 2, start, events)):
                    store_integers(e, value, target, v)
                b.branch(end)
            b.position_at_end(end)

        e.each(lanes, lane)
        return context.get_dummy_value()

    return signature, generate


@exact_kernel
def hear(
    records: Indices, lanes: int, state: Vector, rows: Integers, row: int, sums: int, vectors: int, spikes: int,
    words: int,
) -> None:  # fmt: skip
    """Bring the sums in `lanes` records from the spikes that they have heard to the spikes that there are.

    records: where in the state they begin. A neuron's row has `vectors` vectors, the first begins at `row`. Places in a
    record: sums, and spikes, behind which lie as many words that have been heard.
    """
    tiles = (vectors + WIDEST_ROW - 1) // WIDEST_ROW
    most = (vectors + tiles - 1) // max(1, tiles)
    done = 0
    while done < vectors:
        take = min(most, vectors - done)
        at = done * WIDTH
        done += take
        _hear(  # type: ignore[call-arg]
            records, lanes, state, rows, row + at, vectors * WIDTH, sums + at, take, spikes, words, done == vectors
        )


@intrinsic
def _spread(
    _: Any, records: Any, lanes: Any, state: Any, rows: Any, row: Any, sums: Any, vectors: Any, spikes: Any,  # noqa: ARG001
    order: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    i = types.intp
    signature = types.void(records, i, state, rows, i, i, i, i, i)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e, b = Emitter(builder), builder
        records, state, rows = (context.make_array(signature.args[k])(context, b, arguments[k]).data for k in (0, 2, 3))
        _, lanes, _, _, row, sums, vectors, spikes, order = arguments
        masks = e.at(rows, row)
        weights = e.at(masks, b.mul(vectors, INT(WIDTH)))
        nothing = ir.Constant(INTEGERS, [0] * WIDTH)
        shift = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            b.module, ir.FunctionType(INT, [INT] * 3), "llvm.fshr.i64"
        )

        def vector(v: Any) -> None:
            at = b.mul(v, INT(WIDTH))
            mask, weight = (load_integers(e, e.at(p, at)) for p in (masks, weights))
            first = b.udiv(at, order)
            place = b.add(spikes, b.mul(b.udiv(first, INT(64)), INT(2)))

            def lane(number: Any) -> None:
                record = e.at(state, b.load(e.at(records, number)))
                words = b.bitcast(e.at(record, place), INT.as_pointer())
                bits = b.call(shift, [b.load(e.at(words, INT(1))), b.load(words), b.urem(first, INT(64))])
                fired = b.icmp_unsigned("!=", b.and_(_splat(e, bits), mask), nothing)
                store_integers(e, b.select(fired, weight, nothing), e.at(record, b.add(sums, at)))

            e.each(lanes, lane)

        e.each(vectors, vector)
        return context.get_dummy_value()

    return signature, generate


spread: Final[Any] = _spread
"""Write the sums of `vectors` vectors of neurons that hear one neuron each, `order` in a row the same one.

(records, lanes, state, rows, row, sums, vectors, spikes, order): as `hear`, but at `row` lies a `spread_row`, and
behind the spikes a word of anything. Takes a few operations a vector, whatever fires.
"""


def spread_row(weights: Int32Array, order: int) -> Int32Array:
    """For every neuron, the bit that it hears, counted from that of its vector's first neuron; its weight."""
    n = np.arange(len(weights))
    heard = n // order - n // WIDTH * WIDTH // order
    return np.stack([np.left_shift(1, heard).astype(np.int32), weights])
