"""`edgehar virtual csi`: a simulated board behind a serial port, to try everything before there is hardware."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgehar.boards.virtual_board_port import ServedBoard

LIVE_LINE_S = 0.5


def virtual(
    device: Annotated[str, typer.Argument(help="csi", metavar="DEVICE", show_default=False)],
    *,
    port_link: Annotated[
        Path | None, typer.Option(help="A path that leads to the port, also after it was unplugged.")
    ] = None,
    tcp: Annotated[int | None, typer.Option(help="A TCP port on this machine instead; 0: any that is free.")] = None,
    baud: Annotated[int, typer.Option(help="Speed of the line; 0: as fast as the host reads, like USB.")] = 921_600,
    rate: Annotated[float, typer.Option(help="Frames a second on the air.")] = 100.0,
    layout: Annotated[str, typer.Option(help="What a frame holds; a name of edgehar's layouts.")] = (
        "classic-below-ht40"
    ),
    seed: Annotated[int, typer.Option(help="Room, person and faults; the same again for the same number.")] = 0,
    activity: Annotated[
        str, typer.Option(help="Only this: still, walking, sitting, lying or empty; left out: a day's mixture.")
    ] = "",
    dwell: Annotated[float, typer.Option(help="Mean seconds that the person stays in one activity.")] = 12.0,
    gain_lock: Annotated[bool, typer.Option("--gain-lock", help="Hold the gain after 100 frames.")] = False,
    name: Annotated[str, typer.Option("--id", help="The board's name.")] = "virtual",
    text: Annotated[bool, typer.Option("--text", help="Print rows as esp-csi's csi_recv does.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="What goes wrong, e.g. loss=0.1, bit_errors=1e-4, reboot_every_s=30; see docs/virtual.md."),
    ] = None,
    speed: Annotated[float, typer.Option(help="Stream seconds a second.")] = 1.0,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the port, and at the end the truth, as JSON.")] = False,
) -> int:
    """Simulate a board that measures Wi-Fi CSI, behind a serial port, until Ctrl-C. Its frames are marked SIMULATED."""
    from edgehar.boards.virtual_board import BoardSettings, VirtualBoard
    from edgehar.boards.virtual_board_faults import parse_faults
    from edgehar.boards.virtual_board_port import PtyPlug, ServedBoard, TcpPlug
    from edgehar.errors import Reason, UsageError
    from edgehar.sources.virtual_csi_radio import RadioSettings
    from edgehar.wire.messages import Link

    if device != "csi":
        raise UsageError(f"no virtual device '{device}'", reason=Reason.UNKNOWN_NAME, hint="edgehar virtual csi")
    if not 1 <= rate <= 2000 or speed <= 0 or baud < 0:
        raise UsageError(
            f"--rate {rate:g} --speed {speed:g} --baud {baud}",
            reason=Reason.VALUE,
            hint="give 1 to 2000 frames a second, a speed above 0, a baud rate or 0",
        )
    if tcp is not None and port_link is not None:
        raise UsageError("--tcp and --port-link", reason=Reason.VALUE, hint="give one of them")
    settings = BoardSettings(
        RadioSettings(seed, rate, layout, dwell, activity, gain_lock),
        parse_faults(fault or ()),
        name=name,
        baud=baud,
        text=text,
        link=Link.TCP if tcp is not None else Link.UART if baud else Link.USB,
    )
    plug = PtyPlug(port_link) if tcp is None else TcpPlug(tcp)
    with ServedBoard(VirtualBoard(settings), plug, speed=speed) as served:
        source = f"{'csi' if tcp is None else 'tcp'}:{served.where}"
        if as_json:
            typer.echo(json.dumps({"port": served.where, "source": source, "simulated": True}))
        else:
            typer.echo(f"SIMULATED board at {served.where}")
            typer.echo(f"  next: edgehar record --source {source} --out simulated.mcap      (Ctrl-C ends the board)")
        sys.stdout.flush()
        try:
            _wait(served, duration)
        except KeyboardInterrupt:
            pass
        finally:
            truth = served.truth()
    if as_json:
        typer.echo(json.dumps(truth))
    else:
        typer.echo(", ".join(f"{key.replace('_', ' ')} {count}" for key, count in truth.items()), err=True)
    return 0


def _wait(served: ServedBoard, duration_s: float | None) -> None:
    """Until the time is over; a line on a terminal tells what the board does."""
    ends_s = float("inf") if duration_s is None else time.monotonic() + duration_s
    try:
        while (left_s := ends_s - time.monotonic()) > 0:
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\x1b[K{_line(served)}")
                sys.stderr.flush()
            time.sleep(min(left_s, LIVE_LINE_S))
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _line(served: ServedBoard) -> str:
    truth: dict[str, Any] = served.truth()
    host = "a host listens" if served.is_open else "no host has the port open"
    doing = served.doing() or "starts"
    return f"{truth['stream_s']:.0f} s, {truth['sent']} frames sent, the person: {doing}, {host}"
