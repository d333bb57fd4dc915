"""Primitives that are functions of their own in the machine code, and take pointers and numbers.

Inlined, the addresses that every case of a switch needs are computed before the switch and wait on the stack for the
one case that runs, which took a convolution's tile as long as a tenth of its multiply-adds. A call with whole arrays,
seven words each, is no cheaper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir
from numba import types

from edgehar.runtimes.kernels.vector import INT, WIDEST, Emitter

Emit = Callable[[Emitter, Sequence[Any]], None]
"""Emits a function's body; takes the function's own arguments."""


def call_out_of_line(builder: Any, name: str, arguments: Sequence[Any], emit: Emit) -> None:
    """Call function `name` of this module with LLVM values, emitted where it is called first."""
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
        function = ir.Function(builder.module, kind, name)
        function.linkage = "linkonce_odr"
        for attribute in ("noinline", "nounwind", "optsize"):  # loops as written: unrolled they are larger, not faster
            function.attributes.add(attribute)
        inside = ir.IRBuilder(function.append_basic_block("entry"))
        emit(Emitter(inside), function.args)
        inside.ret_void()
    builder.call(function, arguments)


def call_chosen(builder: Any, which: Any, cases: Mapping[int, tuple[str, Emit]], arguments: Sequence[Any]) -> None:
    """Call the function of case number `which`; none where there is no such case."""
    end = builder.append_basic_block("called")
    chosen = builder.switch(which, end)
    for number, (name, emit) in cases.items():
        case = builder.append_basic_block(name)
        chosen.add_case(INT(number), case)
        builder.position_at_end(case)
        call_out_of_line(builder, name, arguments, emit)
        builder.branch(end)
    builder.position_at_end(end)


def call_tile(
    builder: Any, rows: Any, vectors: Any, tiles: Mapping[tuple[int, int], tuple[str, Emit]], arguments: Sequence[Any]
) -> None:
    """Call the function of the tile of `rows` x `vectors` registers, one of `tiles`."""
    row = WIDEST + 1
    cases = {r * row + v: case for (r, v), case in tiles.items()}
    call_chosen(builder, builder.add(builder.mul(rows, INT(row)), vectors), cases, arguments)


def with_pointers(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> list[Any]:
    """The arguments of an intrinsic, with one pointer for every array and the place in it that follows."""
    values = []
    rest = iter(zip(signature.args, arguments, strict=True))
    for kind, argument in rest:
        if isinstance(kind, types.Array):
            data = context.make_array(kind)(context, builder, argument).data
            values.append(builder.gep(data, [next(rest)[1]]))
        else:
            values.append(argument)
    return values
