"""Say which ONNX Runtime provider this Jetson will use: CUDA when the installed build has it, the CPU otherwise.

Run: python3 deploy/jetson/provider.py [--json]. Exit code 0 for CUDA, 4 for CPU only, 3 if ONNX Runtime is missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

PREFERRED = ("CUDAExecutionProvider", "CPUExecutionProvider")


def choose(available: Sequence[str]) -> list[str]:
    """The providers to hand to `onnxruntime.InferenceSession`, best first."""
    return [name for name in PREFERRED if name in available]


def main(arguments: Sequence[str]) -> int:
    """Print the choice and what it means."""
    try:
        import onnxruntime
    except ImportError:
        print("ONNX Runtime is not installed.", file=sys.stderr)
        print("  next: pip install 'edgehar[ort]', or NVIDIA's onnxruntime-gpu wheel for your JetPack", file=sys.stderr)
        return 3
    available = list(onnxruntime.get_available_providers())
    providers = choose(available)
    cuda = providers[:1] == ["CUDAExecutionProvider"]
    if "--json" in arguments:
        print(
            json.dumps(
                {"providers": providers, "available": available, "cuda": cuda, "version": onnxruntime.__version__}
            )
        )
    elif cuda:
        print(
            f"CUDA: ONNX Runtime {onnxruntime.__version__} will run on the GPU, falling back to the CPU per operator."
        )
    else:
        print(f"CPU: ONNX Runtime {onnxruntime.__version__} was built without CUDA (it has {', '.join(available)}).")
        print("  next: install NVIDIA's onnxruntime-gpu wheel for your JetPack to use the GPU")
    return 0 if cuda else 4


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
