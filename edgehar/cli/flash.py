"""`edgehar flash`: put the firmware and one board's settings on it, prove it, and hear the board say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgehar.boards.flash.chips import Chip
    from edgehar.boards.flash.esptool import Progress
    from edgehar.boards.flash.firmware import Firmware, Part
    from edgehar.boards.flash.settings import BoardSettings
    from edgehar.wire.messages import Hello


def flash(
    *,
    port: Annotated[str, typer.Option(help="The board's serial port, or auto: the only board plugged in.")] = "auto",
    build_dir: Annotated[Path | None, typer.Option(help="A directory that idf.py built.")] = None,
    image: Annotated[Path | None, typer.Option(help="A merged image, or an application alone.")] = None,
    ssid: Annotated[str, typer.Option(help="Network to join; left out: none, ESP-NOW on --channel.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="Its password; left out: $EDGEHAR_WIFI_PASSWORD, else asked for.")
    ] = None,
    role: Annotated[str, typer.Option(help="receiver: measures; sender: makes the traffic.")] = "receiver",
    channel: Annotated[int, typer.Option(help="Wi-Fi channel.")] = 6,
    rate: Annotated[int, typer.Option(help="Frames a second; of a tag, samples a second.")] = 100,
    firmware_name: Annotated[
        str, typer.Option("--firmware", help="esp32s3_csi, or imu_ble for a tag: an inertial sensor.")
    ] = "esp32s3_csi",
    accel: Annotated[int, typer.Option(help="Of a tag: range of the accelerometer, g.")] = 8,
    gyro: Annotated[int, typer.Option(help="Of a tag: range of the gyroscope, degrees a second; 0: off.")] = 1000,
    axes: Annotated[int, typer.Option(help="Of a tag: the rotation of its axes, a row of docs/ble-imu.md.")] = 0,
    name: Annotated[str, typer.Option("--id", help="The board's name, in every recording of it.")] = "board",
    erase: Annotated[bool, typer.Option("--erase", help="Erase the whole flash first.")] = False,
    baud: Annotated[int, typer.Option(help="Speed of flashing; 115200 for a bad cable.")] = 460_800,
    console_baud: Annotated[int, typer.Option(help="Speed that the firmware speaks at (UART boards).")] = 921_600,
    no_stub: Annotated[bool, typer.Option("--no-stub", help="Without esptool's helper program: slower.")] = False,
    no_hello: Annotated[bool, typer.Option("--no-hello", help="Do not wait for the board to speak.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and print everything, touch no board.")] = False,
    list_ports: Annotated[bool, typer.Option("--list", help="List the boards that are plugged in.")] = False,
    udev_rule: Annotated[bool, typer.Option("--udev-rule", help="Print the udev rule that opens them to you.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
) -> int:
    """Flash a board with the firmware and its settings, verify every byte, and wait until it says hello."""
    if udev_rule:
        from edgehar.boards.flash.udev import udev_rule as text

        typer.echo(text(), nl=False)
        return 0
    if list_ports:
        return _list(as_json=as_json)
    from edgehar.boards.firmware_build import TAG_PROJECT, project_named
    from edgehar.boards.flash.settings import Settings, read_password, role_named
    from edgehar.boards.flash.tag_settings import TagSettings

    project = project_named(firmware_name)
    settings: Settings | TagSettings
    if project == TAG_PROJECT:
        settings = TagSettings(name, rate, accel, gyro, axes)
    else:
        settings = Settings(role_named(role), channel, rate, name, ssid)  # refused before a password is asked for
    firmware = _firmware(build_dir, image, None, project)
    _check_project(firmware, project)
    if dry_run:
        return _dry_run(port, firmware, settings, as_json=as_json)
    device, serial_number = _port(port)
    if ssid and isinstance(settings, Settings):
        settings = replace(settings, password=read_password(password_file, ssid))
    from edgehar.boards.flash.esptool import Esptool
    from edgehar.boards.flash.flash import flash as write
    from edgehar.boards.flash.flash import parts_json
    from edgehar.boards.flash.hello import check_hello, hello_json, wait_for_hello
    from edgehar.sources.uri import typed

    say: Callable[[str], None] = (lambda _line: None) if as_json else typer.echo
    tool = Esptool(device, baud, stub=not no_stub)
    board = tool.probe()
    size = f"{board.flash_bytes / 2**20:g} MiB flash" if board.flash_bytes else "flash of unknown size"
    say(f"board     {device}: {board.chip.title}, {size}, {board.mac}")
    firmware = firmware if build_dir or image else _firmware(None, None, board.chip, project)
    with ExitStack() as bars:
        done = write(tool, board, firmware, settings, erase=erase, progress=_bars(bars, quiet=as_json))
    say("\n".join(_part_lines(firmware, done.parts)))
    say(f"verified  {done.written_bytes:,} bytes: MD5 by the chip, then read back and compared")
    hello = None
    if isinstance(settings, Settings) and not no_hello:  # a tag says hello to who comes over Bluetooth LE
        hello = wait_for_hello(device, console_baud, serial_number=serial_number)
        check_hello(hello, settings, board.chip.name)
        say(f"hello     {_hello_line(hello)}")
    source = typed("csi", device) if isinstance(settings, Settings) else typed("ble", settings.name)
    say(f"  next: edgehar record --source {source} --out FILE")
    if as_json:
        told = {
            "port": device,
            "chip": board.chip.name,
            "mac": board.mac,
            "flash_bytes": board.flash_bytes,
            "firmware": _firmware_json(firmware),
            "parts": parts_json(done.parts),
            "settings": settings.public(),
            "erased": erase,
            "verified": ["md5", "read_back"],
            "hello": hello and hello_json(hello),
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
    return 0


def _list(*, as_json: bool) -> int:
    from edgehar.sources.usb_ports import board_ports, holders

    found = [(port, holders(port.device)) for port in board_ports()]
    if as_json:
        rows = [{**port.json(), "held_by": [holder.pid for holder in held]} for port, held in found]
        typer.echo(json.dumps({"boards": rows}))
        return 0
    if not found:
        typer.echo("no board is plugged in (a cable that only charges shows none)")
    for port, held in found:
        used = f"  in use by {held[0].name} (process {held[0].pid})" if held else ""
        typer.echo(f"{port.device}  {port.vid:04x}:{port.pid:04x}  {port.title}  {port.serial_number}{used}".rstrip())
    return 0


def _check_project(firmware: Firmware, project: str) -> None:
    """Raise UsageError where the settings would be another firmware's."""
    from edgehar.boards.firmware_build import PROJECT, TAG_PROJECT
    from edgehar.errors import Reason, UsageError

    there = firmware.application.project
    if (there == TAG_PROJECT) != (project == TAG_PROJECT):
        raise UsageError(
            f"the firmware is {there}, --firmware says {project}",
            reason=Reason.VALUE,
            hint=f"--firmware {TAG_PROJECT if there == TAG_PROJECT else PROJECT}",
        )


