"""Result rows: one JSON object a line in benchmarks/results/*.jsonl, one row per id."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure. Accuracies and F1 are in percent; `n` counts the runs behind value and std.

    extras hold what else the run measured; they become keys of the row.
    """

    id: str
    value: float
    unit: str
    std: float
    n: int
    command: str
    bundle_sha256: str = ""
    split: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The row with machine, date and commit of now."""
        table = asdict(self)
        extras = table.pop("extras")
        return {
            **table,
            "machine": machine(),
            "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
            "commit": commit(),
            **extras,
        }


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """Rows by id; empty where there is no file yet."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {row["id"]: row for row in rows}


def merge_rows(path: Path, new: Iterable[Row]) -> None:
    """Replace the rows that have the new rows' ids, keep the others; sorted by id, replaced atomically."""
    with locked(path.parent):
        rows = read_rows(path) | {row.id: row.to_dict() for row in new}
        partial = path.with_suffix(".partial")
        partial.write_text("".join(json.dumps(rows[name]) + "\n" for name in sorted(rows)), encoding="utf-8")
        partial.replace(path)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make the directory and hold a lock on it, so that commands side by side do not undo each other's work."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def machine() -> str:
    """Processor, cores and operating system, without host names."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def commit() -> str:
    """The checked-out commit, with `+` where tracked files but results differ from it; empty outside a clone."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    head = git("rev-parse", "--short=12", "HEAD")
    return (
        head + "+"
        if head and git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results")
        else head
    )
