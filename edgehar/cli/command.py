"""`edgehar command`: tell a board something while it runs."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(
    board: Annotated[str, typer.Argument(help="csi:PORT[?baud=N], csi:auto or tcp:HOST:PORT.", show_default=False)],
    words: Annotated[
        list[str], typer.Argument(help="hello, start, stop, identify, reboot, rate N, channel N [above], gain lock ...")
    ],
    *,
    patience: Annotated[float, typer.Option(help="Seconds to wait for the answer.")] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Send one command to BOARD and print its answer; 1 if the board refuses, 3 if none answers."""
    from edgehar.boards.commands import board_link, tell_board

    link = board_link(board)
    reply = tell_board(link, words, patience_s=patience)
    if as_json:
        typer.echo(json.dumps({"board": link.name, "command": words, "status": reply.status.name, "text": reply.text}))
    else:
        typer.echo(f"{link.name}: done{f', {reply.text}' if reply.text else ''}")
    return 0
