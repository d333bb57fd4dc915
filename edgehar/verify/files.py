"""What targets that run an exported file have in common: the live runtime, on a fresh file or on one that is given."""

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

from edgehar.errors import MissingError, Reason
from edgehar.runtimes import Runtime
from edgehar.types import FloatArray
from edgehar.verify.constants import constant_faults
from edgehar.verify.target import Footprint, Subject, Trace


class FileTarget:
    """The whole-window file through `edgehar.runtimes`, which checks that it was made from this bundle's model."""

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
    def emit(self) -> bytes:
        """The file as the bundle gives it now."""

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
    def fresh(self) -> bytes:
        return self.emit()

    @cached_property
    def path(self) -> Path:
        """The file under test. Raises MissingError where the named directory has none."""
        directory = self.subject.exported
        if directory is None:
            path = Path(self._directory.name) / f"model.{self.ending}"
            path.write_bytes(self.fresh)
            return path
        for path in sorted(directory.rglob(f"*.{self.ending}")):
            told = self.describe(path.read_bytes(), str(path))
            if (told.get("form"), told.get("dtype")) == ("window", self.dtype):
                return path
        raise MissingError(
            f"{directory}: holds no .{self.ending} file of whole windows in {self.dtype}",
            reason=Reason.NOT_FOUND,
            hint=f"write one: edgehar export BUNDLE --target {self.ending} --out DIR",
        )

    @cached_property
    def live(self) -> Runtime:
        """The runtime that `edgehar run` would use."""
        module, _, name = self.runtime.partition(":")
        runtime: Runtime = getattr(importlib.import_module(module), name)(self.subject.bundle, self.path)
        return runtime

    def logits(self, x: FloatArray) -> FloatArray:
        return np.stack([self.live.window(window) for window in x])

    def streamed(self, x: FloatArray) -> FloatArray | None:
        self.live.reset()
        return self.live.push(x)[1]

    def faults(self) -> list[str]:
        if self.subject.exported is None:
            return []
        found = self.constants(self.path.read_bytes(), str(self.path))
        return constant_faults(found, self.constants(self.fresh, "the bundle"), str(self.path))

    def footprint(self) -> Footprint:
        return Footprint(file_bytes=self.path.stat().st_size)
