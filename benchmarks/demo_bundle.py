"""Train the bundle that `make demo` runs: seglearn's watch recordings, nine people, the tenth held out.

The held-out person is the first in the dataset (splits/seglearn.demo.json), named before any model was trained.
Epochs are chosen on two of the nine. The commands are printed; they work from a shell just as well.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from edgehar.cli.app import main as edgehar
from edgehar.demo import BUNDLE

ROOT = Path(__file__).parents[1]
DATASET = ROOT / "build" / "demo" / "watch"
RUN = ROOT / "build" / "demo" / "run"
TRAIN = "--model cnn --split benchmarks/splits/seglearn.demo.json --window 128 --hop 32 --recipe benchmarks/demo.toml"


def main() -> int:
    """Import, train, copy; the exit code is that of the command that failed, or 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="installed", help="'installed', 'download', or the seglearn wheel's path")
    given = parser.parse_args()
    os.chdir(ROOT)  # so that the printed commands hold for the root of a clone
    dataset, run = DATASET.relative_to(ROOT), RUN.relative_to(ROOT)
    if not DATASET.exists():
        code = run_command(f"import seglearn {given.data} --out {dataset}")
        if code:
            return code
    resume = (RUN / "config.json").exists()
    code = run_command(f"train --out {run} --resume" if resume else f"train --dataset {dataset} {TRAIN} --out {run}")
    if code:
        return code
    chosen = json.loads((RUN / "evaluation.json").read_text(encoding="utf-8"))["chosen"]["bundle"]
    shutil.copyfile(RUN / chosen, BUNDLE)
    return run_command(f"evaluate {BUNDLE.relative_to(ROOT)} --dataset {dataset}")


def run_command(line: str) -> int:
    """Run one edgehar command in this process, as if it had been typed."""
    print(f"$ edgehar {line}", flush=True)
    words = shlex.split(line)
    sys.argv = ["edgehar", *words]  # what the bundle's provenance says was typed
    return edgehar(words)


if __name__ == "__main__":
    sys.exit(main())
