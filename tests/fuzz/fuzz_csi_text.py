"""Bytes that nobody thought of, for the decoders of CSI text; runs under atheris, started by test_fuzz_csi_text.py.

    python tests/fuzz/fuzz_csi_text.py [libFuzzer options] CORPUS

Whatever comes in: no exception, the compiled scanner and its twin see the same rows, frames do not depend on how the
bytes were cut, and every value is one that the frame's layout can hold.
"""

from __future__ import annotations

import contextlib
import sys

import atheris

# What is compiled for speed cannot be instrumented, too.
with atheris.instrument_imports(include=["edgehar.wire"], exclude=["edgehar.wire.espcsi_kernel"]):
    from edgehar.errors import InputError
    from edgehar.wire.espcsi_kernel import scan
    from edgehar.wire.espcsi_rows import scan_py
    from edgehar.wire.layouts import layout_named
    from edgehar.wire.text_dialects import ESPCSI, TEXT_DIALECTS, detect, open_decoder


class WrongError(Exception):
    """A promise was broken."""


def check(holds, what):
    if not holds:
        raise WrongError(what)


def one(frames):
    """Frames, however they were joined into runs."""
    return [
        (run.layout, row.tobytes(), meta.tobytes())
        for run in frames
        for row, meta in zip(run.iq, run.meta, strict=True)
    ]


def fuzz(data):
    if len(data) < 2:
        return
    dialect, size, text = TEXT_DIALECTS[data[0] % len(TEXT_DIALECTS)], data[1] + 1, bytes(data[2:])
    with contextlib.suppress(InputError):
        detect(text, "input")
    if dialect == ESPCSI:
        fast, slow = scan(text + b"\n"), scan_py(text + b"\n")
        for name in slow.__slots__:
            mine, theirs = getattr(fast, name), getattr(slow, name)
            check(mine == theirs if isinstance(mine, int) else mine.tolist() == theirs.tolist(), name)
    whole, cut = open_decoder(dialect, "salt"), open_decoder(dialect, "salt")
    frames = whole.push(text) + whole.finish()
    pieces = [run for at in range(0, len(text), size) for run in cut.push(text[at : at + size])] + cut.finish()
    check(one(frames) == one(pieces), "frames depend on the pieces")
    check((whole.counts, whole.first_bad) == (cut.counts, cut.first_bad), "counts depend on the pieces")
    check(whole.counts["frames"] == len(one(frames)), "frames are miscounted")
    for run in frames:
        layout = layout_named(run.layout)
        limit = 1 << (layout.bits - 1)
        check(run.iq.shape == (len(run.meta), layout.values), "a frame of another length")
        check(-limit <= run.iq.min() <= run.iq.max() < limit, "a value out of range")


if __name__ == "__main__":
    scan(b"\n")  # compiles, which is no input's fault
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
