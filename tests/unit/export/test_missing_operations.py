"""A graph with an operation that an emitter lacks is refused by the operation's name, in every format."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace

import pytest

from edgehar.bundle import Bundle
from edgehar.errors import UsageError
from edgehar.graph.graph import Graph, IntGraph
from edgehar.runtimes.lowered import graph_of, int_graph_of
from tests.factories import random_bundle
from tests.quantised import quantised

pytest.importorskip("flatbuffers")
pytest.importorskip("onnx")


@dataclass(frozen=True, slots=True)
class Attention:
    out: str
    x: str


def with_unknown(graph: Graph | IntGraph) -> Graph | IntGraph:
    return replace(graph, step=(Attention("looked_at", "x"), *graph.step), sizes={**graph.sizes, "looked_at": 3})


@pytest.mark.parametrize("form", ["window", "step"])
@pytest.mark.parametrize(("target", "dtype"), [("tflite", "float32"), ("tflite", "int8"), ("onnx", "float32")])
def test_it_is_named(target: str, dtype: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"edgehar.export.{target}.emit")

    def spoiled(bundle: Bundle) -> Graph:
        return with_unknown(graph_of(bundle))

    monkeypatch.setattr(module, "graph_of", spoiled)
    bundle = quantised(random_bundle("fastgrnn"), "int8") if dtype == "int8" else random_bundle("fastgrnn")
    if dtype == "int8":
        monkeypatch.setattr(module, "quantise", lambda *_: with_unknown(int_graph_of(bundle)))
    emit = getattr(module, f"emit_{target}")
    with pytest.raises(UsageError, match=r"no operation Attention \(it makes 'looked_at'\)") as caught:
        emit(bundle, form, dtype)
    assert "Linear" in caught.value.hint
