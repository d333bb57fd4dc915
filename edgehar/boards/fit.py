"""Does a model fit a board? If not, the numbers and what to type."""

from __future__ import annotations

from edgehar.boards.boards import Board
from edgehar.errors import EdgeHarError, Reason, UsageError

# Bytes of one stored weight relative to float32; int8 with a 16-bit state stores the same weights.
WEIGHT_SHARE = {"float32": 1.0, "dynamic": 0.25, "int8": 0.25, "int8x16": 0.25}
STATE_SHARE = {"float32": 1.0, "dynamic": 1.0, "int8": 0.25, "int8x16": 0.5}
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
INTEGERS = ("int8x16", "int8")
FIXED_RAM = {"tflite": 24 * 1024, "onnx": 24 * 1024, "c": 1024}
"""What an interpreter, or the C module's stream, keeps whatever the dtype."""
MARGIN = 1.15
"""Integers bring multipliers and tables with them, a remedy must really fit: estimates are raised by so much."""


def check_fit(
    board: Board,
    flash_bytes: int,
    ram_bytes: int,
    fmt: str,
    dtype: str,
    *,
    weight_bytes: int | None = None,
    bundle: str = "BUNDLE",
) -> None:
    """Return when the model fits the share of `board` that models may take.

    `flash_bytes`: code, constants and weights; `ram_bytes`: state, buffers and stack; `weight_bytes`: the part of
    `flash_bytes` that is weights (default: all). Raises UsageError when the board does not run `fmt` with `dtype`,
    EdgeHarError with the numbers and the `edgehar compress` command that would bring the model under.
    """
    if dtype not in board.formats.get(fmt, ()):
        runs = "; ".join(f"{name} {'/'.join(dtypes)}" for name, dtypes in board.formats.items())
        raise UsageError(
            f"{board.name} ({board.cpu}) does not run {fmt} {dtype}", reason=Reason.VALUE, hint=f"it runs {runs}"
        )
    over = _over(board, flash_bytes, ram_bytes)
    if over:
        raise EdgeHarError(
            f"the {fmt} {dtype} model does not fit {board.name}: {over}",
            reason=Reason.VALUE,
            hint=_remedy(board, flash_bytes, ram_bytes, fmt, dtype, weight_bytes, bundle),
        )


def _over(board: Board, flash: float, ram: float) -> str:
    """What is too large, with both numbers; empty when it fits."""
    if board.flash_bytes is None or board.model_flash_bytes is None:
        rows = [("memory", flash + ram, board.model_ram_bytes, board.ram_bytes)]
    else:
        rows = [
            ("flash", flash, board.model_flash_bytes, board.flash_bytes),
            ("RAM", ram, board.model_ram_bytes, board.ram_bytes),
        ]
    return ", ".join(
        f"{int(needs)} bytes of {what}, a model may take {share} of the part's {whole}"
        for what, needs, share, whole in rows
        if needs > share
    )


def _remedy(
    board: Board,
    flash: int,
    ram: int,
    fmt: str,
    dtype: str,
    weight_bytes: int | None,
    bundle: str,
) -> str:
    """The mildest compression whose estimate fits: int8 before pruning, little pruning before much.

    A bundle in integers takes no further step: what to compress is the float bundle that it was made from. Only C
    stores fewer bytes for zeros.
    """
    weights = flash if weight_bytes is None else weight_bytes
    fixed = min(ram, FIXED_RAM.get(fmt, 0))
    finer = {"float32": INTEGERS, "int8x16": ("int8",)}.get(dtype, ())
    quants = [dtype, *(q for q in finer if q in board.formats[fmt])]
    for sparsity in (0.0, *(SPARSITIES if fmt == "c" else ())):
        for quant in quants:
            stored = weights * WEIGHT_SHARE[quant] / WEIGHT_SHARE[dtype]
            if sparsity:
                stored *= _kept_share(1 - sparsity, quant)
            needs = MARGIN * (flash - weights + stored), fixed + (ram - fixed) * STATE_SHARE[quant] / STATE_SHARE[dtype]
            if (sparsity or quant != dtype) and not _over(board, *needs):
                made_from = "FLOAT_BUNDLE" if dtype in INTEGERS else bundle
                options = (f" --prune {sparsity}" if sparsity else "") + (
                    f" --quant {quant}" if quant in INTEGERS else ""
                )
                estimate = f"about {int(needs[0])} bytes of flash and {int(needs[1])} of RAM"
                told = f"edgehar compress {made_from}{options} --dataset DIR --out SMALLER.edgehar  ({estimate})"
                return told if made_from == bundle else f"{told}; FLOAT_BUNDLE is what {bundle} was quantised from"
    return (
        "no compression brings it under; "
        + ("C stores no zeros: --target c with --prune, or " if fmt != "c" and "c" in board.formats else "")
        + "train a smaller model: edgehar train --set options.hidden=N (a convnet: options.width=N)"
    )


def _kept_share(density: float, dtype: str) -> float:
    """Bytes of a pruned matrix in C relative to the dense one: a bitmap's or those of entries, whichever is more.

    An entry is a weight and the byte of its column; not every kind of matrix has both.
    """
    width = 4 if dtype == "float32" else 1
    return max(density + 1 / (8 * width), density * (width + 1) / width)
