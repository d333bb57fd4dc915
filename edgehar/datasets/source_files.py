"""The files of a published dataset, from its directory or its zip (also a zip inside it), and tables in them."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, MissingError, Reason

MAX_MEMBER_BYTES = 1 << 30


class SourceFiles:
    """Names (with '/') and contents of everything below `path`."""

    def __init__(self, path: Path, home: str) -> None:
        self.path = path
        self._home = home
        self._files: dict[str, Path | tuple[zipfile.ZipFile, str]] = {}
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    self._files[file.relative_to(path).as_posix()] = file
        elif path.is_file():
            self._add_zip(path, "")
        else:
            raise MissingError(
                f"there is no file or directory {path}", reason=Reason.NOT_FOUND, hint=f"the original is at {home}"
            )
        for name in [name for name in self._files if name.lower().endswith(".zip")]:
            self._add_zip(io.BytesIO(self.read(name)), name + "/")

    def _add_zip(self, file: Path | io.BytesIO, prefix: str) -> None:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(
                f"{self.path}{': ' + prefix.rstrip('/') if prefix else ''} is not a zip archive: {error}",
                reason=Reason.FORMAT,
                hint=f"give the archive or its unpacked directory; the original is at {self._home}",
            ) from error
        for entry in archive.infolist():
            hidden = entry.filename.startswith("__MACOSX") or entry.filename.rsplit("/", 1)[-1].startswith(".")
            if not entry.is_dir() and not hidden:
                self._files[prefix + entry.filename] = (archive, entry.filename)

    def read(self, name: str) -> bytes:
        """The content of one file."""
        where = self._files[name]
        if isinstance(where, Path):
            return where.read_bytes()
        archive, member = where
        if archive.getinfo(member).file_size > MAX_MEMBER_BYTES:
            raise InputError(
                f"{self.path}: {name} unpacks to more than {MAX_MEMBER_BYTES} bytes",
                reason=Reason.VALUE,
                hint="no file of the known datasets is that large",
            )
        try:
            return archive.read(member)
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            raise InputError(
                f"{self.path}: {name} is damaged: {error}", reason=Reason.DAMAGED, hint="get the archive again"
            ) from error

    def find(self, pattern: str) -> list[tuple[str, re.Match[str]]]:
        """(name, match) of all files whose name ends in `pattern`, sorted by name; raises if there is none."""
        compiled = re.compile(r"(?:^|.*/)" + pattern + r"$")
        found = [(name, match) for name in sorted(self._files) if (match := compiled.match(name))]
        if not found:
            some = ", ".join(list(self._files)[:3])
            raise MissingError(
                f"{self.path} holds no file like {pattern} (it holds {len(self._files)} files: {some} ...)",
                reason=Reason.NOT_FOUND,
                hint=f"is that the right dataset? The original is at {self._home}",
            )
        return found

    def one(self, pattern: str) -> str:
        """The name of the file whose name ends in `pattern`."""
        return self.find(pattern)[0][0]

    def lines(self, name: str) -> list[str]:
        """The text lines of a file."""
        return self.read(name).decode("utf-8", "replace").splitlines()

    def numbers(self, name: str, columns: int, *, delimiter: str | None = None, header: int = 0) -> NDArray[np.float64]:
        """A table [rows, columns] of numbers; the error names file, row, column and value."""
        text = self.read(name).decode("utf-8", "replace")
        try:
            table = np.loadtxt(io.StringIO(text), delimiter=delimiter, skiprows=header, ndmin=2)
        except ValueError as error:
            raise self._bad_cell(name, text, columns, delimiter, header) or self.refuse(name, 1, str(error)) from error
        if table.shape[1] != columns:
            raise self.refuse(name, header + 1, f"it has {table.shape[1]} columns, not {columns}")
        return table

    def refuse(self, name: str, row: int, what: str) -> InputError:
        """The error for something wrong in row `row` (from 1) of file `name`."""
        return InputError(
            f"{self.path}: {name}, row {row}: {what}", reason=Reason.VALUE, hint="mend that row, or get the file again"
        )

    def _bad_cell(self, name: str, text: str, columns: int, delimiter: str | None, header: int) -> InputError | None:
        for row, line in enumerate(text.splitlines(), 1):
            if row <= header or not line.strip():
                continue
            cells = line.split(delimiter)
            if len(cells) != columns:
                return self.refuse(name, row, f"it has {len(cells)} columns, not {columns}")
            for column, cell in enumerate(cells, 1):
                if not _is_number(cell):
                    return self.refuse(name, row, f"column {column}: '{cell.strip()}' is not a number")
        return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
