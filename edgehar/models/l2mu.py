"""`l2mu`: the spiking Legendre memory unit (Fra et al., ICANN 2024) on leaky or synaptic populations.

All signals between blocks are spikes. Per sample x_t [inputs]:
    e = encoder(x_t)                        plain: e = x_t; single: `pop` neurons per channel; stacked: two layers more
    S_u = LIF(E_x e + E_h S_h' + E_m S_m')  memory units, ' = previous step
    S_m = LIF(A S_m' + B S_u)               memory x order, A and B fixed (zero-order hold of the Legendre system)
    S_h = LIF(W_x e + W_h S_h' + W_m S_m)   hidden
    output = LIF(W_o S_h + b_o);  logits = sum over time of its spikes (`count`) or potentials (`membrane`)
Neuron equations and surrogate: `edgehar.train.kernels.lif`. The published code applies A transposed, which is no
delay line; `legacy_transposed_A` repeats that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from edgehar.errors import Reason, UsageError
from edgehar.models.base import Array, Model, put
from edgehar.models.legendre import discretise
from edgehar.models.population import Initial, Population
from edgehar.train.kernels.l2mu import L2muCore
from edgehar.train.kernels.spikes import spike_linear

NEURONS = ("leaky", "synaptic")
ENCODERS = ("plain", "single", "stacked")
READOUTS = ("count", "membrane")

# A number is a constant, a pair the range that each neuron draws from (a single value per population: its middle).
# The memory has no leak of its own: one on top of A makes its gradient explode over the window.
BETA: Mapping[str, Initial] = MappingProxyType(
    {"enc0": (0.0, 0.9), "enc1": (0.0, 0.9), "enc2": (0.0, 0.9), "u": 0.5, "m": 0.0, "h": (0.5, 0.95), "o": 0.9}
)
# At 0.2 and order 8 the memory fires at 15 to 25 % whatever feeds it; below 0.1 it goes on firing without any input.
THRESHOLD: Mapping[str, Initial] = MappingProxyType(
    {"enc0": 0.5, "enc1": 0.5, "enc2": 0.5, "u": 0.5, "m": 0.2, "h": 0.5, "o": 1.0}
)
ALPHA: Mapping[str, Initial] = MappingProxyType(dict.fromkeys(BETA, 0.5))
INTEGRATE_ONLY = 1e6
"""Threshold of the output population under the membrane readout: it sums its input and never fires."""


class L2MU(Model):
    """[b, w, c] -> logits [b, k]; see the module docstring."""

    family: ClassVar[str] = "l2mu"
    training_options: ClassVar[tuple[str, ...]] = (
        "dropout",
        "learn",
        "fixed",
        "slope",
        "rate_weight",
        "rate_band",
    )

    def __init__(
        self, *, inputs: int, classes: int, window: int, config: dict[str, Any], options: dict[str, Any]
    ) -> None:
        super().__init__()
        self.inputs, self.classes, self.config = inputs, classes, config
        self.synaptic = config["neuron"] == "synaptic"
        self.slope = float(options["slope"])
        self.dropout = nn.Dropout(options["dropout"])
        self.rate_weight = float(options["rate_weight"])
        self.rate_band: tuple[float, float] = tuple(options["rate_band"])
        memory, order, hidden = config["memory"], config["order"], config["hidden"]
        features, sizes = self._make_encoder(config)
        sizes |= {"u": memory, "m": memory * order, "h": hidden, "o": classes}
        membrane = config["readout"] == "membrane"
        # beta_o = 0: every spike has one weight in the sum of potentials; with a leak, late ones would count for less.
        threshold = {**THRESHOLD, **({"o": INTEGRATE_ONLY} if membrane else {}), **options["threshold"]}
        beta = {**BETA, **({"o": 0.0} if membrane else {}), **options["beta"]}
        alpha = {**ALPHA, **options["alpha"]}
        fixed = {*options["fixed"], *(["o"] if membrane else [])}
        self.populations = nn.ModuleDict(
            {
                name: Population(
                    size,
                    beta=beta[name],
                    threshold=threshold[name],
                    alpha=alpha[name] if self.synaptic else None,
                    per_neuron=options["per_neuron"],
                    learn=options["learn"] and name not in fixed,
                )
                for name, size in sizes.items()
            }
        )
        state, drive = discretise(order, config["theta"])
        if config["legacy_transposed_A"]:
            state = state.T
        self.register_buffer("A", torch.tensor(state, dtype=torch.float32))
        self.register_buffer("B", torch.tensor(options["memory_gain"] * drive, dtype=torch.float32))
        # The sum over the window of an integrator: this factor keeps the logits near one at the start.
        middle = float(np.mean(beta["o"]))
        self.readout_scale = max(1.0 - middle, 1e-2) * 4.0 / window if membrane else 1.0
        self.E_x = nn.Parameter(_lecun_uniform(memory, features))
        self.E_h = nn.Parameter(_lecun_uniform(memory, hidden))
        self.E_m = nn.Parameter(torch.zeros(memory, memory * order))
        self.W_x = nn.Parameter(nn.init.xavier_normal_(torch.empty(hidden, features)))
        self.W_h = nn.Parameter(nn.init.xavier_normal_(torch.empty(hidden, hidden), gain=options["recurrent_gain"]))
        self.W_m = nn.Parameter(nn.init.xavier_normal_(torch.empty(hidden, memory * order)))
        self.output = nn.Linear(hidden, classes)
        self._spikes: dict[str, Tensor] = {}

    @classmethod
    def build(
        cls,
        *,
        channels: int,
        classes: int,
        window: int,
        memory: int = 8,
        order: int = 8,
        theta: float = 16.0,
        hidden: int = 192,
        neuron: str = "leaky",
        encoder: str = "single",
        pop: int = 16,
        encoding: int = 96,
        encoded: int = 96,
        legacy_transposed_A: bool = False,
        readout: str = "membrane",
        per_neuron: bool = True,
        learn: bool = True,
        fixed: Sequence[str] = ("m",),
        beta: Mapping[str, Initial] | None = None,
        threshold: Mapping[str, Initial] | None = None,
        alpha: Mapping[str, Initial] | None = None,
        memory_gain: float = 1.0,
        recurrent_gain: float = 0.3,
        slope: float = 2.0,
        dropout: float = 0.0,
        rate_weight: float = 100.0,
        rate_band: Sequence[float] = (0.05, 0.35),
    ) -> Self:
        for value, known, what in (
            (neuron, NEURONS, "neuron"),
            (encoder, ENCODERS, "encoder"),
            (readout, READOUTS, "readout"),
        ):
            if value not in known:
                raise UsageError(
                    f"l2mu has no {what} '{value}'",
                    reason=Reason.UNKNOWN_NAME,
                    hint=f"choose one of: {', '.join(known)}",
                )
        config: dict[str, Any] = {"memory": memory, "order": order, "theta": float(theta), "hidden": hidden}
        config |= {"neuron": neuron, "encoder": encoder, "legacy_transposed_A": legacy_transposed_A, "readout": readout}
        if encoder != "plain":
            config["pop"] = pop
        if encoder == "stacked":
            config |= {"encoding": encoding, "encoded": encoded}
        options: dict[str, Any] = {
            "per_neuron": per_neuron,
            "learn": learn,
            "fixed": fixed,
            "memory_gain": memory_gain,
            "recurrent_gain": recurrent_gain,
            "slope": slope,
        }
        options |= {"dropout": dropout, "rate_weight": rate_weight, "rate_band": rate_band}
        options |= {"beta": beta or {}, "threshold": threshold or {}, "alpha": alpha or {}}
        return cls(inputs=channels, classes=classes, window=window, config=config, options=options)

    def _make_encoder(self, config: dict[str, Any]) -> tuple[int, dict[str, int]]:
        """Create the encoder's weights; return its width and the sizes of its populations."""
        if config["encoder"] == "plain":
            return self.inputs, {}
        pop = config["pop"]
        self.enc0_w = nn.Parameter(torch.empty(self.inputs, pop).uniform_(-2.0, 2.0))
        self.enc0_b = nn.Parameter(torch.empty(self.inputs, pop).uniform_(-1.0, 1.0))
        sizes = {"enc0": self.inputs * pop}
        if config["encoder"] == "stacked":
            self.enc1 = nn.Linear(sizes["enc0"], config["encoding"])
            self.enc2 = nn.Linear(config["encoding"], config["encoded"])
            sizes |= {"enc1": config["encoding"], "enc2": config["encoded"]}
        return list(sizes.values())[-1], sizes

    def encode(self, x: Tensor, spikes: dict[str, Tensor]) -> Tensor:
        """[T, b, inputs] -> what the core sees [T, b, features]; adds the spikes of its populations to `spikes`."""
        if self.config["encoder"] == "plain":
            return x
        drive = torch.addcmul(self.enc0_b, x.unsqueeze(-1), self.enc0_w).flatten(2)
        spikes["enc0"] = self.population("enc0").fire(drive, self.slope)[0]
        if self.config["encoder"] == "single":
            return spikes["enc0"]
        spikes["enc1"] = self.population("enc1").fire(
            spike_linear(spikes["enc0"], self.enc1.weight, self.enc1.bias), self.slope
        )[0]
        spikes["enc2"] = self.population("enc2").fire(
            spike_linear(spikes["enc1"], self.enc2.weight, self.enc2.bias), self.slope
        )[0]
        return spikes["enc2"]

    def population(self, name: str) -> Population:
        population = self.populations[name]
        if not isinstance(population, Population):
            raise TypeError(name)
        return population

    def forward(self, x: Tensor) -> Tensor:
        logits, spikes = self.run(x)
        self._spikes = spikes if self.training else {}
        return logits

    def run(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits [b, k] and the spikes [T, b, n] of every population, of normalised windows x [b, w, c]."""
        spikes: dict[str, Tensor] = {}
        e = self.encode(x.transpose(0, 1).contiguous(), spikes)
        product = nn.functional.linear if self.config["encoder"] == "plain" else spike_linear
        leaks = [leak for name in ("u", "m", "h") for leak in self.population(name).leaks()]
        spikes["u"], spikes["m"], spikes["h"] = L2muCore.apply(  # type: ignore[no-untyped-call]
            product(e, self.E_x), product(e, self.W_x), self.E_h, self.E_m, self.W_h, self.W_m, self.get_buffer("A"),
            self.get_buffer("B"), self.slope, self.synaptic, *leaks,
        )  # fmt: skip
        # One mask for all steps: a hidden neuron is missing for the whole window.
        heard = spikes["h"] * self.dropout(torch.ones_like(spikes["h"][0])) if self.training else spikes["h"]
        drive = self.output(heard) * self.readout_scale
        spikes["o"], potential = self.population("o").fire(drive, self.slope)
        return (spikes["o"] if self.config["readout"] == "count" else potential).sum(dim=0), spikes

    def penalty(self) -> Tensor:
        """rate_weight times the squared distance of the memory's mean rate from `rate_band`.

        Uses the spikes of the last training pass. A memory that never fires, or always fires, stores nothing. For u
        only the lower end counts; without it u may fall silent, as B's elements cancel and m hardly tells it to fire.
        """
        if self.rate_weight == 0.0 or not self._spikes:
            return torch.zeros(())
        low, high = self.rate_band
        u, m = self._spikes["u"].mean(), self._spikes["m"].mean()
        return self.rate_weight * (torch.relu(low - m) + torch.relu(m - high) + torch.relu(low - u)).square()

    @torch.no_grad()
    def rates(self, x: Tensor) -> dict[str, float]:
        """Mean spikes per neuron and step of every population on x [b, w, c]."""
        return {name: float(s.mean()) for name, s in self.run(x)[1].items()}

    def export(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, np.dtype[np.float32]]]]:
        tensors: dict[str, Tensor] = {}
        if self.config["encoder"] != "plain":
            tensors |= {"enc0_w": self.enc0_w, "enc0_b": self.enc0_b}
        if self.config["encoder"] == "stacked":
            tensors |= {"enc1_w": self.enc1.weight, "enc1_b": self.enc1.bias}
            tensors |= {"enc2_w": self.enc2.weight, "enc2_b": self.enc2.bias}
        tensors |= {name: getattr(self, name) for name in ("E_x", "E_h", "E_m", "W_x", "W_h", "W_m", "A", "B")}
        tensors |= {"W_o": self.output.weight * self.readout_scale, "b_o": self.output.bias * self.readout_scale}
        for name in self.populations:
            alpha, beta, threshold = self.population(name).values()
            tensors |= {f"beta_{name}": beta, f"thr_{name}": threshold}
            if alpha is not None:
                tensors[f"alpha_{name}"] = alpha
        model = {"family": self.family, "inputs": self.inputs, "classes": self.classes, **self.config}
        return model, {n: t.detach().to(torch.float32).contiguous().numpy().copy() for n, t in tensors.items()}

    @classmethod
    def restore(cls, table: Mapping[str, Any], tensors: Mapping[str, Array], *, window: int, **options: Any) -> Self:
        shape = {name: value for name, value in table.items() if name not in ("family", "inputs", "classes")}
        sizes = {name: value for name, value in shape.items() if value is not None}
        beta = {"o": float(tensors["beta_o"].mean())}  # the readout's scale depends on it
        model = cls.build(
            channels=table["inputs"], classes=table["classes"], window=window, beta=beta, **sizes, **options
        )
        model.config = shape
        for name, parameter in model.matrices().items():
            put(parameter, tensors[name] / model.readout_scale if name == "W_o" else tensors[name])
        put(model.output.bias, tensors["b_o"] / model.readout_scale)
        for name, tensor in (("A", model.get_buffer("A")), ("B", model.get_buffer("B"))):
            put(tensor, tensors[name])
        if model.config["encoder"] != "plain":
            put(model.enc0_b, tensors["enc0_b"])
        if model.config["encoder"] == "stacked":
            put(model.enc1.bias, tensors["enc1_b"])
            put(model.enc2.bias, tensors["enc2_b"])
        for name in model.populations:
            model.population(name).set_values(
                tensors.get(f"alpha_{name}"), tensors[f"beta_{name}"], tensors[f"thr_{name}"]
            )
        return model

    def matrices(self) -> dict[str, Tensor]:
        named: dict[str, Tensor] = {
            name: self.get_parameter(name) for name in ("E_x", "E_h", "E_m", "W_x", "W_h", "W_m")
        }
        named["W_o"] = self.output.weight
        if self.config["encoder"] != "plain":
            named["enc0_w"] = self.enc0_w
        if self.config["encoder"] == "stacked":
            named |= {"enc1_w": self.enc1.weight, "enc2_w": self.enc2.weight}
        return named


def _lecun_uniform(outputs: int, inputs: int) -> Tensor:
    bound = (3.0 / inputs) ** 0.5
    return torch.empty(outputs, inputs).uniform_(-bound, bound)
