"""What a link carries, and what a spoilt one lets through: the virtual board against the host's own decoder.

    python benchmarks/link.py [--only link,faults]

Writes to results/csi.jsonl, all in stream time, so that the machine's speed does not show:

csi.link.921600      [frames/s] of 384 values that 921,600 baud carry where more are offered: the board's ring drops the
                     rest and says so. Beside it: what was lost unexplained, the same at 200 offered, and as text.
csi.faults           [frames] accepted with a wrong value in ten minutes at 200 frames/s through 1e-4 bit errors, 10 %
                     loss on the air, log lines, restarts and pulled cables. Beside it: how many gaps were marked and
                     attributed, and the longest silence that no outage explains.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from resumable import resumable
from rows import RESULTS, Row, merge_rows

from edgehar.boards.virtual_board import LOST_IN_RESTART, BoardSettings, VirtualBoard
from edgehar.boards.virtual_board_faults import BoardFaults
from edgehar.sources.csi_stream import CsiChoice, CsiStream
from edgehar.sources.virtual_csi_radio import RadioSettings
from edgehar.types import Chunk, Flag, FloatArray
from edgehar.wire.canonical import to_chunk
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.espcsi_text import TextDecoder
from edgehar.wire.frames import CsiFrames, Loss

COMMAND = "python benchmarks/link.py --only {}"
OUT = RESULTS / "csi.jsonl"
STEP_US = 10_000
OFFERED_HZ = 300.0  # more than the line carries
SUSTAINED_HZ = 200.0
LINK_S = 60
FAULTS_S = 600
FAULTS = BoardFaults(bit_errors=1e-4, loss=0.1, log_every_s=7.0, reboot_every_s=83.0, unplug_every_s=47.0, unplug_s=2.0)


def carried(rate_hz: float, *, text: bool = False) -> tuple[float, Counter[str]]:
    """Frames a second that arrived, from the first one on, and what was lost of the others, as the host tells it."""
    board = VirtualBoard(BoardSettings(radio=RadioSettings(seed=1, rate_hz=rate_hz), text=text))
    decoder = TextDecoder("benchmark") if text else FrameDecoder()
    first_us = last_us = frames = 0
    for t_us in range(0, LINK_S * 1_000_000 + 1, STEP_US):
        came = sum(map(len, decoder.push(board.read_until(t_us))))
        if came:
            first_us = first_us or t_us
            last_us, frames = t_us, frames + came
    return frames / (last_us - first_us) * 1e6, Counter({str(loss): n for loss, n in decoder.losses.items()})


def link_row() -> Row:
    """csi.link.921600."""
    most_hz, dropped = carried(OFFERED_HZ)
    sustained_hz, lost = carried(SUSTAINED_HZ)
    text_hz, text_lost = carried(OFFERED_HZ, text=True)
    extras = {
        "stream_s": LINK_S,
        "offered_hz": OFFERED_HZ,
        "dropped_by_ring": dropped[Loss.RING],
        "unexplained": dropped[Loss.UNKNOWN] + lost[Loss.UNKNOWN],
        "at_200_hz": round(sustained_hz, 1),
        "lost_at_200_hz": sum(lost.values()),
        "text_hz": round(text_hz, 1),
        "text_unexplained": text_lost[Loss.UNKNOWN],
        "simulated": True,
    }
    return Row("csi.link.921600", round(most_hz, 1), "frames/s", 0.0, 1, COMMAND.format("link"), extras=extras)


class Witness:
    """Keeps every frame as it was before anything could happen to it, and holds Chunks against them."""

    def __init__(self) -> None:
        self.accepted = self.wrong = self.gaps = self.unmarked = 0
        self._sent: dict[int, CsiFrames] = {}
        self._last = -1

    def keep(self, frames: CsiFrames) -> None:
        """A frame that the board numbered."""
        self._sent[int(frames.meta["tx_seq"][0])] = frames

    def judge(self, chunk: Chunk, field: str) -> None:
        """A frame counts as wrong where one value differs, or where it was never sent."""
        for i, number in enumerate(chunk.aux["tx_seq"].tolist()):
            true = self._sent.get(number)
            self.accepted += 1
            self.wrong += true is None or not np.array_equal(chunk.x[i], _values(true, chunk, field), equal_nan=True)
            jumped = self._last >= 0 and number != self._last + 1
            self.gaps += jumped
            self.unmarked += jumped and not int(chunk.flags[i]) & Flag.GAP_BEFORE
            self._last = number
        for old in [number for number in self._sent if number < self._last]:
            del self._sent[old]


def _values(true: CsiFrames, chunk: Chunk, field: str) -> FloatArray:
    one = np.zeros(1, np.int64)
    values: FloatArray = to_chunk(true, chunk.spec, field, one, one, one, np.zeros(1, np.uint16)).x[0]
    return values


def faults_row() -> Row:
    """csi.faults."""
    witness = Witness()
    board = VirtualBoard(BoardSettings(radio=RadioSettings(seed=2, rate_hz=SUSTAINED_HZ), faults=FAULTS), witness.keep)
    stream = CsiStream(CsiChoice(protocol="binary"))
    silence_us = longest_us = 0
    plugged, unplugged = True, 0
    for t_us in range(0, FAULTS_S * 1_000_000 + 1, STEP_US):
        chunks = stream.push(board.read_until(t_us), t_us * 1000)
        if plugged and not board.plugged:
            stream.interrupt()
            unplugged += 1
        plugged = board.plugged
        for chunk in chunks:
            witness.judge(chunk, stream.field)
        settled = stream.spec is not None  # the first second decides what the stream is
        silence_us = 0 if chunks or not plugged or not board.speaks or not settled else silence_us + STEP_US
        longest_us = max(longest_us, silence_us)
    decoder = stream.decoder
    losses: Counter[Loss] = decoder.losses if decoder is not None else Counter()
    extras = {
        "stream_s": FAULTS_S,
        "accepted": witness.accepted,
        "gaps": witness.gaps,
        "gaps_unmarked": witness.unmarked,
        "longest_silence_s": longest_us / 1e6,
        "restarts": board.boot - 1,
        "restarts_noticed": stream.restarts,
        "unplugged": unplugged,
        **{str(loss): losses[loss] for loss in Loss},
        **{f"true_{key}": board.truth[key] for key in (Loss.RADIO, Loss.RING, Loss.LINK, LOST_IN_RESTART)},
        "simulated": True,
    }
    return Row("csi.faults", witness.wrong, "frames", 0.0, 1, COMMAND.format("faults"), extras=extras)


MAKERS = {"link": link_row, "faults": faults_row}


def main() -> int:
    """Write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(MAKERS))
    wanted = parser.parse_args().only.split(",")

    def work() -> None:
        for name in wanted:
            row = MAKERS[name]()
            merge_rows(OUT, [row])
            print(f"{row.id}: {row.value:g} {row.unit}; {dict(row.extras)}")

    return resumable("link.py", work)


if __name__ == "__main__":
    sys.exit(main())
