"""Does every target compute what the bundle's golden windows say? `edgehar verify` is this package's command.

A target is anything that turns golden windows into logits; `TARGETS` maps the name of each to the class that makes it.
"""

from __future__ import annotations

from edgehar.boards.targets import TARGETS as C_TARGETS

TARGETS: dict[str, str] = {
    "reference": "edgehar.verify.runtimes:RuntimeTarget",
    "numba": "edgehar.verify.runtimes:RuntimeTarget",
    "litert": "edgehar.verify.litert:LitertTarget",
    "onnxruntime": "edgehar.verify.ort:OnnxTarget",
    **{f"c:{name}": "edgehar.verify.c:CTarget" for name in C_TARGETS},
    **{
        f"{cpu}:{runtime}": "edgehar.verify.aarch64:Aarch64Target"
        for cpu in ("cortex-a53", "cortex-a72")
        for runtime in ("reference", "numba", "litert", "onnxruntime")
    },
}
