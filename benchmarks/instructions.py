"""How many x86-64 instructions the exported C executes a window, by callgrind: load on the machine does not move it.

    python benchmarks/instructions.py

Compiled with gcc -O2 for the x86-64 baseline, so that the count depends on the compiler alone (its version is in the
row); the difference of two runs leaves out start and end. Weights are seeded random numbers. A spiking model's count
is that of its spikes: benchmarks/mcu.py has one. Rows: instr.x86.MODEL.DTYPE in results/instructions.jsonl.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from rows import RESULTS, ROOT, Row, merge_rows

sys.path.insert(0, str(ROOT / "tests"))
from factories import random_bundle  # type: ignore[import-not-found]
from quantised import quantised  # type: ignore[import-not-found]

from edgehar.bundle import Bundle
from edgehar.errors import MissingError, Reason
from edgehar.export.c.emit import emit_c

COMMAND = "python benchmarks/instructions.py"
FLAGS = ("-std=c99", "-O2", "-ffp-contract=off")
FEW, MANY = 4, 12  # windows of the two runs
MAIN = """
#include <stdlib.h>
#include "eh_model.h"
typedef struct EhShared EhShared;
uint32_t eh_shared_bytes(void);
void eh_shared_window(EhShared *stream, const float *x, float *logits);
static float x[EH_WINDOW * EH_INPUTS], logits[EH_LOGITS];
int main(int count, char **arguments)
{
    EhShared *stream = aligned_alloc(16, (eh_shared_bytes() + 15u) / 16u * 16u);
    int windows = count > 1 ? atoi(arguments[1]) : 1;
    unsigned seed = 1;
    for (int w = 0; w < windows; w++) {
        for (int i = 0; i < EH_WINDOW * EH_INPUTS; i++) {
            seed = seed * 1664525u + 1013904223u;
            x[i] = (float)(int)(seed >> 8) * (2.0f / 16777216.0f) - 1.0f;
        }
        eh_shared_window(stream, x, logits);
    }
    return logits[0] != logits[0];
}
"""


def cases() -> Mapping[str, Callable[[], Bundle]]:
    """Row id -> what makes the bundle to count."""
    models: Mapping[str, Mapping[str, int]] = {
        "fastgrnn80": {"hidden": 80},
        "gru80": {"hidden": 80},
        "cnn": {},
        "dscnn": {},
    }
    return {
        f"instr.x86.{name}.{dtype}": partial(_bundle, name.rstrip("0123456789"), dtype, options)
        for name, options in models.items()
        for dtype in ("float32", "int8", "int8x16")
    }


def _bundle(family: str, dtype: str, options: Mapping[str, int]) -> Bundle:
    size = {"window": 128, "hop": 16, "channels": 9, "classes": 6, "golden_windows": 8}
    bundle: Bundle = random_bundle(family, **size, **options)
    return bundle if dtype == "float32" else quantised(bundle, dtype)


def count(bundle: Bundle) -> int:
    """Instructions of one window."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "c"
        emit_c(bundle, directory)
        main, program = directory / "main_count.c", directory / "count"
        main.write_text(MAIN, encoding="utf-8")
        sources = [str(directory / name) for name in ("eh_shared.c", "eh_model.c")]
        arguments = ["gcc", *FLAGS, "-D_ISOC11_SOURCE", str(main), *sources, "-o", str(program), "-lm"]
        subprocess.run(arguments, check=True)
        few, many = (_instructions(program, windows) for windows in (FEW, MANY))
    return round((many - few) / (MANY - FEW))


def _instructions(program: Path, windows: int) -> int:
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={program}.out", str(program), str(windows)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = re.search(r"Collected : (\d+)", said)
    if found is None:
        raise SystemExit(f"valgrind tells no count: {said.splitlines()[-1]}")
    return int(found[1])


def measure(only: str = "") -> list[Row]:
    """Rows of all cases whose id contains `only`. Raises MissingError without gcc or valgrind."""
    for tool, package in (("gcc", "gcc libc6-dev"), ("valgrind", "valgrind")):
        if shutil.which(tool) is None:
            raise MissingError(
                f"{tool} is not installed", reason=Reason.NOT_INSTALLED, hint=f"sudo apt-get install {package}"
            )
    compiler = subprocess.run(["gcc", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    extras = {"compiler": compiler, "flags": " ".join(FLAGS), "window": 128}
    return [
        Row(name, count(build()), "instructions a window", 0.0, 1, COMMAND, extras=extras)
        for name, build in cases().items()
        if only in name
    ]


def main() -> None:
    """Count and merge the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="count the rows whose id contains this")
    parser.add_argument("--out", type=Path, default=RESULTS / "instructions.jsonl")
    given = parser.parse_args()
    rows = measure(given.only)
    for row in rows:
        print(f"{row.id:34} {row.value:12,}")
    merge_rows(given.out, rows)


if __name__ == "__main__":
    main()
