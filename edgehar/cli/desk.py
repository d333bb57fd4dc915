"""What the desk side hands to benchmarks, which run on devices too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgehar.bench.peers import Desk, dtype_of
from edgehar.bundle import Bundle


def _file(bundle: Bundle, kind: str, form: str) -> bytes:
    """The bundle's file in its own dtype, entered behind the preprocessing where the format can."""
    if kind == "onnx":
        from edgehar.export.onnx.emit import emit_onnx
        from edgehar.export.onnx.unroll import unrolled

        content = emit_onnx(bundle, "window" if form == "unrolled" else form, dtype_of(bundle))
        return unrolled(content, bundle.manifest.window) if form == "unrolled" else content
    if kind == "torchscript":
        return _traced(bundle)
    from edgehar.export.tflite.emit import emit_tflite
    from edgehar.runtimes.lowered import graph_of

    # A peer at its quickest: exact rounding costs a convnet time, and saves some in a gated model.
    rounding = "exact" if graph_of(bundle).states else "tflite"
    return emit_tflite(bundle, form, dtype_of(bundle), entries="samples", rounding=rounding)


def _traced(bundle: Bundle) -> bytes:
    import io

    import torch

    window = torch.zeros(1, bundle.manifest.window, bundle.manifest.model["inputs"])
    content = io.BytesIO()
    torch.jit.save(torch.jit.trace(_model(bundle), window), content)  # type: ignore[no-untyped-call]
    return content.getvalue()


def _module(bundle: Bundle, directory: Path) -> None:
    from edgehar.export.c.emit import emit_c

    emit_c(bundle, directory)


def _model(bundle: Bundle) -> Any:
    from edgehar.models import restore_model
    from edgehar.models.plain import plain

    return plain(restore_model(bundle.manifest, bundle.weights))


DESK = Desk(file=_file, module=_module, model=_model)
