"""One Python target in a process of its own: `python -m edgehar.verify.worker TARGET BUNDLE IN.npz OUT.npz [EXPORTED]`.

IN.npz holds `x` [n, window, inputs] and `stream` [samples, inputs]; OUT.npz gets `logits` and
`streamed`, empty where there is no stream. An emulated board runs this, with the wheels that a real one would have.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgehar.bundle import open_bundle
from edgehar.registry import resolve
from edgehar.verify import TARGETS
from edgehar.verify.target import Subject, Target


def main(arguments: Sequence[str]) -> None:
    """Run the target and write what it gives."""
    name, bundle, given, out, *exported = arguments
    subject = Subject(open_bundle(bundle), Path(exported[0]) if exported else None)
    target: Target = resolve("targets", TARGETS, name)(name, subject)
    with np.load(given) as arrays:
        x, stream = arrays["x"], arrays["stream"]
    streamed = target.streamed(stream) if len(stream) else None
    nothing = np.zeros((0, subject.graph.classes), np.float32)
    np.savez(out, logits=target.logits(x), streamed=nothing if streamed is None else streamed)


if __name__ == "__main__":
    main(sys.argv[1:])
