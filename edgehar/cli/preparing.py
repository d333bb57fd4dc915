"""One line on the terminal while kernels are compiled; the first run of a new installation takes seconds."""

from __future__ import annotations

import sys
from typing import Any


def prepared_pipeline(bundle: Any, runtime: str) -> Any:
    """The pipeline of `bundle`, compiled and warm, so that the first sample is not kept waiting."""
    from edgehar.dsp.kernel import compile_kernels
    from edgehar.live import warm_up
    from edgehar.pipeline import Pipeline

    # Who chose the C runtime has no Numba, or no half second to import it.
    compile_kernels(runtime.partition(":")[0] != "c")

    shown = sys.stderr.isatty()
    if shown:
        sys.stderr.write("preparing the model (compiled once, then kept)...")
        sys.stderr.flush()
    try:
        pipeline = Pipeline(bundle, runtime)
        warm_up(pipeline)
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
    return pipeline
