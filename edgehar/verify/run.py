"""Every target on the golden windows of one bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from edgehar.bundle import Bundle
from edgehar.errors import EdgeHarError, InputError, Reason, UsageError
from edgehar.registry import resolve
from edgehar.types import FloatArray
from edgehar.verify import TARGETS
from edgehar.verify.locate import first_divergence
from edgehar.verify.rules import STREAMING_TOLERANCE, TOLERANCE, Rule, Verdict, judge, rule_of
from edgehar.verify.target import Footprint, Subject, Target, UnsupportedError

LEAST_WINDOWS = 200
STREAMED_WINDOWS = 8
"""So many golden windows, joined end to end, make the stream that streaming is tested on."""


TRACE_TOLERANCES = {Rule.BITWISE: 0.0, Rule.TOLERANCE: TOLERANCE, Rule.AGREEMENT: 0.05}
"""What counts as a divergence within a window. Runtimes that round in their own way wander by a few percent."""


class Status(StrEnum):
    """UNSUPPORTED: the model does not exist for that target, which the export matrix says too; not a gap to close."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    SKIPPED = "SKIPPED"
    UNSUPPORTED = "UNSUPPORTED"


@dataclass(frozen=True, slots=True)
class Result:
    """One target. `detail`: what differs and where, or what to install."""

    target: str
    status: Status
    windows: int = 0
    verdict: Verdict | None = None
    detail: tuple[str, ...] = ()
    footprint: Footprint = field(default_factory=Footprint)


@dataclass(frozen=True, slots=True)
class Report:
    """All targets, in the order in which they ran. `stamps` say in what the run fell short of the contract."""

    bundle: str
    model_id: str
    sha256: str
    windows: int
    results: tuple[Result, ...]
    stamps: tuple[str, ...] = ()

    def exit_code(self, allow_skip: Iterable[str] = ()) -> int:
        """1: something failed; 4: nothing failed, but something was skipped that is not in `allow_skip`; else 0."""
        allowed = set(allow_skip)
        if any(r.status is Status.FAIL for r in self.results):
            return 1
        return 4 if any(r.status is Status.SKIPPED and r.target not in allowed for r in self.results) else 0


def verify(
    bundle: Bundle,
    source: str,
    targets: Sequence[str],
    *,
    windows: int | None = None,
    exported: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Run `targets` on the golden windows of `bundle`, called `source` in messages.

    `windows`: use only so many, fewer than LEAST_WINDOWS being stamped. `exported`: test the files of this directory
    (edgehar export --out) instead of fresh ones. `progress(done, total)` counts targets. Raises InputError when the
    bundle holds too few windows, UsageError for an unknown target; what a target finds is in the report.
    """
    for name in targets:
        _factory(name)
    x, golden, stamps = _golden(bundle, source, windows)
    subject = Subject(bundle, exported)
    results = []
    for i, name in enumerate(targets):
        results.append(_run(name, subject, x, golden))
        if progress is not None:
            progress(i + 1, len(targets))
    return Report(source, bundle.manifest.model_id, bundle.sha256, len(x), tuple(results), stamps)


def _golden(bundle: Bundle, source: str, windows: int | None) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    x, golden = bundle.golden["x"], bundle.golden["logits"]
    wanted = LEAST_WINDOWS if windows is None else windows
    if windows is not None and windows < 1:
        raise UsageError(f"--windows {windows}", reason=Reason.VALUE, hint="ask for at least one window")
    if len(x) < wanted:
        raise InputError(
            f"{source}: holds {len(x)} golden windows, {wanted} are asked for",
            reason=Reason.VALUE,
            hint=f"train or compress it again for {LEAST_WINDOWS}, or lower the bar: edgehar verify {source} "
            f"--windows {len(x)}",
        )
    if windows is None:
        return x, golden, ()
    rows = np.linspace(0, len(x) - 1, windows).round().astype(np.int64)
    return x[rows], golden[rows], () if windows >= LEAST_WINDOWS else (f"ONLY-{windows}-WINDOWS",)


def _factory(name: str) -> Callable[[str, Subject], Target]:
    factory: Callable[[str, Subject], Target] = resolve("targets", TARGETS, name)
    return factory


def _run(name: str, subject: Subject, x: FloatArray, golden: FloatArray) -> Result:
    try:
        target = _factory(name)(name, subject)
        install = target.missing()
        if install is not None:
            return Result(name, Status.SKIPPED, detail=(install,))
        logits = target.logits(x)
    except UnsupportedError as error:
        return Result(name, Status.UNSUPPORTED, detail=(str(error),))
    except EdgeHarError as error:
        return Result(name, Status.FAIL, detail=(str(error), *([f"next: {error.hint}"] if error.hint else [])))
    rule = rule_of(subject, target)
    verdict = judge(subject, rule, logits, golden, step=target.logit_step())
    faults = target.faults()
    detail = [*faults]
    if not verdict.ok:
        detail.append(_difference(verdict, logits, golden))
        detail += _location(subject, target, rule, x[verdict.window])
    streaming = _streaming(subject, target, rule, x)
    detail += streaming
    ok = verdict.ok and not faults and not streaming
    return Result(name, Status.PASS if ok else Status.FAIL, len(x), verdict, tuple(detail), target.footprint())


def _difference(verdict: Verdict, logits: FloatArray, golden: FloatArray) -> str:
    w = verdict.window
    if logits.shape != golden.shape:
        return f"gives logits of shape {list(logits.shape)}, expected {list(golden.shape)}"
    k = int(np.argmax(np.abs(logits[w].astype(np.float64) - golden[w])))
    where = f"window {w}: logit {k} is {logits[w, k]:.9g}, golden {golden[w, k]:.9g}"
    return where + (f"; labels agree in {100 * verdict.agreement:.2f} %" if verdict.rule is Rule.AGREEMENT else "")


def _location(subject: Subject, target: Target, rule: Rule, x: FloatArray) -> list[str]:
    shown = target.trace(x)
    if not shown:
        return []
    found = first_divergence(subject.graph, shown, subject.expected_trace(x), TRACE_TOLERANCES[rule])
    return ["its tensors agree with NumPy's here" if found is None else f"first divergence: {found}"]


def _streaming(subject: Subject, target: Target, rule: Rule, x: FloatArray) -> list[str]:
    """What is wrong with the logits of a stream compared with those of its windows cut out; [] for nothing."""
    window, hop = subject.graph.window, subject.graph.hop
    stream = x[:STREAMED_WINDOWS].reshape(-1, x.shape[2])
    logits = target.streamed(stream)
    if logits is None:
        return []
    starts = range(0, len(stream) - window + 1, hop)
    whole = target.logits(np.stack([stream[start : start + window] for start in starts]))
    verdict = judge(subject, rule, logits, whole, STREAMING_TOLERANCE)
    if verdict.ok:
        return []
    return [f"as a stream, unlike as whole windows: {_difference(verdict, logits, whole)}"]
