"""What arrives over Bluetooth LE, through a real Bluetooth stack without a radio: in a virtual machine, SIMULATED tags.

    python benchmarks/ble.py [--seconds 60]

Debian's kernel in QEMU (TCG), bluetoothd, a virtual adapter (hci_vhci), bumble's controllers and edgehar's virtual tags
(tests/slow/ble_vm.py). So links, air time and interference of a real radio are not in it. Writes to results/ble.jsonl:

ble.gaps.100hz   [samples] missing of a minute at 100 Hz
ble.reconnect_s  [s] from a tag's return to its first sample, its link having been dropped for two seconds
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from resumable import resumable
from rows import RESULTS, Row, merge_rows

from edgehar.cli.app import main as edgehar
from edgehar.demo import BUNDLE
from edgehar.errors import EdgeHarError, MissingError, Reason
from tests.slow.ble_vm import ble_acts

COMMAND = "python benchmarks/ble.py"
OUT = RESULTS / "ble.jsonl"
MOTION = "virtual:imu?seed=4&duration_s=20&dwell_s=6&speed=0"
WHERE = "SIMULATED tags; QEMU TCG, Debian kernel, bluetoothd, hci_vhci, no radio"


def rows(seconds: float) -> list[Row]:
    """Both rows, of one virtual machine."""
    with tempfile.TemporaryDirectory() as name:
        recording = Path(name) / "motion.mcap"
        if edgehar(["record", "--source", MOTION, "--out", str(recording), "--json"]):
            raise EdgeHarError(f"{MOTION} could not be recorded", reason=Reason.VALUE, hint="see above")
        try:
            acts = ble_acts(Path(name), BUNDLE, recording, seconds)
        except pytest.skip.Exception as skipped:
            raise MissingError(str(skipped), reason=Reason.NOT_INSTALLED, hint="install it, then again") from skipped
    stream, drop, both, fast, run = (acts[act] for act in ("stream", "drop", "both", "fast", "run"))
    seen = {
        "samples": stream["samples"],
        "stream_s": round(stream["stream_s"], 2),
        "missing_of_two_at_once": sum(one["missing"] for one in both.values()),
        "samples_of_two_at_once": sum(one["samples"] for one in both.values()),
        "missing_at_200_hz": fast["missing"],
        "samples_at_200_hz": fast["samples"],
        "decisions": run["live"],
        "decisions_unlike_replay": len(run["differ"]),
    }
    common = {"notes": WHERE, "simulated": True}
    returned = {"missing": drop["missing"], "samples": drop["samples"]}
    return [
        Row("ble.gaps.100hz", stream["missing"], "samples", 0.0, 1, COMMAND, extras={**seen, **common}),
        Row("ble.reconnect_s", round(drop["reconnect_s"], 2), "s", 0.0, 1, COMMAND, extras={**returned, **common}),
    ]


def main() -> int:
    """Write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds

    def work() -> None:
        for row in rows(seconds):
            merge_rows(OUT, [row])
            print(f"{row.id}: {row.value:g} {row.unit}; {dict(row.extras)}")

    return resumable("ble.py", work)


if __name__ == "__main__":
    sys.exit(main())
