"""Capture of CSI at 1,000 frames a second, and what kill -9 costs: rows csi.capture.1000hz and csi.kill9.

    python benchmarks/capture.py [--only 1000hz,kill9] [--seconds 600] [--kills 50]

A simulated board of 384 values a frame speaks the real wire protocol through a pseudo-terminal, in real time, in a
process of its own. 1000hz: processor time of the whole `edgehar record` process, start included, as a share of one
core; the row says what was lost and where. kill9: the recording process is killed at a random moment; lost is the time
from the last sample that the file still holds to the kill, by the clock that stamps samples; the largest of all kills.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from rows import RESULTS, Row, merge_rows

from edgehar.recording import Recording

COMMAND = "python benchmarks/capture.py"
EDGEHAR = [sys.executable, "-m", "edgehar"]
KILL_AFTER_S = (1.0, 5.0)  # of recording


@contextmanager
def board(directory: Path, rate_hz: int) -> Iterator[str]:
    """The address of a simulated board that sends as fast as the host reads, like USB."""
    link = directory / "board"
    command = [*EDGEHAR, "virtual", "csi", "--port-link", str(link), "--baud", "0", "--rate", str(rate_hz)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            while not link.exists():
                if process.poll() is not None:
                    raise SystemExit("the simulated board did not start: edgehar virtual csi")
                time.sleep(0.05)
            yield f"csi:{link}?patience_s=60"
        finally:
            process.terminate()  # not SIGINT: a background job of a shell inherits that it is to be ignored
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def recording_process(address: str, out: Path, *options: str) -> subprocess.Popen[bytes]:
    """`edgehar record`, not yet ended."""
    command = [*EDGEHAR, "record", "--source", address, "--out", str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def capture_row(seconds: float) -> Row:
    """csi.capture.1000hz."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        with board(directory, 1000) as address:
            process = recording_process(address, directory / "r.mcap", "--duration", str(seconds), "--json")
            told = process.stdout.read() if process.stdout else b""
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"edgehar record ended with exit code {process.returncode}")
        (stream,) = json.loads(told)["streams"].values()
        kept = len(Recording.open(directory / "r.mcap").read())
        size = (directory / "r.mcap").stat().st_size
    cpu_s = used.ru_utime + used.ru_stime
    extras = {
        "frames": stream["samples"], "kept": kept, "lost": stream["lost"], "counts": stream["counts"],
        "stream_s": stream["duration_s"], "cpu_s": round(cpu_s, 2), "bytes": size, "load": os.getloadavg()[0],
        "simulated": stream["simulated"],
    }  # fmt: skip
    value = round(100 * cpu_s / stream["duration_s"], 2)
    return Row("csi.capture.1000hz", value, "% of a core", 0.0, 1, COMMAND, extras=extras)


def kill_row(kills: int, seed: int = 0) -> Row:
    """csi.kill9."""
    moments = random.Random(seed)  # noqa: S311
    lost_s, unreadable = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        with board(directory, 200) as address:
            for number in range(kills):
                out = directory / f"{number}.mcap"
                process = recording_process(address, out)
                began_s = time.monotonic()
                while not out.exists() and time.monotonic() - began_s < 60:
                    time.sleep(0.01)
                time.sleep(moments.uniform(*KILL_AFTER_S))
                process.kill()
                killed_ns = time.monotonic_ns()
                process.communicate()
                chunk = Recording.open(out).read()
                unreadable += len(chunk) == 0
                if len(chunk):
                    lost_s.append((killed_ns - int(chunk.t_host_ns[-1])) / 1e9)
    extras = {"kills": kills, "without_a_sample": unreadable, "median_s": round(sorted(lost_s)[len(lost_s) // 2], 3),
              "load": os.getloadavg()[0]}  # fmt: skip
    return Row("csi.kill9", round(max(lost_s), 3), "s", 0.0, kills, COMMAND, extras=extras)


def main() -> None:
    """Measure and merge the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="1000hz,kill9")
    parser.add_argument("--seconds", type=float, default=600.0, help="of capture")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--out", type=Path, default=RESULTS / "csi.jsonl")
    given = parser.parse_args()
    rows = []
    if "1000hz" in given.only:
        rows.append(capture_row(given.seconds))
    if "kill9" in given.only:
        rows.append(kill_row(given.kills))
    for row in rows:
        print(f"{row.id:20} {row.value:8} {row.unit}  {dict(row.extras)}")
    merge_rows(given.out, rows)


if __name__ == "__main__":
    main()
