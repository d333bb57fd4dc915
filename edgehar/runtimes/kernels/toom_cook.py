"""Short convolutions with fewer products than taps times columns: Toom and Cook's algorithm, Winograd's F(columns, 3).

    y = after ((taps g) * (before x))     x: columns + 2 neighbours, g: 3 taps, y: columns, *: element by element

Every product belongs to a point where the polynomials of x and g are evaluated, the last one to infinity. (Winograd,
Arithmetic Complexity of Computations, 1980; Lavin and Gray, CVPR 2016.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Coefficients = NDArray[np.float64]


class Scheme(NamedTuple):
    """`before` [products, columns + 2], `taps` [products, 3], `after` [columns, products]; products = columns + 2."""

    before: Coefficients
    taps: Coefficients
    after: Coefficients


def scheme_of(points: Sequence[float]) -> Scheme:
    """The scheme of these points and infinity, for one column fewer than there are points.

    >>> scheme_of((0, 1, -1)).before.astype(int).tolist()
    [[-1, 0, 1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]]
    """
    columns, products = len(points) - 1, len(points) + 1
    before, taps, after = (np.zeros(shape) for shape in ((products, products), (products, 3), (columns, products)))
    for i, point in enumerate(points):
        others = [other for other in points if other != point]
        before[i, :-1] = np.poly(others)[::-1]
        taps[i] = np.power(float(point), range(3)) / np.prod([point - other for other in others])
        after[:, i] = np.power(float(point), range(columns))
    before[-1], taps[-1], after[-1, -1] = np.poly(points)[::-1], (0, 0, 1), 1
    return Scheme(before, taps, after)


SCHEMES: Final = {2: scheme_of((0, 1, -1)), 4: scheme_of((0, 1, -1, 2, -0.5))}
"""By columns. `before` and `after` are exact in float32.

A column's rounding error (root mean square) is that of a direct convolution for two columns and twice that for four;
with 0, 1, -1, 2 and -2 it would be larger by a fifth.
"""
