"""The L2MU as a plain loop over snntorch neurons: slow, obvious, and what the fused kernel is held equal to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgehar.models.l2mu import L2MU


def reference_run(model: L2MU, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits [b, k] and spikes [T, b, n] of every population for x [b, w, c]; gradients reach `model`'s parameters.

    Without dropout.
    """
    neurons = {name: _Neuron(model, name) for name in model.populations}
    memory, order = model.config["memory"], model.config["order"]
    batch = x.shape[0]
    s_h = x.new_zeros(batch, model.config["hidden"])
    s_m = x.new_zeros(batch, memory * order)
    state, drive = model.get_buffer("A"), model.get_buffer("B")
    weight, bias = model.output.weight * model.readout_scale, model.output.bias * model.readout_scale
    potentials = []
    for t in range(x.shape[1]):
        e = x[:, t]
        if "enc0" in neurons:
            e = neurons["enc0"]((e[:, :, None] * model.enc0_w + model.enc0_b).flatten(1))
        if "enc1" in neurons:
            e = neurons["enc2"](model.enc2(neurons["enc1"](model.enc1(e))))
        s_u = neurons["u"](e @ model.E_x.t() + s_h @ model.E_h.t() + s_m @ model.E_m.t())
        held = s_m.view(batch, memory, order) @ state.t()
        s_m = neurons["m"]((held + s_u[:, :, None] * drive).flatten(1))
        s_h = neurons["h"](e @ model.W_x.t() + s_h @ model.W_h.t() + s_m @ model.W_m.t())
        neurons["o"](s_h @ weight.t() + bias)
        potentials.append(neurons["o"].potential)
    spikes = {name: torch.stack(neuron.spikes) for name, neuron in neurons.items()}
    counted = spikes["o"] if model.config["readout"] == "count" else torch.stack(potentials)
    return counted.sum(dim=0), spikes


class _Neuron:
    """One snn.Leaky or snn.Synaptic population with the model's leaks; remembers its spikes."""

    def __init__(self, model: L2MU, name: str) -> None:
        import snntorch
        from snntorch import surrogate

        alpha, beta, threshold = model.population(name).values()
        common: dict[str, Any] = {"threshold": threshold, "spike_grad": surrogate.atan(alpha=model.slope)}
        self.neuron = snntorch.Leaky(beta, **common) if alpha is None else snntorch.Synaptic(alpha, beta, **common)
        self.states = 1 if alpha is None else 2
        self.spikes: list[Tensor] = []
        self.state: tuple[Tensor, ...] = ()

    @property
    def potential(self) -> Tensor:
        return self.state[-1]

    def __call__(self, current: Tensor) -> Tensor:
        if not self.state:
            self.state = (torch.zeros_like(current),) * self.states
        spike, *state = self.neuron(current, *self.state)
        self.state = tuple(state)
        self.spikes.append(spike.to(current.dtype))  # snntorch's surrogate always gives float32
        return self.spikes[-1]
