"""From a bundle to its graph: one function per model family, straight from the family's equations.

The equations stand in `edgehar.runtimes.cells`; constants keep the names of the bundle's tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgehar.errors import InputError, Reason
from edgehar.graph.convplan import plan_convnet
from edgehar.graph.graph import Graph, State
from edgehar.graph.ops import (
    TENSOR_LOGITS,
    TENSOR_X,
    Accumulate,
    Constant,
    Conv,
    Expand,
    GatedUpdate,
    GruUpdate,
    Legendre,
    Lif,
    Linear,
    Mean,
    Op,
    Term,
)
from edgehar.types import FloatArray

Weights = Mapping[str, FloatArray]
Lowered = tuple[tuple[Op, ...], tuple[Op, ...], tuple[State, ...], dict[str, int]]


def lower(
    model: Mapping[str, Any],
    weights: Weights,
    *,
    window: int,
    hop: int,
    preprocess: Sequence[Mapping[str, Any]] = (),
    channels: Sequence[str] = (),
) -> Graph:
    """The graph of a model as `Model.export` and a bundle hold it: manifest.model, its tensors, window and hop."""
    family = str(model["family"])
    if family not in FAMILIES:
        raise InputError(
            f"no graph is known for the family '{family}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"export one of: {', '.join(FAMILIES)}",
        )
    step, head, states, sizes = FAMILIES[family](model, weights, window)
    return Graph(
        family=family,
        inputs=model["inputs"],
        classes=model["classes"],
        window=window,
        hop=hop,
        sizes={TENSOR_X: model["inputs"], **sizes, **({TENSOR_LOGITS: model["classes"]} if head else {})},
        states=states,
        output=TENSOR_LOGITS if head else "score",
        preprocess=tuple(preprocess),
        channels=tuple(channels),
        step=step,
        head=head,
    )


def _constant(weights: Weights, name: str) -> Constant:
    return Constant(name, weights[name])


def _product(weights: Weights, name: str, x: str, sizes: dict[str, int]) -> tuple[Term, tuple[Op, ...]]:
    """The term W x, and what has to run before it: for W = W1 W2^T the inner product low_W = W2^T x."""
    if name in weights:
        return Term(x, _constant(weights, name)), ()
    inner = f"low_{name}"
    second = weights[f"{name}2"]
    sizes[inner] = second.shape[1]
    transposed = Constant(f"{name}2", np.ascontiguousarray(second.T))
    return Term(inner, _constant(weights, f"{name}1")), (Linear(inner, (Term(x, transposed),)),)


def _fastgrnn(model: Mapping[str, Any], w: Weights, _: int) -> Lowered:
    hidden = model["hidden"]
    sizes = {"h": hidden, "pre": hidden, "h_next": hidden}
    from_x, before_x = _product(w, "W", TENSOR_X, sizes)
    from_h, before_h = _product(w, "U", "h", sizes)
    gates = [_constant(w, name) for name in ("b_z", "b_h", "zeta", "nu")]
    step = (*before_x, *before_h, Linear("pre", (from_x, from_h)), GatedUpdate("h_next", "pre", "h", *gates))
    return step, (_classifier(w, "h", "fc_w", "fc_b"),), (State("h", "h_next", hidden),), sizes


def _gru(model: Mapping[str, Any], w: Weights, _: int) -> Lowered:
    hidden = model["hidden"]
    sizes = {"h": hidden, "from_x": 3 * hidden, "from_h": 3 * hidden, "h_next": hidden}
    step = (
        Linear("from_x", (Term(TENSOR_X, _constant(w, "w_ih")),), _constant(w, "b_ih")),
        Linear("from_h", (Term("h", _constant(w, "w_hh")),), _constant(w, "b_hh")),
        GruUpdate("h_next", "from_x", "from_h", "h"),
    )
    return step, (_classifier(w, "h", "fc_w", "fc_b"),), (State("h", "h_next", hidden),), sizes


def _classifier(w: Weights, x: str, matrix: str, bias: str) -> Linear:
    return Linear(TENSOR_LOGITS, (Term(x, _constant(w, matrix)),), _constant(w, bias))


def _convnet(model: Mapping[str, Any], w: Weights, window: int) -> Lowered:
    plan = plan_convnet(model, window)
    names = [TENSOR_X, *(conv.name for conv in plan.convs)]
    sizes = {conv.name: conv.out for conv in plan.convs} | {"mean": plan.convs[-1].out}
    step = tuple(
        Conv(
            out=conv.name,
            x=names[i],
            w=_constant(w, f"{conv.name}.w"),
            b=_constant(w, f"{conv.name}.b"),
            stride=conv.stride,
            groups=conv.groups,
            relu=conv.relu,
            skip="" if conv.skip is None else names[conv.skip],
            skip_lag=conv.skip_lag,
        )
        for i, conv in enumerate(plan.convs)
    )
    head = (Mean("mean", names[-1], plan.kept[-1]), _classifier(w, "mean", f"{plan.linear}.w", f"{plan.linear}.b"))
    return step, head, (), sizes


class _Spiking:
    """Gathers the operations of an L2MU step; populations fire in the order in which they are added."""

    def __init__(self, model: Mapping[str, Any], w: Weights) -> None:
        self.model, self.w = model, w
        self.step: list[Op] = []
        self.states: list[State] = []
        self.sizes: dict[str, int] = {}

    def state(self, name: str, size: int) -> None:
        self.sizes |= {name: size, f"{name}_next": size}
        self.states.append(State(name, f"{name}_next", size))

    def terms(self, *products: tuple[str, str]) -> tuple[Term, ...]:
        return tuple(Term(x, _constant(self.w, name)) for name, x in products)

    def fire(self, p: str, size: int, *, spikes_fed_back: bool) -> str:
        """Neurons of population p on `drive_p`; returns the name of their spikes."""
        self.sizes[f"drive_{p}"] = size
        self.state(f"U_{p}", size)
        out = f"S_{p}_next" if spikes_fed_back else f"S_{p}"
        if spikes_fed_back:
            self.state(f"S_{p}", size)
        else:
            self.sizes[out] = size
        synaptic = self.model["neuron"] == "synaptic"
        if synaptic:
            self.state(f"I_{p}", size)
        self.step.append(
            Lif(
                out=out,
                potential_out=f"U_{p}_next",
                drive=f"drive_{p}",
                potential=f"U_{p}",
                beta=self.decay(f"beta_{p}"),
                threshold=_constant(self.w, f"thr_{p}"),
                current=f"I_{p}" if synaptic else "",
                current_out=f"I_{p}_next" if synaptic else "",
                alpha=self.decay(f"alpha_{p}") if synaptic else None,
            )
        )
        return out

    def decay(self, name: str) -> Constant:
        return Constant(name, np.clip(self.w[name], np.float32(0), np.float32(1)))


def _l2mu(model: Mapping[str, Any], w: Weights, _: int) -> Lowered:
    s = _Spiking(model, w)
    memory, order, hidden, classes = model["memory"], model["order"], model["hidden"], model["classes"]
    e = TENSOR_X
    if model["encoder"] != "plain":
        s.step.append(Expand("drive_enc0", TENSOR_X, _constant(w, "enc0_w"), _constant(w, "enc0_b")))
        e = s.fire("enc0", model["inputs"] * model["pop"], spikes_fed_back=False)
    if model["encoder"] == "stacked":
        for p, size in (("enc1", model["encoding"]), ("enc2", model["encoded"])):
            s.step.append(Linear(f"drive_{p}", s.terms((f"{p}_w", e)), _constant(w, f"{p}_b")))
            e = s.fire(p, size, spikes_fed_back=False)
    s.step.append(Linear("drive_u", s.terms(("E_x", e), ("E_h", "S_h"), ("E_m", "S_m"))))
    u = s.fire("u", memory, spikes_fed_back=False)
    s.step.append(Legendre("drive_m", "S_m", u, _constant(w, "A"), _constant(w, "B")))
    m = s.fire("m", memory * order, spikes_fed_back=True)
    s.step.append(Linear("drive_h", s.terms(("W_x", e), ("W_h", "S_h"), ("W_m", m))))
    h = s.fire("h", hidden, spikes_fed_back=True)
    s.step.append(Linear("drive_o", s.terms(("W_o", h)), _constant(w, "b_o")))
    o = s.fire("o", classes, spikes_fed_back=False)
    s.state("score", classes)
    s.step.append(Accumulate("score_next", "score", o if model["readout"] == "count" else "U_o_next"))
    return tuple(s.step), (), tuple(s.states), s.sizes


FAMILIES: Mapping[str, Callable[[Mapping[str, Any], Weights, int], Lowered]] = {
    "fastgrnn": _fastgrnn,
    "gru": _gru,
    "cnn": _convnet,
    "csicnn": _convnet,
    "csieffnet": _convnet,
    "dscnn": _convnet,
    "fusion": _convnet,
    "l2mu": _l2mu,
}
