"""Opens .npz files without pickle; an error names the file and the member."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from lzma import LZMAError
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.units import KNOWN, SPELLED
from edgehar.errors import InputError, MissingError, Reason


class NpzFile:
    """The members of one .npz file, each unpacked once, when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, NDArray[Any]] = {}
        try:
            # NumPy takes what is no zip for a pickle and says how to load that; nobody should.
            with path.open("rb") as file:
                if not zipfile.is_zipfile(file):
                    raise self.refuse("it does not open as .npz: it is no zip archive")
            self._members: Mapping[str, NDArray[Any]] = np.load(path, allow_pickle=False)
        except FileNotFoundError as error:
            raise MissingError(f"there is no file {path}", reason=Reason.NOT_FOUND, hint="check the path") from error
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise self.refuse(f"it does not open as .npz: {error}") from error

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def get(self, name: str) -> NDArray[Any] | None:
        """Member `name`, or None."""
        return self[name] if name in self._members else None

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name in self._read:
            return self._read[name]
        try:
            return self._read.setdefault(name, self._members[name])
        except KeyError as error:
            raise self.refuse(f"it has no member '{name}' (it has {', '.join(self._members)})") from error
        except (ValueError, OSError, EOFError, LZMAError, zlib.error, zipfile.BadZipFile) as error:
            raise self.refuse(f"its member '{name}' is damaged: {error}", Reason.DAMAGED) from error

    def text(self, name: str) -> str:
        """A 0-d string, "" where absent."""
        return str(self[name]) if name in self else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """A vector of strings."""
        return tuple(str(value) for value in self[name].tolist())

    def units(self) -> tuple[str, ...]:
        """Member `units` in edgehar's spelling."""
        found = self.texts("units")
        for number, unit in enumerate(found):
            if unit not in SPELLED:
                raise self.refuse(f"units[{number}] is '{unit}', which is none of {', '.join(KNOWN)}")
        return tuple(SPELLED[unit] for unit in found)

    def refuse(self, what: str, reason: Reason = Reason.FORMAT) -> InputError:
        """The error for something wrong in this file."""
        return InputError(f"{self.path}: {what}", reason=reason, hint="docs/formats.md describes the .npz layouts")
