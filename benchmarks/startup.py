"""How long `edgehar run` takes from exec to its first decision, and how much memory it holds.

    python benchmarks/startup.py

Writes speed.start.RUNTIME [s] and speed.rss.RUNTIME [MiB] to results/speed.jsonl: the median of fresh processes on the
demo's bundle, replaying a recording as fast as it goes, kernels and C module compiled before. The clock stops when the
first decision has been read; `cpu_s` is user and system time of the whole process, which other work on the machine
hardly touches. Modules are compiled to bytecode before, as an installer does. Memory is the largest that was resident
(VmHWM; wait4's figure would count this program's own).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from rows import RESULTS, Row, merge_rows

from edgehar.bench.fresh import FreshRun, run_fresh
from edgehar.bundle import open_bundle
from edgehar.cli.app import main as edgehar
from edgehar.demo import BUNDLE

COMMAND = "python benchmarks/startup.py"
RUNTIMES = ("numba", "c")
SECONDS = 12  # of stream: several decisions


def rows_of(runtime: str, starts: list[FreshRun], sha256: str) -> list[Row]:
    """Both rows of a runtime."""
    load = os.getloadavg()[0]
    rows = []
    for kind, unit, values in (
        ("start", "s", [one.first_s for one in starts]),
        ("rss", "MiB", [one.peak_mib for one in starts]),
    ):
        extras: dict[str, float] = {"least": round(min(values), 3), "load_average": round(load, 1)}
        if kind == "start":
            extras["cpu_s"] = round(statistics.median(one.cpu_s for one in starts), 3)
        value, std = round(statistics.median(values), 3), round(statistics.pstdev(values), 3)
        rows.append(Row(f"speed.{kind}.{runtime}", value, unit, std, len(values), COMMAND, sha256, extras=extras))
    return rows


def main() -> None:
    """Measure both runtimes, in turn, so that other work on the machine meets both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="processes a runtime")
    parser.add_argument("--dry", action="store_true", help="print, do not write the rows")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        recording = directory / "wrist.mcap"
        source = f"virtual:imu?seed=1&duration_s={SECONDS}&speed=0"
        if edgehar(["export", str(BUNDLE), "--target", "c", "--out", str(directory / "out")]):
            raise SystemExit("the demo's bundle cannot be exported")
        if edgehar(["record", "--source", source, "--out", str(recording)]):
            raise SystemExit("nothing was recorded")
        bundle = directory / "out" / BUNDLE.name
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(directory / "bytecode")
        commands = {
            runtime: [sys.executable, "-m", "edgehar", "run", str(bundle), "--source", f"replay:{recording}",
                      "--speed", "0", "--json", "--runtime", runtime]
            for runtime in RUNTIMES
        }  # fmt: skip
        for command in commands.values():
            run_fresh(command)  # compiles
        found: dict[str, list[FreshRun]] = {runtime: [] for runtime in RUNTIMES}
        for _ in range(chosen.runs):
            for runtime, command in commands.items():
                found[runtime].append(run_fresh(command))
        sha256 = open_bundle(bundle).sha256
    rows = [row for runtime in RUNTIMES for row in rows_of(runtime, found[runtime], sha256)]
    for row in rows:
        print(f"{row.id:20} {row.value:8.3f} {row.unit:4} {dict(row.extras)}")
    if not chosen.dry:
        merge_rows(RESULTS / "speed.jsonl", rows)


if __name__ == "__main__":
    main()
