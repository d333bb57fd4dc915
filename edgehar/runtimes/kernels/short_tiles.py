"""The three steps of a convolution by `edgehar.runtimes.kernels.toom_cook`, as functions of vector instructions.

A group is 2 or 4 neighbouring columns of the output. `spread_columns` makes what the products of every group multiply,
`product_tile` makes two products of some groups with all sums in registers, `join_columns` makes columns of the
products, with bias, skip and rectifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.out_of_line import call_chosen, call_tile, with_pointers
from edgehar.runtimes.kernels.toom_cook import SCHEMES, Coefficients
from edgehar.runtimes.kernels.vector import HEIGHTS, INT, LANES, SUMS, TALLEST, WIDEST, WIDTH, Emitter

GROUPS: Final = max(1, TALLEST // 2)
"""Groups of a tile at most."""
SHAPES: Final = [
    (r, v) for v in range(1, WIDEST + 1) for r in HEIGHTS if r <= GROUPS and (2 * r * v <= SUMS or (r, v) == (1, 1))
]


def weighted_sum(e: Emitter, coefficients: Coefficients, values: Sequence[Any], total: Any = None) -> Any:
    """Total plus the sum of coefficients times values, in this order, every term rounded once."""
    for coefficient, value in zip(coefficients.tolist(), values, strict=True):
        factor = ir.Constant(LANES, [coefficient] * WIDTH)
        if coefficient == 0:
            continue
        if total is None:
            total = value if coefficient == 1 else e.b.fmul(value, factor)
        elif abs(coefficient) == 1:
            total = e.b.fadd(total, value) if coefficient > 0 else e.b.fsub(total, value)
        else:
            total = e.fma(value, factor, total)
    return total


def emit_spread(e: Emitter, columns: int, operands: Sequence[Any]) -> None:
    """Y [groups, products, plane] from x [columns * groups + 2, inputs]; operands y, x, inputs, plane, groups."""
    b = e.b
    y, x, inputs, plane, groups = operands
    before = SCHEMES[columns].before

    def group(r: Any) -> None:
        neighbours = [e.at(x, b.mul(b.add(b.mul(r, INT(columns)), INT(k)), inputs)) for k in range(columns + 2)]
        rows = [e.at(y, b.mul(b.add(b.mul(r, INT(len(before))), INT(k)), plane)) for k in range(len(before))]

        def vector(i: Any) -> None:
            values = [e.load(e.at(neighbour, i), 0) for neighbour in neighbours]
            for coefficients, row in zip(before, rows, strict=True):
                e.store(weighted_sum(e, coefficients, values), e.at(row, i), 0)

        e.each(inputs, vector, step=WIDTH)

    e.each(groups, group)


def emit_products(e: Emitter, groups: int, vectors: int, operands: Sequence[Any]) -> None:
    """out[r, q] = sum over j of x[r, q, j] matrix[j, q] for two products q; `vectors` registers of each.

    operands: out, its steps from group to group and from product to product; matrix and its step; x and its two steps;
    number of j.
    """
    b = e.b
    out, out_step, out_plane, matrix, step, x, x_step, x_plane, inner = operands

    def terms(_: Any, carried: list[Any]) -> list[Any]:
        line, places, sums = carried[0], carried[1 : 1 + groups], carried[1 + groups :]
        new = []
        for product in (0, 1):
            weights = [e.load(line, v) for v in range(vectors)]
            line = e.at(line, step)
            for r in range(groups):
                value = e.splat(b.load(places[r] if product == 0 else e.at(places[r], x_plane)))
                at = (product * groups + r) * vectors
                new += [e.fma(weights[v], value, sums[at + v]) for v in range(vectors)]
        return [line, *(e.at(place, INT(1)) for place in places), *new]

    # Pointers are carried, not computed from j: with so many sums there is no register left for that.
    zeros = [ir.Constant(LANES, [0.0] * WIDTH)] * (2 * groups * vectors)
    places = [e.at(x, b.mul(x_step, INT(r))) for r in range(groups)]
    sums = e.loop(INT(0), inner, 1, [matrix, *places, *zeros], terms)[1 + groups :]
    for product in (0, 1):
        for r in range(groups):
            row = e.at(out, b.add(b.mul(out_step, INT(r)), b.mul(out_plane, INT(product))))
            for v in range(vectors):
                e.store(sums[(product * groups + r) * vectors + v], row, v)


def emit_join(e: Emitter, columns: int, operands: Sequence[Any]) -> None:
    """Column c of group r: max(floor, bias + skip + sum over k of after[c, k] products[r, k]).

    operands: out and its step from column to column; bias; skip and its step; products [groups, columns + 2, vectors];
    their vectors; groups; floor. From the last vector to the first, as `conv_tile` stores columns without padding.
    """
    b = e.b
    out, out_step, bias, skip, skip_step, products, vectors, groups, floor = operands
    after, floors = SCHEMES[columns].after, e.splat(floor)
    plane = b.mul(vectors, INT(WIDTH))

    def group(r: Any) -> None:
        first, made = b.mul(r, INT(columns)), e.at(products, b.mul(b.mul(r, INT(columns + 2)), plane))

        def vector(i: Any) -> None:
            at = b.sub(plane, b.mul(b.add(i, INT(1)), INT(WIDTH)))
            biases = e.load(e.at(bias, at), 0)
            values = [e.load(e.at(made, b.add(b.mul(plane, INT(k)), at)), 0) for k in range(columns + 2)]
            for c in range(columns):
                column = b.add(first, INT(c))
                begun = e.load(e.at(skip, b.add(b.mul(column, skip_step), at)), 0)
                total = weighted_sum(e, after[c], values, b.fadd(begun, biases))
                target = e.at(out, b.add(b.mul(column, out_step), at))
                e.store(b.select(b.fcmp_ordered("<", total, floors), floors, total), target, 0)

        e.each(vectors, vector)

    e.each(groups, group)


@intrinsic
def _spread_columns(
    _: Any, columns: Any, y: Any, yo: Any, x: Any, xo: Any, inputs: Any, plane: Any, groups: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """`emit_spread` for 2 or 4 columns; what is behind the inputs of a row of y is overwritten up to a register."""
    i = types.intp
    signature = types.void(i, y, i, x, i, i, i, i)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        which, *values = with_pointers(context, builder, signature, arguments)
        cases = {n: (f"eh_spread_{n}", lambda e, inside, n=n: emit_spread(e, n, inside)) for n in SCHEMES}
        call_chosen(builder, which, cases, values)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _product_tile(
    _: Any, groups: Any, vectors: Any, out: Any, oo: Any, os: Any, out_plane: Any,  # noqa: ARG001
    matrix: Any, mo: Any, ms: Any, x: Any, xo: Any, xs: Any, x_plane: Any, inner: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """`emit_products` for every shape, chosen by the first two arguments."""
    i = types.intp
    signature = types.void(i, i, out, i, i, i, matrix, i, i, x, i, i, i, i)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, across, *values = with_pointers(context, builder, signature, arguments)
        tiles = {
            (r, v): (f"eh_products_{r}x{v}", lambda e, inside, r=r, v=v: emit_products(e, r, v, inside))
            for r, v in SHAPES
        }
        call_tile(builder, rows, across, tiles, values)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _join_columns(
    _: Any, columns: Any, out: Any, oo: Any, os: Any, bias: Any, bo: Any, skip: Any, so: Any, ss: Any,  # noqa: ARG001
    products: Any, po: Any, vectors: Any, groups: Any, floor: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """`emit_join` for 2 or 4 columns."""
    i = types.intp
    signature = types.void(i, out, i, i, bias, i, skip, i, i, products, i, i, i, types.float32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        which, *values = with_pointers(context, builder, signature, arguments)
        cases = {n: (f"eh_join_{n}", lambda e, inside, n=n: emit_join(e, n, inside)) for n in SCHEMES}
        call_chosen(builder, which, cases, values)
        return context.get_dummy_value()

    return signature, generate


spread_columns: Any = _spread_columns
product_tile: Any = _product_tile
join_columns: Any = _join_columns
