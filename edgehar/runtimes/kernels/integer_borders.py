"""What the floats at both ends of a quantised model mean in integers."""

from __future__ import annotations

import numpy as np

from edgehar.graph.graph import IntGraph
from edgehar.graph.intexecute import LIMITS, inverse_scale
from edgehar.graph.ops import TENSOR_X


class Borders:
    """limit, inverse: an input is sat(rint(x inverse)) within -limit - 1 .. limit; scale: a logit is q scale."""

    def __init__(self, graph: IntGraph) -> None:
        self.limit = LIMITS[graph.quants[TENSOR_X].dtype][1]
        self.inverse = inverse_scale(graph.quants[TENSOR_X].scale)
        self.scale = np.float32(graph.quants[graph.output].scale)
