"""Does a model fit a board? If not, the numbers and what to type."""

from __future__ import annotations

from edgehar.boards.boards import Board
from edgehar.errors import EdgeHarError, Reason, UsageError

# Bytes of one stored weight relative to float32; int8 with a 16-bit state stores the same weights.
WEIGHT_SHARE = {"float32": 1.0, "dynamic": 0.25, "int8": 0.25, "int8x16": 0.25}
STATE_SHARE = {"float32": 1.0, "dynamic": 1.0, "int8": 0.25, "int8x16": 0.5}
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
# A 4x1 block of int8 is stored with a 16-bit column: 6 bytes for 4 weights; 18 for 16 where they are float32.
BLOCK_INT8, BLOCK_FLOAT32 = 6 / 4, 18 / 16


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
    """The mildest compression whose estimate fits: int8 before pruning, little pruning before much."""
    weights = flash if weight_bytes is None else weight_bytes
    quants = [dtype, *(q for q in ("int8x16", "int8") if q in board.formats[fmt] and dtype == "float32")]
    for sparsity in (0.0, *SPARSITIES):
        for quant in quants:
            stored = weights * WEIGHT_SHARE[quant] / WEIGHT_SHARE[dtype]
            if sparsity:
                stored *= (1 - sparsity) * (BLOCK_FLOAT32 if quant == "float32" else BLOCK_INT8)
            needs = flash - weights + stored, ram * STATE_SHARE[quant] / STATE_SHARE[dtype]
            if not _over(board, *needs):
                options = (f" --quant {quant}" if quant != dtype else "") + (f" --prune {sparsity}" if sparsity else "")
                estimate = f"about {int(needs[0])} bytes of flash and {int(needs[1])} of RAM"
                return f"edgehar compress {bundle}{options} --dataset DIR --out SMALLER.edgehar  ({estimate})"
    return "no compression brings it under; train a smaller model: edgehar train --set options.hidden=N"
