"""Targets `reference` and `numba`: our runtimes in this process."""

from __future__ import annotations

import numpy as np

from edgehar.runtimes import make_runtime
from edgehar.runtimes.digests import changed
from edgehar.runtimes.stages import stages_of
from edgehar.types import FloatArray
from edgehar.verify.locate import first_divergence
from edgehar.verify.target import Footprint, Subject, Trace


class RuntimeTarget:
    """The runtime called `name`. The reference's constants are the bundle's own, so it answers for the bundle."""

    own_arithmetic = True

    def __init__(self, name: str, subject: Subject) -> None:
        self.name, self.subject = name, subject
        self._runtime = make_runtime(name, subject.bundle)

    def missing(self) -> str | None:
        return None

    def logits(self, x: FloatArray) -> FloatArray:
        return np.stack([self._runtime.window(window) for window in x])

    def streamed(self, x: FloatArray) -> FloatArray | None:
        self._runtime.reset()
        return self._runtime.push(x)[1]

    def trace(self, _: FloatArray) -> Trace:
        """Nothing: the reference is what traces are compared with, and a compiled kernel shows its logits only."""
        return {}

    def faults(self) -> list[str]:
        bundle = self.subject.bundle
        faults = [f"{_spoken(name)} is not what the bundle was made with" for name in changed(bundle) or ()]
        recorded = stages_of(dict(bundle.golden))
        if recorded and self.name == "reference":
            now = self.subject.expected_trace(bundle.golden["x"][0])
            found = first_divergence(self.subject.graph, now, recorded)
            faults += [] if found is None else [f"golden window 0, since the bundle was made: {found}"]
        return faults

    def logit_step(self) -> float | None:
        return self.subject.logit_step

    def footprint(self) -> Footprint:
        return Footprint()


def _spoken(name: str) -> str:
    kind, _, tensor = name.partition(".")
    words = {"weights": "the tensor", "int": "the integer constant", "scale": "the scale of"}
    return f"{words[kind]} '{tensor}'"
