"""Single integer operations against numbers worked out by hand, and against the functions that they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle
from test_graph_quantise import quant_of, windows

from edgehar.graph.equalise import scalable
from edgehar.graph.execute import run_graph
from edgehar.graph.graph import Quant
from edgehar.graph.intexecute import (
    apply_int,
    dequantise,
    quantise_input,
    rounded,
    run_int_graph,
    sigmoid_q15,
    tanh_q15,
)
from edgehar.graph.intops import IntConv, IntLegendre, IntLif, IntLinear, IntMean, IntTerm
from edgehar.graph.ops import Constant
from edgehar.graph.quantise import quantise, tanh_table
from edgehar.runtimes.lowered import graph_of

TABLE = tanh_table().value.astype(np.int64)
Q12 = np.arange(-32768, 32768)


@pytest.fixture(scope="module")
def integers():
    """Some integer graph, whose quants a test replaces."""
    graph = graph_of(random_bundle("gru"))
    return quantise(graph, quant_of(graph, windows(8)))


def ints(*values, dtype=np.int32):
    return Constant("c", np.array(values, dtype))


def run(integers, op, quants, **tensors):
    graph = replace(integers, quants={**integers.quants, **quants})
    return apply_int(graph, op, {name: np.array(v, np.int64) for name, v in tensors.items()})


def test_tanh_is_odd_monotonic_and_near():
    found = tanh_q15(Q12, TABLE)
    assert np.abs(found / 32768 - np.tanh(Q12 / 4096)).max() < 7e-4
    np.testing.assert_array_equal(found[Q12 > 0], -found[(Q12 < 0) & (Q12 > -32768)][::-1])
    assert (np.diff(found) >= 0).all()


def test_sigmoid_stays_within_0_and_32767_and_near():
    found = sigmoid_q15(Q12, TABLE)
    assert found.min() >= 0
    assert found.max() <= 32767
    assert np.abs(found / 32768 - 1 / (1 + np.exp(-Q12 / 4096))).max() < 7e-4


@pytest.mark.parametrize(
    ("v", "shift", "expected"), [(5, 1, 3), (-5, 1, -2), (6, 2, 2), (-6, 2, -1), (7, 0, 7), (-1, 3, 0)]
)
def test_halves_round_towards_plus_infinity(v, shift, expected):
    assert rounded(np.array([v]), shift).tolist() == [expected]


def test_a_sum_of_products_is_rounded_once_and_saturates(integers):
    terms = (
        IntTerm("a", Constant("w", np.array([[3, -2], [100, 100]], np.int8)), ints(5)),
        IntTerm("b", Constant("v", np.array([[1], [1]], np.int8)), ints(2, 9)),
    )
    op = IntLinear("out", terms, ints(1, 0), 2)
    # row 0: (3 * 4 - 2 * 1) * 5 + 3 * 2 = 56, >> 2 = 14, + 1; row 1: 500 * 5 + 3 * 9 is beyond int8
    assert run(integers, op, {"out": Quant("int8", 1.0)}, a=[[4, 1]], b=[[3]]).tolist() == [[15, 127]]
    assert run(integers, op, {"out": Quant("int16", 1.0)}, a=[[4, 1]], b=[[3]]).tolist() == [[15, 632]]


def test_a_leaky_neuron_fires_and_pays_one_sample_later(integers):
    op = IntLif("S", "U_next", "d", "U", beta=ints(16384, dtype=np.int16), threshold=ints(10, dtype=np.int8))
    quants = {"U_next": Quant("int8", 1.0)}
    # 0.5 * 8 + 12 = 16 fires; 0.5 * 16 + 0 - 10 = -2 rests; 0.5 * -2 + 200 saturates
    for u, drive, after, fires in ((8, 12, 16, 1), (16, 0, -2, 0), (-2, 200, 127, 1), (11, -300, -128, 0)):
        made = run(integers, op, quants, d=[[drive << 8]], U=[[u]])
        assert (made["U_next"].item(), made["S"].item()) == (after, fires)


def test_a_synaptic_neurons_current_leaks_into_its_potential(integers):
    half, no_leak, threshold = ints(16384, dtype=np.int16), ints(0, dtype=np.int16), ints(10, dtype=np.int8)
    op = IntLif("S", "U_next", "d", "U", no_leak, threshold, "I", "I_next", half)
    quants = {"U_next": Quant("int8", 1.0), "I_next": Quant("int8", 1.0)}
    made = run(integers, op, quants, d=[[3 << 8]], U=[[4]], I=[[20]])
    assert (made["I_next"].item(), made["U_next"].item(), made["S"].item()) == (13, 13, 1)


def test_a_legendre_row_has_its_own_input_and_gain(integers):
    a, b = Constant("A", np.array([[1, 2], [3, 4]], np.int16)), Constant("B", np.array([10, 20], np.int16))
    op = IntLegendre("d", "m", "u", a, b, ints(2, 2, 2, 4), 1)
    found = run(integers, op, {}, m=[[1, 0, 0, 1]], u=[[1, 0]])
    assert found.tolist() == [[1 + 10, 3 + 20, 2, 2 * 4]]


def test_a_convolutions_zero_points_cancel(integers):
    w = Constant("w", np.array([[[2, 1]]], np.int8))
    x, skip, out = Quant("int8", 0.5, 3), Quant("int8", 0.25, -7), Quant("int8", 1.0, -20)
    shift = 10
    op = IntConv(
        out="y", x="x", w=w, b=ints(-3 * 3), multiplier=ints(512), shift=shift, stride=1, groups=1, low=-20, high=127,
        offset=(out.zero_point << shift) + 7 * 256, skip="s", skip_lag=1, skip_multiplier=256,
    )  # fmt: skip
    quants = {"x": x, "s": skip, "y": out}
    # real: 2 * 4 + 1 * 6 = 14, + skip 2 = 16 in out's units, whose zero is -20; the second column is below zero: relu
    found = run(integers, op, quants, x=[[[11], [15], [-80]]], s=[[[0], [1], [-7]]])
    assert found.tolist() == [[[-4], [-20]]]


def test_a_mean_leaves_the_zero_point_out(integers):
    op = IntMean("mean", "y", 4, -10, ints(1 << 10), 12)
    assert run(integers, op, {}, y=[[[-10], [-6], [-10], [6]]]).tolist() == [[5]]


def test_an_input_that_is_not_a_number_is_zero_as_in_c(integers):
    x = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert quantise_input(integers, x).tolist() == [0, 127, -128]


def test_inputs_round_half_to_even_and_saturate(integers):
    scale = integers.quants["x"].scale
    x = np.array([0.5, 1.5, -0.5, 2.49, 1e9, -1e9], np.float32) * np.float32(scale)
    assert quantise_input(integers, x)[[0, 1, 2, 3, 4, 5]].tolist() == [0, 2, 0, 2, 127, -128]
    assert dequantise(integers, np.array([3])) == np.float32(3) * np.float32(integers.quants["logits"].scale)


@pytest.mark.parametrize("readout", ["count", "membrane"])
@pytest.mark.parametrize("scheme", ["int8", "int8x16"])
def test_a_spiking_models_labels_survive(scheme, readout):
    graph = graph_of(random_bundle("l2mu", readout=readout, hidden=32, neuron="leaky", encoder="single"))
    x = windows(128)
    gains = {name: [1.0] * graph.sizes[name] for name in scalable(graph)}
    expected = run_graph(graph, x)
    found = run_int_graph(quantise(graph, quant_of(graph, x, scheme, "all", gains=gains)), x)
    margin = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0]
    clear = margin > np.median(margin)  # a near-tie may fall either way
    assert (found.argmax(axis=1) == expected.argmax(axis=1))[clear].mean() > (0.75 if scheme == "int8" else 0.85)
