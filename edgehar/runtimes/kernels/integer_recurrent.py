"""The integer step of every recurrent family: an interpreter of a short program, once per sample and lane.

A lane's tensors lie one after the other in a row of int32, its states first and what they become right behind them in
the same order. `weights` holds all int8 matrices, `numbers` all other constants. A row of the program is an operation
of `edgehar.graph.intops`, its code in column 0 and the places of its operands behind it; a `IntLinear` takes one row
for each of its products and one to round their sum.
"""

from __future__ import annotations

import numpy as np

from edgehar.runtimes.kernels.compiler import Indices, Matrix, Table, exact_kernel
from edgehar.runtimes.kernels.integer_dot import add_int_product, add_scaled, dequantise_into, finish, quantise_into
from edgehar.runtimes.kernels.integer_gates import gated_update, gru_update
from edgehar.runtimes.kernels.integer_lif import expand, fire_int, leak, legendre
from edgehar.runtimes.kernels.integer_types import Lanes, Values, Weights, Wide
from edgehar.runtimes.kernels.schedule import lane_done, lanes_of

PRODUCT, FINISH, GATED, GRU, LEAK, FIRE, EXPAND, LEGENDRE, ACCUMULATE = range(9)
COLUMNS = 12
"""Of a program's row, the code included."""


@exact_kernel
def execute(
    program: Table, tensors: Values, weights: Weights, numbers: Values, acc: Values, total: Wide, fired: Indices
) -> None:
    """Run the program on one lane's tensors. acc, total: scratch of the widest operation; fired [populations]."""
    for k in range(len(program)):
        row = program[k]
        code, out, n = row[0], row[1], row[2]
        if code == PRODUCT:  # out: where the matrix begins, n: its rows
            x, columns, multiplier, count = row[3], row[4], row[5], row[6]
            acc[:n] = 0
            add_int_product(acc[:n], weights[out : out + n * columns], tensors[x : x + columns])
            add_scaled(total[:n], acc[:n], numbers[multiplier : multiplier + count])
        elif code == FINISH:
            bias, count = row[3], row[4]
            finish(tensors[out : out + n], total[:n], numbers[bias : bias + count], row[5], row[6], row[7])
            total[:n] = 0
        elif code == GATED:
            pre, h, b_z, b_h, table, size = row[3], row[4], row[5], row[6], row[7], row[8]
            zeta, nu = np.int64(numbers[row[9]]), np.int64(numbers[row[9] + 1])
            limit = row[11]
            gated_update(
                tensors[out : out + n],
                tensors[pre : pre + n],
                tensors[h : h + n],
                numbers[b_z : b_z + n],
                numbers[b_h : b_h + n],
                zeta,
                nu,
                row[10],
                -limit - 1,
                limit,
                numbers[table : table + size],
            )
        elif code == GRU:
            from_x, from_h, h, table, size, limit = row[3], row[4], row[5], row[6], row[7], row[9]
            gru_update(
                tensors[out : out + n],
                tensors[from_x : from_x + 3 * n],
                tensors[from_h : from_h + 3 * n],
                tensors[h : h + n],
                row[8],
                -limit - 1,
                limit,
                numbers[table : table + size],
            )
        elif code == LEAK:
            current, drive, alpha, count, limit = row[3], row[4], row[5], row[6], row[7]
            leak(
                tensors[out : out + n],
                tensors[current : current + n],
                tensors[drive : drive + n],
                numbers[alpha : alpha + count],
                -limit - 1,
                limit,
            )
        elif code == FIRE:
            after, before, drive, beta, thr, limit = row[3], row[4], row[5], row[6], row[8], row[10]
            fired[row[11]] += fire_int(
                tensors[out : out + n],
                tensors[after : after + n],
                tensors[before : before + n],
                tensors[drive : drive + n],
                numbers[beta : beta + row[7]],
                numbers[thr : thr + row[9]],
                -limit - 1,
                limit,
            )
        elif code == EXPAND:
            x, columns, w, b, multiplier = row[3], row[4], row[5], row[6], np.int64(numbers[row[7]])
            expand(
                tensors[out : out + n],
                tensors[x : x + columns],
                numbers[w : w + n],
                numbers[b : b + n],
                multiplier,
                row[8],
            )
        elif code == LEGENDRE:
            x, u, memory, a, b, multiplier = row[3], row[4], row[5], row[6], row[7], row[8]
            d = n // memory
            legendre(
                tensors[out : out + n],
                tensors[x : x + n],
                tensors[u : u + memory],
                numbers[a : a + d * d],
                numbers[b : b + d],
                numbers[multiplier : multiplier + row[9]],
                row[10],
            )
        else:
            total_at, x = row[3], row[4]
            for i in range(n):
                tensors[out + i] = tensors[total_at + i] + tensors[x + i]


@exact_kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    step: Table,
    head: Table,
    tensors: Lanes,
    states: int,
    x_at: int,
    x_limit: int,
    inverse: np.float32,
    output: int,
    scale: np.float32,
    weights: Weights,
    numbers: Values,
    acc: Values,
    total: Wide,
    fired: Indices,
    active: Indices,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, inputs]; tensors [K, all], states: length of all states together; fired [populations + 1]."""
    lanes, inputs = len(tensors), x.shape[1]
    done = 0
    for n in range(len(x)):
        t = t0 + n
        count = lanes_of(t, window, hop, lanes, active)
        if count == 0:
            continue
        if t % hop == 0:
            tensors[(t // hop) % lanes, :states] = 0
        for lane in range(count):
            own = tensors[active[lane]]
            quantise_into(own[x_at : x_at + inputs], x[n], inverse, -x_limit - 1, x_limit)
            execute(step, own, weights, numbers, acc, total, fired)
            for i in range(states):  # not by slices: their error message takes Numba seconds to compile
                own[i] = own[states + i]
            fired[len(fired) - 1] += 1
        k = lane_done(t, window, hop, lanes)
        if k >= 0:
            own = tensors[k]
            execute(head, own, weights, numbers, acc, total, fired)
            ends[done] = t + 1
            dequantise_into(logits[done], own[output : output + logits.shape[1]], scale)
            done += 1
