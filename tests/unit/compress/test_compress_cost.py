"""Counting: bytes, multiply-accumulates and synaptic operations against sums written out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import conv, random_bundle

from edgehar.compress.cost import cost, operations, packed_bytes, tensor_counts


def with_zeros(bundle, names, every=2):
    """Every second weight of the named tensors set to zero."""
    weights = {name: w.copy() for name, w in bundle.weights.items()}
    for name in names:
        weights[name].ravel()[::every] = 0
    return replace(bundle, weights=weights)


def test_fastgrnn_macs_of_a_window():
    bundle = random_bundle("fastgrnn", window=32, hidden=10, channels=6, classes=4, rank_w=2, rank_u=3)
    per_step = 10 * 2 + 6 * 2 + 2 * 10 * 3
    assert operations(bundle) == (32 * per_step + 40, 32 * per_step + 40)
    assert operations(with_zeros(bundle, ["U1", "fc_w"])) == (32 * per_step + 40, 32 * (per_step - 15) + 20)


def test_gru_macs_of_a_window():
    bundle = random_bundle("gru", window=20, hidden=5, channels=6, classes=3)
    assert operations(bundle)[0] == 20 * (15 * 6 + 15 * 5) + 15


def test_convolutions_count_every_output_sample():
    layers = [conv("a", 8, 5, 2), conv("b", 8, 3, 1, 8), {"op": "mean"}, {"op": "linear", "name": "fc"}]
    bundle = random_bundle("cnn", window=33, hop=16, channels=6, classes=4, layers=layers)
    # (33 - 5) // 2 + 1 = 15 samples after a, 13 after b, which is depthwise.
    dense = 15 * 8 * 6 * 5 + 13 * 8 * 3 + 32
    assert operations(bundle) == (dense, dense)
    assert operations(with_zeros(bundle, ["a.w"])) == (dense, dense - 15 * 8 * 6 * 5 // 2)


def test_synaptic_operations_follow_the_spikes():
    bundle = random_bundle("l2mu", window=10, channels=6, classes=4, hidden=16, encoder="single")
    features, m, h, o = 24, 12, 16, 4
    weights = 3 * features + 3 * h + 3 * m + h * features + h * h + h * m + o * h + 3 * 4 * 4 + 3 * 4
    analogue = 6 * 4
    assert operations(bundle) == (10 * (weights + analogue),) * 2
    silent = {name: np.zeros(n) for name, n in (("enc0", features), ("u", 3), ("m", m), ("h", h), ("o", o))}
    assert operations(bundle, silent) == (10 * (weights + analogue), 10 * analogue)
    one = {**silent, "h": np.eye(h)[3] * 0.5}
    assert operations(bundle, one)[1] == 10 * analogue + round(10 * 0.5 * (3 + h + o))
    pruned = with_zeros(bundle, [])
    pruned.weights["W_h"][:, 3] = 0
    assert operations(pruned, one)[1] == 10 * analogue + round(10 * 0.5 * (3 + o))


def test_packed_bytes_take_the_smaller_form():
    tensor = np.zeros((10, 10), np.float32)
    tensor[0] = 1
    assert packed_bytes(tensor, 4) == 13 + 40
    assert packed_bytes(np.ones((10, 10), np.float32), 4) == 400
    assert packed_bytes(tensor, 1) == 23


@pytest.mark.parametrize("family", ["cnn", "csieffnet", "dscnn", "fastgrnn", "fusion", "gru", "l2mu"])
def test_a_dense_bundle_costs_its_parameters(family):
    bundle = random_bundle(family)
    counted = cost(bundle)
    total = sum(w.size for w in bundle.weights.values())
    assert (counted.parameters, counted.dense_bytes) == (total, 4 * total)
    assert counted.packed_bytes <= counted.dense_bytes
    assert counted.dense >= counted.effective > 0
    assert counted.unit == ("synaptic operation" if family == "l2mu" else "MAC")
    assert tensor_counts(bundle) == {n: [int(np.count_nonzero(w)), w.size] for n, w in sorted(bundle.weights.items())}


def test_a_quantised_bundle_stores_its_matrices_in_a_byte_each():
    bundle = random_bundle("fastgrnn")
    quantised = replace(bundle, manifest=replace(bundle.manifest, quant={"scheme": "int8"}))
    matrices = sum(w.size for w in bundle.weights.values() if w.ndim > 1)
    assert cost(bundle).packed_bytes - cost(quantised).packed_bytes == 3 * matrices
