"""Leaky and synaptic populations: whole vectors of neurons advance by a sample, in all lanes.

Nothing is fused or reordered, which gives the reference runtime's bits on x86-64. Lanes take turns in the inner loop,
so that what belongs to a neuron, and not to a lane, is loaded once for all of them.

Roofline: per lane and vector of neurons four loads, a store and ten vector operations.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.events import intrinsic_of_bits, load_integers
from edgehar.runtimes.kernels.vector import INT, LANES, WIDTH, Emitter, Values

BETA, THR, ALPHA, UNIT = range(4)
"""Rows of the table of neurons that `fire` reads."""
PER_WORD: Final = 64 // WIDTH


def _fire(*, synaptic: bool) -> Any:
    @intrinsic
    def fire(
        _: Any, records: Any, lanes: Any, state: Any, potential: Any, current: Any, one: Any, other: Any, spikes: Any,  # noqa: ARG001
        share: Any, at: Any, own_share: Any, neurons: Any, first: Any, size: Any, vectors: Any,  # noqa: ARG001
    ) -> Any:  # fmt: skip
        i = types.intp
        signature = i(records, i, state, i, i, i, i, i, share, i, types.boolean, neurons, i, i, i)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            e, b = Emitter(builder), builder
            records, state, share, neurons = (
                context.make_array(signature.args[k])(context, b, arguments[k]).data for k in (0, 2, 8, 11)
            )
            _, lanes, _, *places, spikes, _, share_at, own_share, _, first, size, vectors = arguments
            in_record = [e.at(state, place) for place in places]
            share = e.at(share, share_at)
            share_moves = b.sext(own_share, INT)  # all ones, or 0
            tables = [e.at(neurons, b.add(first, b.mul(INT(row), size))) for row in (BETA, THR, ALPHA, UNIT)]
            zero = ir.Constant(LANES, [0.0] * WIDTH)

            def vector(v: Any, carried: Values) -> Values:
                at = b.mul(v, INT(WIDTH))
                beta, thr, alpha, unit = (e.load(e.at(table, at), 0) for table in tables)
                own = [e.at(p, at) for p in (*in_record, share)]
                place = b.urem(v, INT(PER_WORD))
                begins, shift = b.icmp_unsigned("==", place, INT(0)), b.mul(place, INT(WIDTH))
                words = e.at(state, b.add(spikes, b.mul(b.udiv(v, INT(PER_WORD)), INT(2))))

                def lane(number: Any, carried: Values) -> Values:
                    record = b.load(e.at(records, number))
                    potential, current, *sums = (e.at(p, record) for p in own[:4])
                    heard = b.add(*(load_integers(e, p) for p in sums))
                    drive = e.load(e.at(own[4], b.and_(record, share_moves)), 0)
                    drive = b.fadd(drive, b.fmul(b.sitofp(heard, LANES), unit))
                    if synaptic:
                        drive = b.fadd(b.fmul(alpha, e.load(current, 0)), drive)
                        e.store(drive, current, 0)
                    u = e.load(potential, 0)
                    reset = b.select(b.fcmp_ordered(">", u, thr), thr, zero)
                    u = b.fsub(b.fadd(b.fmul(beta, u), drive), reset)
                    e.store(u, potential, 0)
                    fired = b.zext(b.bitcast(b.fcmp_ordered(">", u, thr), ir.IntType(WIDTH)), INT)
                    word = b.bitcast(e.at(words, record), INT.as_pointer())
                    earlier = b.select(begins, INT(0), b.load(word))
                    b.store(b.or_(earlier, b.shl(fired, shift)), word)
                    return [b.add(carried[0], intrinsic_of_bits(e, "ctpop", fired))]

                return e.loop(INT(0), lanes, 1, carried, lane)

            return e.loop(INT(0), vectors, 1, [INT(0)], vector)[0]

        return signature, generate

    return fire


fire_leaky: Final[Any] = _fire(synaptic=False)
"""Advance `vectors` vectors of neurons in all lanes; return how many fired.

    I' = alpha I' + (share + unit sum), alpha only if synaptic;  R = [U > thr];  U = beta U + I - R thr;  S = [U > thr]

(records, lanes, state, potential, current, one, other, spikes, share, at, own_share, neurons, first, size, vectors):
places in a record of potentials and currents, of the two exact sums that make up the drive's, and of the words of
spikes; share at `at` of an array of one's own, or from the records' begins on if own_share; neurons [4.., size], of
which the population begins at `first`.
"""
fire_synaptic: Final[Any] = _fire(synaptic=True)
"""The same with currents."""


@intrinsic
def _tally(
    _: Any, records: Any, lanes: Any, state: Any, score: Any, potential: Any, vectors: Any, neurons: Any, thr: Any,  # noqa: ARG001
    membrane: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    i = types.intp
    signature = types.void(records, i, state, i, i, i, neurons, i, types.boolean)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e, b = Emitter(builder), builder
        records, state, neurons = (
            context.make_array(signature.args[k])(context, b, arguments[k]).data for k in (0, 2, 6)
        )
        _, lanes, _, score, potential, vectors, _, thr, membrane = arguments
        one, zero = (ir.Constant(LANES, [value] * WIDTH) for value in (1.0, 0.0))

        def vector(v: Any) -> None:
            at = b.mul(v, INT(WIDTH))
            threshold = e.load(e.at(neurons, b.add(thr, at)), 0)

            def lane(number: Any) -> None:
                own = e.at(state, b.add(b.load(e.at(records, number)), at))
                u, target = e.load(e.at(own, potential), 0), e.at(own, score)
                fired = b.select(b.fcmp_ordered(">", u, threshold), one, zero)
                e.store(b.fadd(e.load(target, 0), b.select(membrane, u, fired)), target, 0)

            e.each(lanes, lane)

        e.each(vectors, vector)
        return context.get_dummy_value()

    return signature, generate


tally: Final[Any] = _tally
"""Add the potentials of `vectors` vectors of neurons, or their spikes, to the lanes' scores.

(records, lanes, state, score, potential, vectors, neurons, thr, membrane): score and potential are places in a record,
thr is where the population's thresholds begin.
"""
