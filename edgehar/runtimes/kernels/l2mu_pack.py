"""An L2MU as its kernel reads it: populations, records of lanes, neurons and rows of integer weights.

A population's rows lie one a neuron, and hold the weights of all that hear its spikes side by side:

    u: [m]    m: [m u h]    h: [u h o]    the last encoder: [u h]    enc0, enc1: [the next encoder]

A in m's rows is dense, with zeros for the other rows of the memory, since a memory seldom changes; B is a `spread_row`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.cells.l2mu import grid_of, population_sizes
from edgehar.runtimes.kernels import lif
from edgehar.runtimes.kernels.events import spread_row
from edgehar.runtimes.kernels.integer_types import AnyArray, Int32Array
from edgehar.runtimes.kernels.simd import CACHE_LINE_BYTES, aligned, vectors_of
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import FloatArray, IntArray

FIRST, VECTORS, SPIKES, WORDS, SUMS, REACH, ROWS = range(7)
"""Columns of the table of populations: first neuron, vectors of neurons, place of its spikes in a record and their
words, place of the sums that hear it, vectors of a row, first row."""
CURRENT, SILENCE, SCORE, SHARE = range(4)
"""Other places in a record: synaptic currents, zeros, scores, and the share of the encoders in u and h."""
TABLES = 5
"""Rows of the table of neurons: those of `lif`, and the bias of encoders and outputs; u, m and h have none."""
BIAS = TABLES - 1
BIASES: Mapping[str, str] = {"o": "b_o", "enc0": "enc0_b", "enc1": "enc1_b", "enc2": "enc2_b"}


class Packed(NamedTuple):
    """What all streams of a bundle share. record: values in a lane's; weights, units: see `share_weights`."""

    populations: IntArray
    places: IntArray
    record: int
    neurons: FloatArray
    rows: Int32Array
    weights: FloatArray
    units: int
    sizes: dict[str, int]


def pack_l2mu(manifest: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
    """Lay out the model for this CPU's vectors."""
    model = manifest.model
    sizes = population_sizes(model)
    matrices = event_rows(model, weights)
    widths = [vectors_of(n, WIDTH) * WIDTH for n in sizes.values()]
    words = [2 * vectors_of(n, 128) for n in widths]
    reach = [matrix.shape[1] for matrix in matrices]
    u, _, h, o = widths[-4:]
    currents = sum(widths) if model["neuron"] == "synaptic" else 0
    share = u + h if "enc0" in sizes else 0
    # Potentials, then the places, the sums, and the spikes as they are and as they were heard, a word in two values.
    parts = [sum(widths), currents, max(widths), o, share, *reach, *(4 * n for n in words)]
    places = _begins(parts)
    own = places[5:]
    columns = [
        _begins(widths), [n // WIDTH for n in widths], own[len(sizes) :], words,
        own[: len(sizes)], [n // WIDTH for n in reach], _begins([matrix.size for matrix in matrices]),
    ]  # fmt: skip
    line = CACHE_LINE_BYTES // 4
    rows = aligned(sum(matrix.size for matrix in matrices)).view(np.int32)
    rows[:] = np.concatenate([matrix.ravel() for matrix in matrices])
    return Packed(
        np.array(columns, np.int64).T.copy(),
        np.array(places[1:5], np.int64),
        vectors_of(sum(parts), line) * line,
        _neurons(model, weights, sizes),
        rows,
        *share_weights(weights),
        sizes,
    )


def event_rows(model: Mapping[str, Any], weights: Mapping[str, FloatArray]) -> list[AnyArray]:
    """The rows of every population in its place in the order of firing, each population among them in whole vectors."""
    sizes = population_sizes(model)
    grid = {p: [part.T for part in grid_of(p, weights)[0]] for p in ("u", "m", "h", "o")}
    (h_u, m_u), (h_h, m_h), (h_o,), (a, b) = grid["u"], grid["h"], grid["o"], grid["m"]
    b_row = spread_row(np.tile(b[0], model["memory"]).astype(np.int32), model["order"])
    own_a = np.kron(np.eye(model["memory"]), a)
    rows: dict[str, list[AnyArray]] = {"u": [b_row], "m": [own_a, m_u, m_h], "h": [h_u, h_h, h_o]}
    rows["o"] = [np.zeros((sizes["o"], 0))]
    encoders = [p for p in sizes if p in ("enc0", "enc1", "enc2")]
    for p, after in zip(encoders, [*encoders[1:], ""], strict=False):
        rows[p] = [grid_of(name, weights)[0][0].T for name in ([after] if after else ["E_x", "W_x"])]
    return [np.concatenate([_padded(part) for part in rows[p]], axis=1) for p in sizes]


def share_weights(weights: Mapping[str, FloatArray]) -> tuple[FloatArray, int]:
    """Float weights of the input, and where they end.

    E_x and W_x side by side; or enc0's as [inputs, neurons], zero but for the input's own, and then the units of E_x's
    and W_x's sums.
    """
    if "enc0_w" in weights:
        inputs, pop = weights["enc0_w"].shape
        own = np.kron(np.eye(inputs, dtype=np.float32), np.ones((1, pop), np.float32))
        parts = [_padded(own * weights["enc0_w"].reshape(1, -1))]
        parts += [_padded(grid_of(name, weights)[1]) for name in ("E_x", "W_x")]
    else:
        parts = [np.concatenate([_padded(weights[name].T) for name in ("E_x", "W_x")], axis=1)]
    packed = aligned(sum(part.size for part in parts))
    packed[:] = np.concatenate([part.ravel() for part in parts])
    return packed, parts[0].size


def _neurons(model: Mapping[str, Any], weights: Mapping[str, FloatArray], sizes: Mapping[str, int]) -> FloatArray:
    """[TABLES, N] of all populations, with a threshold that padding never reaches."""

    def population(p: str, n: int) -> FloatArray:
        table = np.zeros((TABLES, n), np.float32)
        table[lif.BETA] = np.clip(weights[f"beta_{p}"], 0, 1)
        table[lif.THR] = weights[f"thr_{p}"]
        if model["neuron"] == "synaptic":
            table[lif.ALPHA] = np.clip(weights[f"alpha_{p}"], 0, 1)
        if p != "enc0":
            table[lif.UNIT] = np.resize(grid_of(p, weights)[1], n)  # the memory's rows have the same
        if p in BIASES:
            table[BIAS] = weights[BIASES[p]].ravel()
        padded = _padded(table)
        padded[lif.THR, n:] = np.inf
        return padded

    values = np.concatenate([population(p, n) for p, n in sizes.items()], axis=1)
    neurons = aligned(values.size)
    neurons[:] = values.ravel()
    return neurons


def _begins(lengths: list[int]) -> list[int]:
    """Where each begins, laid end to end."""
    begins: list[int] = np.cumsum([0, *lengths])[:-1].tolist()
    return begins


def _padded(values: AnyArray) -> AnyArray:
    """Rows filled up with zeros to whole vectors."""
    n = values.shape[-1]
    return np.pad(values, [*[(0, 0)] * (values.ndim - 1), (0, vectors_of(n, WIDTH) * WIDTH - n)])
