"""Matrix times vector with the matrix input-major [inputs, outputs]: the inner loop runs over neighbours in memory.

Four inputs a pass, so that an output is loaded and stored once for four multiply-adds.
"""

from __future__ import annotations

from edgehar.runtimes.kernels.compiler import Indices, Matrix, Vector, kernel


@kernel
def add_product(out: Vector, matrix: Matrix, v: Vector) -> None:
    """Add v [j] times matrix [j, n] to out [n]."""
    inputs, n = matrix.shape
    whole = inputs - inputs % 4
    for j in range(0, whole, 4):
        a, b, c, d = v[j], v[j + 1], v[j + 2], v[j + 3]
        for i in range(n):
            out[i] += a * matrix[j, i] + b * matrix[j + 1, i] + c * matrix[j + 2, i] + d * matrix[j + 3, i]
    for j in range(whole, inputs):
        a = v[j]
        for i in range(n):
            out[i] += a * matrix[j, i]


@kernel
def add_products(out: Matrix, matrix: Matrix, v: Matrix, active: Indices, count: int) -> None:
    """The same for the rows active[:count] of out [lanes, n] and v [lanes, j]; reads the matrix once."""
    inputs, n = matrix.shape
    whole = inputs - inputs % 4
    for j in range(0, whole, 4):
        for lane in range(count):
            k = active[lane]
            row, a, b, c, d = out[k], v[k, j], v[k, j + 1], v[k, j + 2], v[k, j + 3]
            for i in range(n):
                row[i] += a * matrix[j, i] + b * matrix[j + 1, i] + c * matrix[j + 2, i] + d * matrix[j + 3, i]
    for j in range(whole, inputs):
        for lane in range(count):
            row, a = out[active[lane]], v[active[lane], j]
            for i in range(n):
                row[i] += a * matrix[j, i]
