"""What a model on a CSI board takes: its constants, code and memory, by cross compilers. Nothing is linked or run.

    python benchmarks/onboard_size.py

The model has the sizes of acc.tvat7.fastgrnn.session and seeded random weights, which take as much. It is compiled
with the task that feeds it, with -O2 and the fake ESP-IDF's headers, by Debian's compilers instead of the chips' own:
GCC for the LX106 knows no floating-point unit, so its code is larger than the ESP32-S3's; rv32imc is the ESP32-C3's
instruction set. Left out: C library, soft-float routines, and the task's stack, of which `frames_bytes` is an upper
bound: the frames of all functions together. RAM contains the queue of CONFIG_EDGEHAR_MODEL_QUEUE_BYTES.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from rows import RESULTS, ROOT, Row, merge_rows

from edgehar.boards.elf import Sizes, section_sizes
from edgehar.boards.targets import LANGUAGE
from edgehar.bundle import Bundle, Contract, Manifest
from edgehar.compress.calibration import choose
from edgehar.export.c.csi_input import write_csi_input
from edgehar.export.c.emit import emit_c
from edgehar.graph.execute import run_graph
from edgehar.runtimes.lowered import graph_of
from edgehar.wire.layouts import layout_named

LAYOUT, FIELD = "classic-below-lltf", "lltf"
HIDDEN, RANK, CLASSES, WINDOW, HOP, RATE_HZ = 48, 6, 7, 100, 12, 25.0
FIRMWARE = ROOT / "firmware"
FAKE = FIRMWARE / "host_tests" / "fake_idf"
PLACES = [FAKE / "include", *(FIRMWARE / name for name in ("common", "esp32", "esp32s3_csi/main", "infer"))]
CHIPS = {
    "xtensa": ("esp32s3", ["xtensa-lx106-elf-gcc", "-mlongcalls"]),
    "rv32imc": ("esp32c3", ["riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32"]),
}
COMMAND = "python benchmarks/onboard_size.py"


def fastgrnn() -> Bundle:
    """Amplitudes of the 52 subcarriers of LLTF, relative to the frame's mean."""
    names = tuple(f"sc{carrier:+d}.amp" for carrier in layout_named(LAYOUT).field(FIELD).valid)
    rng = np.random.default_rng(0)
    shapes = {"W1": (HIDDEN, RANK), "W2": (len(names), RANK), "U": (HIDDEN, HIDDEN), "fc_w": (CLASSES, HIDDEN)}
    weights = {name: rng.standard_normal(shape) / np.sqrt(shape[1]) for name, shape in shapes.items()}
    weights |= {name: rng.standard_normal(HIDDEN) for name in ("b_z", "b_h")}
    weights |= {"zeta": np.array([0.7]), "nu": np.array([0.03]), "fc_b": rng.standard_normal(CLASSES)}
    manifest = Manifest(
        model_id="fastgrnn-onboard",
        contract=Contract("csi", names, ("frame_mean",) * len(names), RATE_HZ, axes=""),
        window=WINDOW,
        hop=HOP,
        labels=tuple(f"class_{i}" for i in range(CLASSES)),
        model={
            "family": "fastgrnn",
            "inputs": len(names),
            "classes": CLASSES,
            "hidden": HIDDEN,
            "rank_w": RANK,
            "rank_u": None,
        },
        provenance={"weights": "random"},
    )
    floats = {name: np.asarray(weight, np.float32) for name, weight in weights.items()}
    x = np.random.default_rng(1).standard_normal((4, WINDOW, len(names))).astype(np.float32)
    bare = Bundle(manifest, floats, {}, {})
    return replace(bare, golden={"x": x, "logits": run_graph(graph_of(bare), x)})


def compiled(bundle: Bundle, chip: str, compiler: list[str]) -> tuple[Sizes, int, int]:
    """(sizes of all objects, bytes of constants, frames of all functions in bytes)."""
    with tempfile.TemporaryDirectory() as place:
        export = emit_c(bundle, Path(place) / "model")
        write_csi_input(bundle, "00" * 32, LAYOUT, FIELD, export.directory)
        sources = [*export.sources, FIRMWARE / "infer" / "eh_infer.c", FIRMWARE / "esp32s3_csi" / "main" / "onboard.c"]
        options = [*LANGUAGE, "-O2", "-ffreestanding", "-fstack-usage", f"-DFAKE_{chip.upper()}", "-DEH_ONBOARD=1"]
        options += [f"-I{path}" for path in (*PLACES, export.directory)]
        subprocess.run(
            [*compiler, *options, "-isystem", str(FAKE / "libc"), "-c", *map(str, sources)], cwd=place, check=True
        )
        usage = [line.split("\t") for file in Path(place).glob("*.su") for line in file.read_text().splitlines()]
        sizes = sum((section_sizes(path) for path in Path(place).glob("*.o")), Sizes())
        return sizes, export.module.constant_bytes, sum(int(row[1]) for row in usage)


def main() -> None:
    """Write the rows `onboard.FAMILY.DTYPE.PROCESSOR.{flash,ram}` into benchmarks/results/onboard.jsonl."""
    made, rows = fastgrnn(), []
    quant = choose(graph_of(made), made.golden["x"], "int8", "minmax", "conv").quant
    for dtype, bundle in (("float32", made), ("int8", replace(made, manifest=replace(made.manifest, quant=quant)))):
        for processor, (chip, compiler) in CHIPS.items():
            sizes, constants, frames = compiled(bundle, chip, compiler)
            about = {"constant_bytes": constants, "frames_bytes": frames, "compiler": " ".join(compiler)}
            for what, value in (("flash", sizes.flash_bytes), ("ram", sizes.ram_bytes)):
                name = f"onboard.fastgrnn.{dtype}.{processor}.{what}"
                rows.append(Row(name, float(value), "bytes", 0.0, 1, COMMAND, extras=about))
                print(f"{name}: {value} bytes (constants {constants}, frames {frames})", flush=True)
    merge_rows(RESULTS / "onboard.jsonl", rows)


if __name__ == "__main__":
    main()
