"""Nodes and constants of one ONNX graph; the body of a Scan shares the constants of the graph around it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import helper, numpy_helper

Dim = int | str


class Builder:
    """Appends nodes in order. A tensor's name is unique in the whole file, inner graphs included.

    `scope` starts the names of the nodes and of the tensors that are not given one, so that a reader of the file can
    tell preprocessing, step and head apart.
    """

    def __init__(self, around: Builder | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.scope = ""
        self.constants: dict[str, onnx.TensorProto] = {} if around is None else around.constants
        self.values: dict[str, NDArray[Any]] = {} if around is None else around.values
        self.taken: set[str] = set() if around is None else around.taken

    def const(self, name: str, value: ArrayLike, dtype: Any = np.float32) -> str:
        """A constant; the same name with the same value appears once, with another value under another name."""
        array = np.asarray(value, dtype)
        wanted, number = name, 2
        while wanted in self.taken and not _same(self.values.get(wanted), array):
            wanted, number = f"{name}.{number}", number + 1
        if wanted not in self.values:
            self.taken.add(wanted)
            self.values[wanted] = array
            self.constants[wanted] = numpy_helper.from_array(array, wanted)
        return wanted

    def ints(self, values: Sequence[int]) -> str:
        """Shapes, axes and indices: int64, named by their values."""
        return self.const("ints_" + "_".join(map(str, values))[:60], values, np.int64)

    def op(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        """One node with one output, called `name`, or by kind and number."""
        return self.ops(kind, inputs, [name], **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[str], names: Sequence[str], **attributes: Any) -> list[str]:
        """One node with several outputs."""
        outputs = [self.free(name or f"{self.scope}{kind.lower()}") for name in names]
        node = helper.make_node(kind, inputs, outputs, name=f"{self.scope}{kind}_{outputs[0]}", **attributes)
        self.nodes.append(node)
        return outputs

    def drop_unread(self, outputs: Collection[str]) -> None:
        """Remove nodes of which nothing comes: ONNX Runtime up to 1.18 computes wrong loops around them."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                kept.append(node)
                needed |= {*node.input, *(name for graph in inner_graphs(node) for name in _read(graph))}
        self.nodes = kept[::-1]

    def give_away(self, reader: Builder) -> list[onnx.TensorProto]:
        """The constants that only `reader`'s nodes use: they become its own, which lets a runtime prepare them once."""
        own = {name for node in self.nodes for name in node.input}
        given = dict.fromkeys(name for node in reader.nodes for name in node.input if name not in own)
        for name in given:
            self.values.pop(name, None)  # who asks for it again in this graph gets one of another name
        return [self.constants.pop(name) for name in given if name in self.constants]

    def free(self, name: str) -> str:
        """`name`, or `name` with a number behind it if there is one already; taken from now on."""
        wanted, number = name, 2
        while wanted in self.taken:
            wanted, number = f"{name}.{number}", number + 1
        self.taken.add(wanted)
        return wanted


def value_info(name: str, shape: Sequence[Dim]) -> onnx.ValueInfoProto:
    """A float32 tensor of the graph's interface."""
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Bodies of a loop or a branch."""
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _read(graph: onnx.GraphProto) -> list[str]:
    return [name for node in graph.node for name in node.input]


def _same(a: NDArray[Any] | None, b: NDArray[Any]) -> bool:
    return a is not None and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