def _firmware(build_dir: Path | None, image: Path | None, chip: Chip | None, project: str) -> Firmware:
    """What to flash: as named, else a build in the cache (for `chip`, or any). MissingError says how to build."""
    from edgehar.boards.firmware_build import PROJECT, cached_build, container_line, default_partitions, is_built
    from edgehar.boards.flash.chips import CHIPS, DEFAULT_CHIP, chip_named
    from edgehar.boards.flash.firmware import read_build, read_file
    from edgehar.errors import MissingError, Reason, UsageError

    if build_dir and image:
        raise UsageError("--build-dir and --image", reason=Reason.VALUE, hint="give one of them")
    if build_dir:
        return read_build(build_dir, default_partitions(project))
    if image:
        return read_file(image, default_partitions(project))
    for candidate in [chip] if chip else CHIPS:
        if is_built(cached_build(candidate, project)):
            return read_build(cached_build(candidate, project), default_partitions(project))
    wanted = chip or chip_named(DEFAULT_CHIP)
    build = f"edgehar firmware build{'' if project == PROJECT else f' {project}'} --chip {wanted.name}"
    raise MissingError(
        f"no firmware for the {wanted.title} at hand: none was named, and none lies in {cached_build(wanted, project)}",
        reason=Reason.NOT_FOUND,
        hint=f"{container_line(wanted, cached_build(wanted, project), project=project)}   (or: {build})",
    )


def _port(port: str) -> tuple[str, str]:
    """(device, USB serial number or ""), checked to be free."""
    from edgehar.sources.usb_ports import board_ports, check_port, only_board_port

    found = next((known for known in board_ports() if known.device == port), None)
    if port == "auto":
        found = only_board_port()
    device = found.device if found else port
    check_port(device)
    return device, found.serial_number if found and found.native else ""


def _dry_run(port: str, firmware: Firmware, settings: BoardSettings, *, as_json: bool) -> int:
    from edgehar.boards.flash.flash import parts_json, plan

    parts = plan(firmware, settings, firmware.chip)
    if as_json:
        told: dict[str, Any] = {"port": port, "chip": firmware.chip.name, "firmware": _firmware_json(firmware)}
        told |= {"parts": parts_json(parts), "settings": settings.public(), "dry_run": True}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo("\n".join(_part_lines(firmware, parts)))
        shown = ", ".join(f"{key} {value}" for key, value in settings.public().items() if key != "password")
        typer.echo(f"settings  {shown}\ndry run: nothing was written")
    return 0


def _firmware_json(firmware: Firmware) -> dict[str, str]:
    image = firmware.application
    told = {"origin": str(firmware.origin), "project": image.project, "version": image.version}
    return {**told, "idf_version": image.idf_version}


def _part_lines(firmware: Firmware, parts: tuple[Part, ...]) -> Iterator[str]:
    image = firmware.application
    yield f"firmware  {image.project} {image.version} for the {firmware.chip.title}, ESP-IDF {image.idf_version}"
    for part in parts:
        yield f"          0x{part.offset:06x}  {len(part.content):>9,}  {part.name}"


def _hello_line(hello: Hello) -> str:
    from edgehar.wire.messages import BoardFlag

    mark = " SIMULATED" if BoardFlag.SIMULATED in hello.flags else ""
    return (
        f"{hello.name}: {hello.role.name.lower()}, {hello.chip}, firmware {hello.firmware}, channel {hello.channel}, "
        f"{hello.rate_hz} frames/s, CSI {'on' if hello.csi else 'off'}{mark}"
    )


def _bars(bars: ExitStack, *, quiet: bool) -> Callable[[str], Progress | None]:
    """A progress bar a step; the next one ends the one before."""
    from edgehar.cli.progress import progress

    def begin(title: str) -> Progress | None:
        bars.close()
        return None if quiet else bars.enter_context(progress(title))

    return begin
