"""esptool as another program: it is GPL, so it is started and its output read, never imported.

Between calls the board stays in its boot loader, so a board whose BOOT button was pressed by hand is asked once only.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgehar.boards.flash.chips import Chip, chip_titled
from edgehar.boards.flash.outcome import failure
from edgehar.boards.flash.private import child_environment
from edgehar.errors import EdgeHarError, Reason
from edgehar.sources.serial_port import restart_board

Progress = Callable[[int, int], None]
_PERCENT = re.compile(r"\s(\d+(?:\.\d+)?)%")


@dataclass(frozen=True, slots=True)
class Board:
    """Who answers. `flash_bytes` is 0 where the flash chip's number is unknown."""

    chip: Chip
    mac: str
    flash_bytes: int


@dataclass(frozen=True, slots=True)
class Esptool:
    """One board's port. `stub`: upload the flasher's helper program, which is faster; else talk to the mask ROM."""

    port: str
    baud: int = 460_800
    stub: bool = True
    connect_attempts: int = 7

    def probe(self) -> Board:
        """Reset the board into its boot loader and ask who it is. Raises EdgeHarError naming the next step."""
        told = self._run("auto", ["flash-id"], "asking which chip it is", before="default-reset")
        found = re.search(r"Connected to (\S+) on ", told)
        if found is None:
            raise failure(told, self.port, "asking which chip it is")
        mac = re.search(r"^BASE MAC:\s+(\S+)", told, re.MULTILINE) or re.search(r"^MAC:\s+(\S+)", told, re.MULTILINE)
        size = re.search(r"^Detected flash size:\s+(\d+)(KB|MB)", told, re.MULTILINE)
        flash_bytes = int(size[1]) * {"KB": 1 << 10, "MB": 1 << 20}[size[2]] if size else 0
        return Board(chip_titled(found[1]), mac[1] if mac else "", flash_bytes)

    def write(
        self, chip: Chip, files: Sequence[tuple[int, Path]], *, erase: bool, progress: Progress | None = None
    ) -> None:
        """Write each file at its offset; the board's own MD5 of each must agree. `erase`: the whole flash first."""
        # keep: what is in the files is what is written, byte for byte, so that it can be compared afterwards.
        command = ["write-flash", "--flash-mode", "keep", "--flash-freq", "keep", "--flash-size", "keep"]
        command += ["--erase-all"] if erase else []
        sizes = [path.stat().st_size for _, path in files]
        pairs = [text for offset, path in files for text in (hex(offset), str(path))]
        told = self._run(chip.name, [*command, *pairs], "writing", on_line=_bytes_done(sizes, progress))
        if told.count("Hash of data verified") != len(files):
            raise EdgeHarError(
                f"{self.port}: esptool did not say of every part that its MD5 is right",
                reason=Reason.DAMAGED,
                hint="run the same command again",
            )

    def read(self, chip: Chip, offset: int, size: int, path: Path, progress: Progress | None = None) -> bytes:
        """`size` bytes of flash from `offset` on; they also lie in `path`."""
        command = ["read-flash", hex(offset), hex(size), str(path)]
        self._run(chip.name, command, "reading back", on_line=_bytes_done([size], progress))
        return path.read_bytes()

    def start(self) -> None:
        """Restart the board into its application; where its reset is not wired, it stays and somebody presses RST.

        Not by esptool: it leaves both lines asserted when it opens the port, and then its own reset does nothing on a
        board that it has not just reset into the boot loader.
        """
        restart_board(self.port)

    def _run(
        self,
        chip: str,
        command: Sequence[str],
        doing: str,
        *,
        before: str = "no-reset",
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> str:
        """What esptool printed. Raises what `failure` makes of it when it fails."""
        options = [
            "--chip",
            chip,
            "--port",
            self.port,
            "--baud",
            str(self.baud),
            "--before",
            before,
            "--after",
            "no-reset",
        ]
        options += ["--connect-attempts", str(self.connect_attempts), *(() if self.stub else ("--no-stub",))]
        lines = []
        with subprocess.Popen(
            [sys.executable, "-m", "esptool", *options, *command],
            env=_environment(),
            umask=0o077,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as child:
            try:
                for line in child.stdout or ():
                    lines.append(line)
                    on_line(line)
            except BaseException:  # an interrupted flash must not go on without us
                child.kill()
                raise
        told = "".join(lines)
        if child.returncode != 0:
            raise failure(told, self.port, doing)
        return told


def _environment() -> Mapping[str, str]:
    # One line per message, at once; wide enough that nothing is folded.
    return {**child_environment(), "COLUMNS": "240", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}


def _bytes_done(sizes: Sequence[int], progress: Progress | None) -> Callable[[str], None]:
    """Reads esptool's lines, which count each file from 0 to 100 %, and reports bytes of all files."""
    part = 0

    def read(line: str) -> None:
        nonlocal part
        percent = _PERCENT.search(line)
        if line.startswith(("Wrote ", "Read ")):
            part += 1
        elif progress is not None and percent is not None and part < len(sizes):
            progress(sum(sizes[:part]) + int(sizes[part] * float(percent[1]) / 100), sum(sizes))

    return read
