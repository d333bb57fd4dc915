"""Whether every row of the raw CSI corpus is read right, and how fast against plain Python, CSIKit and csiread.

    python3 -m venv build/csi-peers && build/csi-peers/bin/pip install CSIKit==2.5 csiread==1.4.1
    python benchmarks/parse.py --data ../shared/data --peers build/csi-peers/bin/python

Writes csi.corpus [files] to results/csi.jsonl: files of which every good row has its values and every bad row is
counted, by the digests in tests/unit/wire/csi_corpus.json; and speed.parse.vs_python, .vs_csikit, .vs_csiread [x]
there, too. These are ratios of processor time, bytes to arrays, one thread, on the same bytes in the same run,
all readers in turn; a ratio is only taken where both read the same values. Without --peers, plain Python alone.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "tests" / "unit" / "wire"))

from rows import RESULTS, ROOT, Row, merge_rows

from edgehar.wire.espcsi_text import TextDecoder
from edgehar.wire.frames import Cause, CsiFrames
from edgehar.wire.text_dialects import ESPCSI, SAMPLE_BYTES, detect, open_decoder

COMMAND = "python benchmarks/parse.py --data ../shared/data --peers build/csi-peers/bin/python"
digest: Callable[[Any], str] = importlib.import_module("csi_reference").digest
FROZEN = ROOT / "tests" / "unit" / "wire" / "csi_corpus.json"
BAD = {cause.value for cause in Cause} - {Cause.LOG.value, Cause.KIND.value}
LEAST_ROWS = 700  # smaller files measure the start, not the parser
PEER_FILE = "esp32_csitool_ap__thu4n_tvat-LA-3.csv.gz"  # of ESP32-CSI-Tool, the one dialect that the peers read
HEADERLESS = ("csiread",)  # takes a header line for a row


def corpus_row(raw: Path) -> Row:
    """csi.corpus."""
    right, frames, bad = 0, 0, 0
    frozen = json.loads(FROZEN.read_text(encoding="utf-8"))
    for name, expected in frozen.items():
        text = gzip.decompress((raw / name).read_bytes())
        decoder = open_decoder(detect(text[:SAMPLE_BYTES], name))
        told = [
            (int(meta["t_us"]), int(meta["rssi_dbm"]), values.tolist())
            for run in decoder.push(text) + decoder.finish()
            for meta, values in zip(run.meta, run.iq, strict=True)
        ]
        refused = sum(decoder.counts[cause] for cause in BAD)
        same = expected == {"frames": len(told), "bad": refused, "sha256": digest(told)}
        print(f"{'ok ' if same else 'NOT'} {name}: {len(told)} frames, {refused} bad rows")
        right, frames, bad = right + same, frames + len(told), bad + refused
    return Row("csi.corpus", right, "files", 0.0, 1, COMMAND, extras={"of": len(frozen), "frames": frames, "bad": bad})


def decoded(text: bytes) -> list[CsiFrames]:
    """Ours: values and all that a row tells."""
    decoder = TextDecoder(salt="benchmark")
    return decoder.push(text) + decoder.finish()


def split_and_int(text: bytes) -> list[tuple[list[int], NDArray[np.int16]]]:
    """What a script does: a few columns and the values of each row; it checks nothing."""
    rows = []
    for line in text.decode("latin-1").split("\n"):
        if line.startswith("CSI_DATA"):
            head, _, rest = line.partition("[")
            columns = head.split(",")
            told = [int(columns[3]), int(columns[18])]
            body = rest[: rest.index("]")]
            words = body.split(",") if "," in body else body.split()
            rows.append((told, np.array([int(word) for word in words], np.int16)))
    return rows


def in_turn(runs: int, text: bytes, *readers: Callable[[bytes], Any]) -> list[list[float]]:
    """Processor seconds of each run of each reader, one after another, so that other work meets all."""
    seconds: list[list[float]] = [[] for _ in readers]
    for _ in range(runs + 1):
        for reader, mine in zip(readers, seconds, strict=True):
            began = time.process_time()
            reader(text)
            mine.append(time.process_time() - began)
    return [mine[1:] for mine in seconds]  # the first run compiles


def against_python(raw: Path, runs: int) -> Row:
    """speed.parse.vs_python, over the files with many rows."""
    extras: dict[str, float] = {}
    ours_s, theirs_s, size, count, spread = 0.0, 0.0, 0, 0, []
    for path in sorted(raw.glob("*.gz")):
        text = gzip.decompress(path.read_bytes())
        frames = decoded(text) if detect(text[:SAMPLE_BYTES], path.name) == ESPCSI else []
        if sum(map(len, frames)) < LEAST_ROWS:
            continue
        mine = [values for run in frames for values in run.iq]
        theirs = [values for _, values in split_and_int(text)]
        if len(mine) != len(theirs) or not all(map(np.array_equal, mine, theirs)):
            raise SystemExit(f"{path.name}: plain Python reads other values")
        ours, plain = in_turn(runs, text, decoded, split_and_int)
        extras[path.name.removesuffix(".csv.gz")] = round(min(plain) / min(ours), 1)
        spread += [b / a for a, b in zip(ours, plain, strict=True)]
        ours_s, theirs_s = ours_s + min(ours), theirs_s + min(plain)
        size, count = size + len(text), count + len(mine)
    told: dict[str, Any] = {
        "peer": "plain Python: split and int",
        "rows": count,
        "mb_per_s": round(size / ours_s / 1e6),
    }
    told |= {"ours_cpu_us": round(ours_s / count * 1e6, 2), "peer_cpu_us": round(theirs_s / count * 1e6, 1)}
    value, std = round(theirs_s / ours_s, 1), round(statistics.pstdev(spread), 1)
    return Row("speed.parse.vs_python", value, "x", std, runs, COMMAND, extras=told | {"ratio_by_file": extras})


def against_peer(raw: Path, name: str, python: Path, runs: int) -> Row:
    """speed.parse.vs_NAME: on a file that it reads, as it needs it."""
    text = gzip.decompress((raw / PEER_FILE).read_bytes())
    text = text.partition(b"\n")[2] if name in HEADERLESS else text
    with tempfile.TemporaryDirectory() as temporary:
        file, out = Path(temporary) / "rows.csv", Path(temporary) / "out.npz"
        file.write_bytes(text)
        command: list[str | Path] = [python, Path(__file__).with_name("parse_peer.py"), name, file, str(runs), out]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr.strip()[-300:]}")
        ours = in_turn(runs, b"", lambda _: decoded(file.read_bytes()))[0]
        told = json.loads(done.stdout.splitlines()[-1])
        with np.load(out) as read:
            values, rssi = read["values"], read["rssi"]
    frames = decoded(text)
    same = np.array_equal(np.concatenate([run.iq for run in frames]), values)
    if not same or not np.array_equal(np.concatenate([run.meta["rssi_dbm"] for run in frames]), rssi):
        raise SystemExit(f"{name} reads other values")
    ratio = min(told["seconds"]) / min(ours)
    std = statistics.pstdev([theirs / mine for theirs, mine in zip(told["seconds"], ours, strict=True)])
    extras: dict[str, Any] = {"peer": f"{name} {told['version']}", "rows": len(rssi), "file": PEER_FILE}
    extras |= {"ours_cpu_us": round(min(ours) / len(rssi) * 1e6, 2)}
    extras |= {"peer_cpu_us": round(min(told["seconds"]) / len(rssi) * 1e6, 1)}
    return Row(f"speed.parse.vs_{name}", round(ratio, 1), "x", round(std, 1), runs, COMMAND, extras=extras)


def main() -> None:
    """Check, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the directory that holds csi/raw")
    parser.add_argument("--peers", type=Path, help="a Python that has CSIKit and csiread")
    parser.add_argument("--runs", type=int, default=9, help="of each reader")
    parser.add_argument("--dry", action="store_true", help="print, do not write the rows")
    chosen = parser.parse_args()
    raw = chosen.data / "csi" / "raw"
    corpus = corpus_row(raw)
    speed = [against_python(raw, chosen.runs)]
    if chosen.peers:
        speed += [against_peer(raw, name, chosen.peers, chosen.runs) for name in ("csikit", "csiread")]
    for row in (corpus, *speed):
        print(f"{row.id:24} {row.value:g} {row.unit}  {dict(row.extras)}")
    if not chosen.dry:
        merge_rows(RESULTS / "csi.jsonl", [corpus, *speed])


if __name__ == "__main__":
    main()
