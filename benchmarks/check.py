"""What got worse by more than a tenth since the committed rows: ratios to peers and instruction counts, never seconds.

    python benchmarks/check.py [--json]      (make bench-check)

Runs the quick speed benchmarks into a temporary directory and compares row by row. Exit code 1 where one is worse.
Ratios are taken within one run, so that a slower machine does not show; a loaded one may: a row that is worse is
measured once more, and the better of the two counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from rows import RESULTS, ROOT, read_rows

WORSE = 0.10
RUNS: Mapping[str, Sequence[str]] = {
    "instructions": ["instructions.py"],
    "speed": ["speed.py", "--only", "fastgrnn,cnn"],
}
"""Result file -> the command that writes its rows."""
LOWER_IS_BETTER = ("instr.", "speed.push_over_step", "speed.rss.")
COMPARED = ("instr.", "speed.")
SECONDS = ("s", "ms", "us")


@dataclass(frozen=True, slots=True)
class Change:
    """One row, then and now; `worse` is the share by which it got worse, negative where it got better."""

    id: str
    unit: str
    committed: float
    now: float
    worse: float


def changes(committed: Path, measured: Path) -> list[Change]:
    """Every comparable row that both files have."""
    then, now = read_rows(committed), read_rows(measured)
    found = []
    for name in sorted(then.keys() & now.keys()):
        unit = str(then[name]["unit"])
        if not name.startswith(COMPARED) or unit in SECONDS:
            continue
        a, b = float(then[name]["value"]), float(now[name]["value"])
        worse = b / a - 1 if name.startswith(LOWER_IS_BETTER) else a / b - 1
        found.append(Change(name, unit, a, b, round(worse, 4)))
    return found


def measure(name: str, directory: Path) -> list[Change]:
    """Run one benchmark and compare it."""
    out = directory / f"{name}.jsonl"
    script, *arguments = RUNS[name]
    subprocess.run([sys.executable, str(ROOT / "benchmarks" / script), *arguments, "--out", str(out)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    return changes(RESULTS / f"{name}.jsonl", out)


def checked(name: str) -> list[Change]:
    """The better of two measurements for what looked worse in the first."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        found = measure(name, Path(first))
        if all(change.worse <= WORSE for change in found):
            return found
        again = {change.id: change for change in measure(name, Path(second))}
    return [min(change, again.get(change.id, change), key=lambda c: c.worse) for change in found]


def main() -> int:
    """Compare everything; the exit code says whether something is worse."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    parser.add_argument("--only", default=",".join(RUNS), help="result files to compare")
    given = parser.parse_args()
    found = [change for name in given.only.split(",") for change in checked(name)]
    worse = [change for change in found if change.worse > WORSE]
    if given.json:
        print(json.dumps({"compared": [asdict(c) for c in found], "worse": [c.id for c in worse]}))
    else:
        for change in found:
            mark = "WORSE" if change in worse else ""
            print(f"{change.id:36} {change.committed:12g} -> {change.now:12g} {change.unit:22} {mark}")
        print(f"{len(worse)} of {len(found)} rows worse by more than {100 * WORSE:.0f} %")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
