"""A slow parser of the raw corpus, written from the notes on the formats alone: it shares nothing with edgehar.

Run as a program it prints what csi_corpus.json freezes:
    python tests/unit/wire/csi_reference.py ../shared/data/csi/raw > tests/unit/wire/csi_corpus.json
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import re
import struct
import sys
from pathlib import Path

# File name begins with ... -> how its lines are read.
KINDS = {
    "esp32_host_csv_varlen": "padded",
    "esp32_idf33": "tabs",
    "esp32_iqcolumns": "dated",
    "esp32_uabc": "blanks",
    "esp32s3_ruview": "json",
    "espcsirs": "rust",
}
TIMESTAMP_COLUMN = {24: 18, 14: 9, 29: 21, 25: 18, 27: 21}
RSSI_COLUMN = {24: 3, 14: 3, 29: 6, 25: 3, 27: 6}


class BadRow(Exception):  # noqa: N818
    """Not a frame."""


def ints(words, low=-128, high=127):
    numbers = []
    for word in words:
        if not re.match(r"^-?[0-9]+$", word) or not low <= int(word) <= high:
            raise BadRow(word)
        numbers.append(int(word))
    if len(numbers) == 0 or len(numbers) % 2 == 1:
        raise BadRow(len(numbers))
    return numbers


def tagged(line):
    """One row that holds CSI_DATA: (t_us, rssi, values)."""
    if line.count("CSI_DATA") != 1 or line.count("[") != 1 or line.count("]") != 1:
        raise BadRow(line)
    before, _, rest = line[line.index("CSI_DATA") :].partition("[")
    columns = before.split(",")
    commas = len(columns) - 1
    values = ints(rest.partition("]")[0].replace(",", " ").split())
    return int(columns[TIMESTAMP_COLUMN[commas]]) % 2**32, int(columns[RSSI_COLUMN[commas]]), values


def csi_rows(lines):
    for line in lines:
        if "CSI_DATA," in line and not line.startswith("type,"):
            yield tagged, line


def untagged(lines, kind):
    """(reader, line) of each line that is meant to be a frame."""
    seconds = None
    for line in lines:
        if kind == "tabs":
            if re.match(r"^[0-9]+\.[0-9]+$", line):
                seconds = float(line)
            elif line.count("\t") > 8:
                at, seconds = seconds, None
                yield lambda text, at=at: tabs(text, at), line
        elif kind == "blanks" and line:
            yield lambda text: (int(text.split()[0]) % 2**32, -128, ints(text.split()[1:])), line
        elif kind == "padded" and line and not line.startswith("time"):
            yield padded, line
        elif kind == "dated" and line and not line.startswith("timestamp"):
            yield dated, line
        elif kind == "rust" and line and not line.startswith("esp_"):
            yield (
                lambda text: (int(text.split(",")[0]) % 2**32, int(text.split(",")[1]), ints(text.split(",")[2:])),
                line,
            )
        elif kind == "json" and '"iq_hex"' in line:
            yield node, line


def tabs(line, seconds):
    values = ints(line.rstrip("\t").split("\t"))
    if len(values) != 256 or seconds is None:
        raise BadRow(len(values))
    return round(seconds * 1e6) % 2**32, -128, values[-4:] + values[:-4]


def padded(line):
    time, *cells = line.rstrip(",").split(",")
    if any(not cell.endswith(".0") for cell in cells):
        raise BadRow(line)
    return round(float(time) * 1e6) % 2**32, -128, ints([cell[:-2] for cell in cells])


def dated(line):
    time, *cells = line.split(",")
    moment = dt.datetime.strptime(time, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1e6) % 2**32, -128, ints(cells)


def node(line):
    told = json.loads(line)
    values = list(struct.unpack(f"{len(told['iq_hex']) // 2}b", bytes.fromhex(told["iq_hex"])))
    return round(told["timestamp"] * 1e6) % 2**32, told["rssi"], values


def parse(name, text):
    """((t_us, rssi, values) of every good row, number of bad rows)."""
    kind = next((kind for start, kind in KINDS.items() if name.startswith(start)), None)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    good, bad = [], 0
    for read, line in csi_rows(lines) if kind is None else untagged(lines, kind):
        try:
            good.append(read(line))
        except BadRow:
            bad += 1
    return good, bad


def digest(frames):
    """SHA-256 over every frame's time, RSSI, length and values."""
    content = hashlib.sha256()
    for t_us, rssi, values in frames:
        content.update(struct.pack(f"<IbH{len(values)}h", t_us, rssi, len(values), *values))
    return content.hexdigest()


if __name__ == "__main__":
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*.gz")):
        frames, bad_rows = parse(path.name, gzip.decompress(path.read_bytes()).decode("latin-1"))
        found[path.name] = {"frames": len(frames), "bad": bad_rows, "sha256": digest(frames)}
    print(json.dumps(found, indent=1))
