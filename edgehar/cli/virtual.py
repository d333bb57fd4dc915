"""`edgehar virtual`: simulated boards and tags, to try everything before there is hardware."""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgehar.boards.virtual_board_port import LineDevice, ServedBoard

LIVE_LINE_S = 0.5
CSI, CABLE, AIR = "csi", "imu", "imu-ble"
CSI_HZ = 100.0


def virtual(
    device: Annotated[
        str,
        typer.Argument(
            help="csi: a board that measures Wi-Fi CSI; imu: a motion sensor on a cable; imu-ble: on the air.",
            metavar="DEVICE",
            show_default=False,
        ),
    ],
    *,
    port_link: Annotated[
        Path | None, typer.Option(help="A path that leads to the port, also after it was unplugged.")
    ] = None,
    tcp: Annotated[int | None, typer.Option(help="A TCP port on this machine instead; 0: any that is free.")] = None,
    baud: Annotated[int, typer.Option(help="Speed of the line; 0: as fast as the host reads, like USB.")] = 921_600,
    rate: Annotated[
        float | None,
        typer.Option(help="csi: frames a second on the air, 100 if left out; else samples a second, the motion's own."),
    ] = None,
    layout: Annotated[str, typer.Option(help="csi: what a frame holds; a name of edgehar's layouts.")] = (
        "classic-below-ht40"
    ),
    seed: Annotated[int, typer.Option(help="Room, person and faults; the same again for the same number.")] = 0,
    activity: Annotated[
        str, typer.Option(help="csi: only this: still, walking, sitting, lying or empty; left out: a day's mixture.")
    ] = "",
    dwell: Annotated[float, typer.Option(help="Mean seconds that the person stays in one activity.")] = 12.0,
    gain_lock: Annotated[bool, typer.Option("--gain-lock", help="csi: hold the gain after 100 frames.")] = False,
    name: Annotated[
        list[str] | None, typer.Option("--id", help="The device's name; imu-ble: repeated, one tag each.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="csi: print rows as esp-csi's csi_recv does.")] = False,
    recording: Annotated[Path | None, typer.Option(help="imu: move as in this recording, then stop.")] = None,
    stream: Annotated[str, typer.Option(help="imu: which of its streams.")] = "",
    loop: Annotated[bool, typer.Option("--loop", help="imu: the recording again and again.")] = False,
    model: Annotated[str, typer.Option(help="imu: a fitted motion model instead of the shipped one.")] = "",
    person: Annotated[str, typer.Option(help="imu: whom of the model; left out: by seed.")] = "",
    transport: Annotated[
        str, typer.Option(help="imu-ble: vhci, a virtual adapter of this machine, or a controller: usb:0 ...")
    ] = "vhci",
    truth: Annotated[Path | None, typer.Option(help="imu: record what was measured, for comparison.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="What goes wrong, e.g. loss=0.1, bit_errors=1e-4, reboot_every_s=30; see docs/virtual.md."),
    ] = None,
    speed: Annotated[float, typer.Option(help="Stream seconds a second.")] = 1.0,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it is, and at the end the truth, as JSON.")] = (
        False
    ),
) -> int:
    """Simulate a device until Ctrl-C: a board that measures Wi-Fi CSI, or motion sensors. It is marked SIMULATED."""
    from edgehar.cli.virtual_tag import AskedTags, serve_on_air, tag_on_line
    from edgehar.errors import Reason, UsageError
    from edgehar.live import check_duration

    check_duration(duration)
    names = name or []
    if device not in (CSI, CABLE, AIR):
        raise UsageError(
            f"no virtual device '{device}'",
            reason=Reason.UNKNOWN_NAME,
            hint=" or ".join(f"edgehar virtual {known}" for known in (CSI, CABLE, AIR)),
        )
    if not 0 < speed < math.inf or baud < 0:
        raise UsageError(
            f"--speed {speed:g} --baud {baud}", reason=Reason.VALUE, hint="give a speed above 0, a baud rate or 0"
        )
    if device != AIR and len(names) > 1:
        raise UsageError(f"{len(names)} names", reason=Reason.VALUE, hint="give --id once: one device, one port")
    if tcp is not None and not 0 <= tcp <= 65535:
        raise UsageError(f"--tcp {tcp}", reason=Reason.VALUE, hint="give a port up to 65535, or 0: any that is free")
    if tcp is not None and port_link is not None:
        raise UsageError("--tcp and --port-link", reason=Reason.VALUE, hint="give one of them")
    if device == CABLE and tcp is not None:
        raise UsageError("--tcp with imu", reason=Reason.VALUE, hint="a tag on a cable is behind a port: --port-link")
    asked = AskedTags(names, rate, seed, dwell, recording, stream, loop, model, person, truth, tuple(fault or ()))
    if device == AIR:
        return serve_on_air(asked, transport, speed=speed, duration_s=duration, as_json=as_json)
    if device == CABLE:
        with tag_on_line(asked, baud) as tag:
            return _serve(tag, CABLE, port_link, tcp, speed, duration, as_json=as_json)

    from edgehar.boards.virtual_board import BoardSettings, VirtualBoard
    from edgehar.boards.virtual_board_faults import parse_faults
    from edgehar.sources.virtual_csi_radio import RadioSettings
    from edgehar.wire.messages import Link

    rate_hz = CSI_HZ if rate is None else rate
    if not 1 <= rate_hz <= 2000:
        raise UsageError(f"--rate {rate_hz:g}", reason=Reason.VALUE, hint="give 1 to 2000 frames a second")
    settings = BoardSettings(
        RadioSettings(seed, rate_hz, layout, dwell, activity, gain_lock),
        parse_faults(fault or ()),
        name=names[0] if names else "virtual",
        baud=baud,
        text=text,
        link=Link.TCP if tcp is not None else Link.UART if baud else Link.USB,
    )
    return _serve(VirtualBoard(settings), CSI, port_link, tcp, speed, duration, as_json=as_json)


def _serve(
    board: LineDevice,
    scheme: str,
    port_link: Path | None,
    tcp: int | None,
    speed: float,
    duration_s: float | None,
    *,
    as_json: bool,
) -> int:
    """Behind a port until the time is over; says where, and at the end the truth."""
    from edgehar.boards.virtual_board_port import PtyPlug, ServedBoard, TcpPlug

    plug = PtyPlug(port_link) if tcp is None else TcpPlug(tcp)
    with ServedBoard(board, plug, speed=speed) as served:
        # A script that ends its background job with kill leaves no link to a port that is gone either.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            _say_where(served.where, scheme if tcp is None else "tcp", as_json=as_json)
            _wait(served, duration_s)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)
            found = served.truth()
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(", ".join(f"{key.replace('_', ' ')} {count}" for key, count in found.items()), err=True)
    return 0


def _say_where(where: str, scheme: str, *, as_json: bool) -> None:
    source = f"{scheme}:{where}"
    if as_json:
        typer.echo(json.dumps({"port": where, "source": source, "simulated": True}))
    else:
        typer.echo(f"SIMULATED {'tag' if scheme == CABLE else 'board'} at {where}")
        typer.echo(f"  next: edgehar record --source {source} --out simulated.mcap      (Ctrl-C ends it)")
    sys.stdout.flush()


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
    found = served.truth()
    host = "a host listens" if served.is_open else "no host has the port open"
    doing = served.doing() or "moves"
    return f"{found['stream_s']:.0f} s, {found['sent']} sent, the person: {doing}, {host}"
