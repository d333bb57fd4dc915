"""Buffers of columns: the newest last, and when one is full, the columns that are still needed move to its front."""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import exact_kernel
from edgehar.runtimes.kernels.out_of_line import with_pointers
from edgehar.runtimes.kernels.vector import INT, WIDTH, Emitter

MOVED_BYTES: Final = 4 * WIDTH
"""What is moved at once: a buffer has as many bytes behind its last column."""
BYTE = ir.IntType(8)


@exact_kernel
def first_column(first: int, seen: int, new: int, kept: int, room: int) -> int:
    """Number of the first column of a buffer once `new` columns follow column `seen`: `first` while there is room."""
    return first if seen + new - first <= room else int(max(first, seen - kept))


@intrinsic
def _move_down(_: Any, array: Any, to: Any, start: Any, count: Any) -> Any:  # noqa: ARG001
    """Move `count` values of an array from place `start` down to place `to`, and what follows up to a whole register.

    In ascending order, so the places may overlap.
    """
    i = types.intp
    signature = types.void(array, i, i, i)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        size = INT(context.get_abi_sizeof(data.type.pointee))
        target, source = (builder.bitcast(e.at(data, place), BYTE.as_pointer()) for place in arguments[1:3])
        whole = ir.VectorType(BYTE, MOVED_BYTES).as_pointer()

        def step(k: Any, _: list[Any]) -> list[Any]:
            value = builder.load(builder.bitcast(e.at(source, k), whole), align=1)
            builder.store(value, builder.bitcast(e.at(target, k), whole), align=1)
            return []

        e.loop(INT(0), builder.mul(arguments[3], size), MOVED_BYTES, [], step)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _copy_values(_: Any, out: Any, oo: Any, x: Any, xo: Any, count: Any) -> Any:  # noqa: ARG001
    """Copy `count` values from place xo of x to place oo of out, and nothing behind them; the places do not overlap.

    In a loop over an array Numba asks of every place whether it counts from the end, and LLVM scatters the values.
    """
    i = types.intp
    signature = types.void(out, i, x, i, i)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)
        target, source, n = with_pointers(context, builder, signature, arguments)
        whole = builder.and_(n, INT(-WIDTH))

        def vector(k: Any) -> None:
            e.store(e.load(e.at(source, k), 0), e.at(target, k), 0)

        def value(k: Any) -> None:
            builder.store(builder.load(e.at(source, k)), e.at(target, k))

        e.each(whole, vector, step=WIDTH)
        e.each(n, value, first=whole)
        return context.get_dummy_value()

    return signature, generate


move_down: Any = _move_down
copy_values: Any = _copy_values
