"""A window file with its loop written out, one copy of the step a sample.

ONNX Runtime plans an unrolled graph as a whole, and saves the cost of a Scan's iterations.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper


def unrolled(content: bytes, steps: int) -> bytes:
    """The same model; `steps`: samples of a window. A file without a Scan comes back as it was."""
    model = onnx.load_from_string(content)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes += _steps(node, model.graph, steps) if node.op_type == "Scan" else [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _steps(scan: onnx.NodeProto, graph: onnx.GraphProto, steps: int) -> list[onnx.NodeProto]:
    (body,) = (a.g for a in scan.attribute if a.name == "body")
    carried = len(scan.output)  # every output of ours is a last state
    axis = numpy_helper.from_array(np.array([1], np.int64), "unrolled/axis")
    graph.initializer.extend([axis, *body.initializer])
    given = [value.name for value in body.input]
    states = list(scan.input[:carried])
    parts = [[f"unrolled/{name}/{t}" for t in range(steps)] for name in given[carried:]]
    nodes = [
        helper.make_node("Split", [whole], each, axis=1, num_outputs=steps)
        for whole, each in zip(scan.input[carried:], parts, strict=True)
    ]
    for t in range(steps):
        samples = [f"{each[t]}/row" for each in parts]
        nodes += [
            helper.make_node("Squeeze", [each[t], axis.name], [row]) for each, row in zip(parts, samples, strict=True)
        ]
        names = dict(zip(given, [*states, *samples], strict=True))
        for inner in body.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(inner)
            copy.name = f"{inner.name}/{t}"
            names |= {name: f"{name}/{t}" for name in inner.output}
            for field in (copy.input, copy.output):
                field[:] = [names.get(name, name) for name in field]
            nodes.append(copy)
        states = [names[value.name] for value in body.output]
    ends = [helper.make_node("Identity", [s], [e]) for s, e in zip(states, scan.output, strict=True)]
    return [*nodes, *ends]
