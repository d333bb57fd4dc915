"""Targets `c:...`: the emitted C, built with every compiler and run on every core that we have an emulator for."""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np

from edgehar.boards.qemu import Calls
from edgehar.boards.targets import find_target
from edgehar.boards.toolchain import Program, Run, build_program, execute
from edgehar.bundle import Bundle
from edgehar.errors import EdgeHarError, InputError, MissingError, Reason
from edgehar.export.c.emit import SOURCES, CExport, emit_c
from edgehar.export.c.harness import MAIN, Replies, decode, encode, fnv1a
from edgehar.graph.graph import IntGraph
from edgehar.graph.intexecute import dequantise
from edgehar.types import FloatArray
from edgehar.verify.target import Footprint, Subject, Trace

STREAM_MAIN = Path(str(resources.files("edgehar.verify").joinpath("eh_stream_main.c")))
CORE = ("eh_core_input", "eh_core_step", "eh_core_head")
COUNTED = ("eh_push_sample", *CORE, "eh_decide")


class CTarget:
    """`c:TARGET`, TARGET being one of `edgehar.boards.targets`.

    The verification program runs the model's core on golden windows; a second one streams them through the public
    interface, of a module without preprocessing, because golden windows lie behind it. That one is measured, too.
    """

    own_arithmetic = True

    def __init__(self, name: str, subject: Subject) -> None:
        self.subject = subject
        self.target = find_target(name.partition(":")[2])
        self._directory = tempfile.TemporaryDirectory(prefix="edgehar-")
        self._stream: Run | None = None

    def missing(self) -> str | None:
        return self.target.missing()

    def logits(self, x: FloatArray) -> FloatArray:
        return self._floats(_core(self._program, x))

    def streamed(self, x: FloatArray) -> FloatArray | None:
        if self.subject.exported is not None:
            return None  # a module that is given has its preprocessing inside
        program = build_program(
            self.target, STREAM_MAIN, self._bare.sources, self._room("stream"), include_dirs=[self._bare.directory]
        )
        given = struct.pack("<I", len(x)) + np.ascontiguousarray(x, "<f4").tobytes()
        self._stream = _checked(execute(program, given, count_functions=COUNTED))
        return np.frombuffer(self._stream.output, "<f4").reshape(-1, self.subject.graph.classes)

    def trace(self, x: FloatArray) -> Trace:
        (found,) = _core(self._traced, x[None], traced=1).traces
        return found

    def faults(self) -> list[str]:
        if self.subject.exported is None:
            return []
        expected = emit_c(self.subject.bundle, self._room("fresh") / "c").module.constants
        window = self.subject.bundle.golden["x"][:1]
        held = _core(self._traced, window).constants
        differing = [
            f"{self._export.directory}: constant '{name}' ({held[name][0]} bytes) is not what the bundle gives"
            for name, raw in expected.items()
            if name in held and held[name] != (len(raw), fnv1a(raw))
        ]
        absent = [f"{self._export.directory}: lacks the constant '{name}'" for name in expected if name not in held]
        return differing + absent

    def logit_step(self) -> float | None:
        return self.subject.logit_step

    def footprint(self) -> Footprint:
        if self.target.instrumented:
            return Footprint()
        sizes = self._program.sizes
        told = dict(re.findall(rb"(\w+) (\d+)", self._stream.stdout)) if self._stream is not None else {}
        calls = {} if self._stream is None else self._stream.calls
        return Footprint(
            text_bytes=sizes.text,
            rodata_bytes=sizes.rodata,
            ram_bytes=int(told[b"ram_bytes"]) + sizes.ram_bytes if told else None,
            # On a host the dynamic linker looks up functions at their first call, on the same stack.
            stack_bytes=int(told[b"stack_bytes"]) if told and self.target.emulator else None,
            instructions_per_step=_per_step(calls) if calls else None,
            instructions_per_decision=self._per_decision(calls) if calls else None,
        )

    @cached_property
    def _export(self) -> CExport:
        """The module under test: emitted now, or the one in the directory of exported files."""
        directory = self.subject.exported
        if directory is None:
            return emit_c(self.subject.bundle, self._room("module") / "c")
        for header in sorted(directory.rglob("eh_model.h")):
            module = emit_c(self.subject.bundle, self._room("module") / "c").module
            return CExport(header.parent, tuple(header.parent / name for name in SOURCES), module)
        raise MissingError(
            f"{directory}: holds no C module",
            reason=Reason.NOT_FOUND,
            hint="write one: edgehar export BUNDLE --target c --out DIR",
        )

    @cached_property
    def _bare(self) -> CExport:
        """The module of the model alone, whose samples are what golden windows consist of."""
        return emit_c(without_preprocessing(self.subject.bundle), self._room("bare") / "c")

    @cached_property
    def _program(self) -> Program:
        return self._build("core", {})

    @cached_property
    def _traced(self) -> Program:
        return self._build("traced", {"EH_TRACE": "1"})

    def _build(self, room: str, defines: Mapping[str, str]) -> Program:
        module = self._export
        return build_program(
            self.target, MAIN, module.sources, self._room(room), include_dirs=[module.directory], defines=defines
        )

    def _room(self, name: str) -> Path:
        path = Path(self._directory.name) / name
        path.mkdir(exist_ok=True)
        return path

    def _floats(self, replies: Replies) -> FloatArray:
        graph = self.subject.graph
        integers = isinstance(graph, IntGraph)
        if integers != (replies.logits.dtype.kind == "i"):
            raise InputError(
                f"{self._export.directory}: computes in {'floats' if integers else 'integers'}, unlike the bundle",
                reason=Reason.CONTRACT,
                hint="export it again: edgehar export BUNDLE --target c --out DIR",
            )
        return dequantise(graph, replies.logits.astype(np.int64)) if isinstance(graph, IntGraph) else replies.logits

    def _per_decision(self, calls: Mapping[str, Calls]) -> float:
        """One window's steps, the input and bookkeeping of one hop's samples, the head and the decision."""
        graph = self.subject.graph
        steps = graph.window if graph.states else graph.hop  # a convnet's columns serve all windows
        push = calls["eh_push_sample"]
        own = (push.instructions - sum(calls[name].instructions for name in CORE)) / max(1, push.calls)
        samples = graph.hop * (calls["eh_core_input"].mean_instructions + own)
        once = calls["eh_core_head"].mean_instructions + calls["eh_decide"].mean_instructions
        return steps * calls["eh_core_step"].mean_instructions + samples + once


def without_preprocessing(bundle: Bundle) -> Bundle:
    """The same model on a stream that needs none."""
    manifest = bundle.manifest
    inputs = int(manifest.model["inputs"])
    names = tuple(f"input_{i}" for i in range(inputs))
    contract = replace(manifest.contract, channels=names, units=("1",) * inputs, delay_samples=0)
    return replace(bundle, manifest=replace(manifest, contract=contract, preprocess=()), signature=None, sha256="")


def _per_step(calls: Mapping[str, Calls]) -> float:
    return calls["eh_core_input"].mean_instructions + calls["eh_core_step"].mean_instructions


def _core(program: Program, x: FloatArray, traced: int = 0) -> Replies:
    return decode(_checked(execute(program, encode(x, traced))).output)


def _checked(run: Run) -> Run:
    """Raises EdgeHarError where the program did not end well, with what it said: a sanitizer's report, say."""
    if run.returncode != 0:
        said = (run.stderr or run.stdout.decode(errors="replace")).strip()
        raise EdgeHarError(
            f"{run.program.target.name}: the program ended with {run.returncode}: {said[-2000:]}",
            reason=Reason.VALUE,
            hint="2 to 4: it could not read its input or write its output; others: see what it said",
        )
    return run
