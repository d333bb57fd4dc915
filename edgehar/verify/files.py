"""What targets that run exported files have in common: the live runtime, on fresh files or on those that are given."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.runtimes import Runtime
from edgehar.types import FloatArray
from edgehar.verify.constants import constant_faults
from edgehar.verify.target import Footprint, Subject, Trace


class FileTarget:
    """Files through `edgehar.runtimes`, which checks that they were made from this bundle's model.

    The whole-window file gives the logits, the step file, where the format has one, those of a stream.
    """

    own_arithmetic = False
    ending: ClassVar[str]
    runtime: ClassVar[str]
    """module:class in edgehar.runtimes"""
    packages: ClassVar[Mapping[str, str]]
    """Package that is imported -> extra that installs it."""

    def __init__(self, _: str, subject: Subject) -> None:
        self.subject = subject
        self._directory = tempfile.TemporaryDirectory(prefix="edgehar-")

    @abstractmethod
    def emit(self, form: str, like: Mapping[str, Any] | None = None) -> bytes:
        """The file as the bundle gives it now; `form`: window or step. UsageError where there is none.

        `like`: what another file says about itself; where an export has a choice, it is that file's.
        """

    @abstractmethod
    def describe(self, content: bytes, source: str) -> Mapping[str, Any]:
        """What a file says about itself: form and dtype."""

    @abstractmethod
    def constants(self, content: bytes, source: str) -> Mapping[str, NDArray[Any]]:
        """Every constant of a file by name."""

    @abstractmethod
    def trace(self, x: FloatArray, /) -> Trace:
        """As `Target.trace`."""

    @property
    @abstractmethod
    def dtype(self) -> str:
        """Of the file under test."""

    def missing(self) -> str | None:
        extras = [extra for package, extra in self.packages.items() if importlib.util.find_spec(package) is None]
        return f"pip install 'edgehar[{','.join(extras)}]'" if extras else None

    @cached_property
    def window_file(self) -> Path:
        """The whole-window file under test. Raises MissingError where the named directory has none."""
        path = self.file("window")
        if path is None:
            raise MissingError(
                f"{self.subject.exported}: holds no .{self.ending} file of whole windows in {self.dtype}",
                reason=Reason.NOT_FOUND,
                hint=f"write one: edgehar export BUNDLE --target {self.ending} --out DIR",
            )
        return path

    @cached_property
    def step_file(self) -> Path | None:
        """The step file under test; None where there is none."""
        try:
            return self.file("step")
        except UsageError:
            return None

    def file(self, form: str) -> Path | None:
        """A fresh file, or the one of this form and dtype in the directory of exported files."""
        directory = self.subject.exported
        if directory is None:
            path = Path(self._directory.name) / f"{form}.{self.ending}"
            path.write_bytes(self.emit(form))
            return path
        for path in sorted(directory.rglob(f"*.{self.ending}")):
            told = self.describe(path.read_bytes(), str(path))
            if (told.get("form"), told.get("dtype")) == (form, self.dtype):
                return path
        return None

    def open(self, path: Path) -> Runtime:
        """The runtime that `edgehar run` would use."""
        module, _, name = self.runtime.partition(":")
        runtime: Runtime = getattr(importlib.import_module(module), name)(self.subject.bundle, path)
        return runtime

    @cached_property
    def live(self) -> Runtime:
        return self.open(self.window_file)

    def logits(self, x: FloatArray) -> FloatArray:
        return np.stack([self.live.window(window) for window in x])

    def streamed(self, x: FloatArray) -> FloatArray | None:
        runtime = self.live if self.step_file is None else self.open(self.step_file)
        runtime.reset()
        return runtime.push(x)[1]

    def faults(self) -> list[str]:
        if self.subject.exported is None:
            return []
        files = {"window": self.window_file, "step": self.step_file}
        return [fault for form, path in files.items() if path is not None for fault in self._faults(form, path)]

    def _faults(self, form: str, path: Path) -> list[str]:
        content = path.read_bytes()
        fresh = self.emit(form, self.describe(content, str(path)))
        return constant_faults(self.constants(content, str(path)), self.constants(fresh, "the bundle"), str(path))

    def logit_step(self) -> float | None:
        return None

    def footprint(self) -> Footprint:
        return Footprint(file_bytes=self.window_file.stat().st_size)
