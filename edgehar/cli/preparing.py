"""One line on the terminal while kernels are compiled; the first run of a new installation takes half a minute."""

from __future__ import annotations

import sys
import time
from typing import Any

LONG_S = 3.0


def prepared_pipeline(bundle: Any, runtime: str) -> Any:
    """The pipeline of `bundle`, compiled and warm, so that the first sample is not kept waiting."""
    from edgehar.dsp.kernel import compile_kernels
    from edgehar.live import warm_up
    from edgehar.pipeline import Pipeline

    # Who chose the C runtime has no Numba, or no half second to import it.
    compile_kernels(runtime.partition(":")[0] != "c")

    shown = sys.stderr.isatty()
    began_s = time.monotonic()
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
    if not shown and time.monotonic() - began_s > LONG_S:
        # A log that begins with half a minute of silence should say what it was.
        sys.stderr.write(
            f"compiled the model in {time.monotonic() - began_s:.0f} s; edgehar warmup does it beforehand\n"
        )
    return pipeline
