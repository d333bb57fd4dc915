"""A first look through raw CSI files: what is in them, who sent it, how fast; nothing but that is kept."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, MissingError, Reason
from edgehar.types import IntArray
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.frames import Cause, CsiFrames
from edgehar.wire.text_dialects import SAMPLE_BYTES, SIMULATED_MARK, AnyDecoder, detect, open_decoder

PIECE_BYTES = 1 << 20
SUFFIXES = (".csv", ".txt", ".log", ".jsonl", ".data", ".bin")
GZIP = ".gz"


@dataclass(frozen=True, slots=True)
class Take:
    """One file: how it is read, and what it holds of whom.

    counts and losses are the decoder's; first_bad: line and cause of the first few bad rows. layouts [n], which index
    `names`, mac_hash [n] and t_us [n] have an entry for each frame; invalid: whether any first word was. simulated: the
    board said that no radio was behind it.
    """

    path: Path
    dialect: str
    salt: str
    layout: str
    counts: Counter[str]
    losses: Counter[str]
    first_bad: list[tuple[int, Cause]]
    names: tuple[str, ...]
    layouts: IntArray
    mac_hash: NDArray[np.uint32]
    t_us: NDArray[np.uint32]
    invalid: bool
    simulated: bool

    def frames(self) -> Iterator[CsiFrames]:
        """The frames once more."""
        return decode(self.path, open_decoder(self.dialect, self.salt, self.layout))


def files_of(path: Path) -> list[Path]:
    """The file, or the CSI texts anywhere below a directory."""
    if not path.is_dir():
        return [path]
    plain = {file: file.with_suffix("") if file.suffix == GZIP else file for file in sorted(path.rglob("*"))}
    files = [file for file, name in plain.items() if name.suffix.lower() in SUFFIXES and file.is_file()]
    if not files:
        raise MissingError(
            f"{path} holds no file that ends in {', '.join(SUFFIXES)}, plain or {GZIP}",
            reason=Reason.NOT_FOUND,
            hint="give a capture or a directory of them",
        )
    return files


def survey(path: Path, dialect: str, salt: str, layout: str) -> Take:
    """Read the file once. dialect "": as its first lines look."""
    first = next(_pieces(path), b"")
    dialect = dialect or detect(first[:SAMPLE_BYTES], str(path))
    decoder = open_decoder(dialect, salt, layout)
    names: dict[str, int] = {}
    layouts, senders, times = [np.empty(0, np.int64)], [np.empty(0, np.uint32)], [np.empty(0, np.uint32)]
    invalid = False
    for run in decode(path, decoder):
        layouts.append(np.full(len(run), names.setdefault(run.layout, len(names))))
        senders.append(run.meta["mac_hash"])
        times.append(run.meta["t_us"])
        invalid = invalid or bool(run.meta["first_word_invalid"].any())
    losses = getattr(decoder, "losses", Counter())
    return Take(
        path=path,
        dialect=dialect,
        salt=salt,
        layout=layout,
        counts=decoder.counts,
        losses=Counter({str(loss): count for loss, count in losses.items()}),
        first_bad=getattr(decoder, "first_bad", []),
        names=tuple(names),
        layouts=np.concatenate(layouts),
        mac_hash=np.concatenate(senders),
        t_us=np.concatenate(times),
        invalid=invalid,
        simulated=SIMULATED_MARK in first or (isinstance(decoder, FrameDecoder) and decoder.simulated),
    )


def decode(path: Path, decoder: AnyDecoder) -> Iterator[CsiFrames]:
    """All frames of a file, plain or gzip."""
    for piece in _pieces(path):
        yield from decoder.push(piece)
    yield from decoder.finish()


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as plain, gzip.open(plain) if path.suffix == GZIP else plain as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except FileNotFoundError as error:
        raise MissingError(f"there is no file {path}", reason=Reason.NOT_FOUND, hint="check the path") from error
    except (OSError, EOFError) as error:  # a bad gzip file is an OSError, one cut short an EOFError
        raise InputError(f"{path} cannot be read: {error}", reason=Reason.DAMAGED, hint="copy it again") from error
