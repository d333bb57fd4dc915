"""bleak's real BlueZ backend without a radio: a private D-Bus and bluezoo's mock of BlueZ, both processes of their own.

bluezoo is GPL and never imported. Two of its adapters are in range of each other: the host uses hci0, simulated tags
(tests/bluezoo_tag.py) serve their profile on the others.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PATIENCE_S = 20  # never a pass criterion: only so that a hang ends
HOST, TAGS = "00:00:00:00:00:01", ("00:00:00:00:00:02", "00:00:00:00:00:03")
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type><keep_umask/><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/><allow eavesdrop="false"/><allow own="*"/>{rules}
  </policy>
</busconfig>
"""
DENIED = '<deny send_destination="org.bluez"/>'


def missing() -> str:
    """Why it cannot run here, "" where it can."""
    if sys.platform != "linux" or shutil.which("dbus-daemon") is None:
        return "needs dbus-daemon: apt install dbus"
    for module in ("bleak", "bluezoo", "bluez_peripheral"):
        if importlib.util.find_spec(module) is None:
            return f"needs {module}: pip install 'edgehar[dev]'"
    return ""


@contextlib.contextmanager
def bus(directory: Path, rules: str = "") -> Iterator[str]:
    """A private system bus; yields its address."""
    socket = directory / "bus"
    config = directory / "bus.conf"
    config.write_text(CONFIG.format(socket=socket, rules=rules))
    with running("dbus-daemon", "--nofork", f"--config-file={config}"):
        await_that(socket.exists)
        yield f"unix:path={socket}"


@contextlib.contextmanager
def bluez(*, powered: bool = True, adapters: tuple[str, ...] = (HOST, *TAGS), scan_s: float = 1) -> Iterator[None]:
    """bluezoo on the bus of DBUS_SYSTEM_BUS_ADDRESS."""
    options = [option for address in adapters for option in ("-a", address)]
    enable = ["--auto-enable"] if powered else []
    with running(str(Path(sys.executable).with_name("bluezoo")), *enable, "--scan-interval", str(scan_s), *options):
        await_that(_is_owned)
        yield


@contextlib.contextmanager
def tag(name: str, address: str = TAGS[0], *options: str) -> Iterator[subprocess.Popen[str]]:
    """A simulated tag on one of bluezoo's adapters, advertising."""
    command = (sys.executable, str(HERE / "bluezoo_tag.py"), name, address, *options)
    with running(*command, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline()
        if "advertising" not in line:
            raise RuntimeError(f"the tag said '{line}'")
        yield process


@contextlib.contextmanager
def running(*command: str, stdout: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    """A process for as long as the block runs."""
    process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL, text=True, cwd=HERE.parent)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def await_that(holds) -> None:
    """Until it does."""
    given_up_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > given_up_s:
            raise TimeoutError("a process that the test needs did not start")
        time.sleep(0.05)


def _is_owned() -> bool:
    asked = subprocess.run(
        ["dbus-send", f"--bus={os.environ['DBUS_SYSTEM_BUS_ADDRESS']}", "--print-reply", "--dest=org.freedesktop.DBus",
         "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", "string:org.bluez"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "true" in asked.stdout
