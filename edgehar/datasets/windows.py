"""Cuts a dataset into labelled windows; no window crosses a gap or the edge of a recording."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.dataset import Dataset, RecordingRef
from edgehar.datasets.uniform import UniformStream
from edgehar.datasets.windowset import WindowSet
from edgehar.errors import InputError, Reason, UsageError
from edgehar.recording import Label
from edgehar.types import Chunk, Flag, FloatArray, IntArray

GAP_PERIODS = 1.5  # two samples further apart than this have a hole between them
_UNLABELLED = -1


def cut(
    dataset: Dataset,
    *,
    window: int,
    hop: int,
    classes: Sequence[str] | None = None,
    subjects: Collection[str] | None = None,
    purity: float = 1.0,
    stream: UniformStream | None = None,
) -> WindowSet:
    """Windows of `window` samples every `hop`, of `classes` only (default: all labels of the dataset), in that order.

    A window is labelled with the class that covers at least `purity` of it, and left out where none does. Windows
    that hold a NaN or an infinity are left out. Where the source came cut with the same window and hop, exactly its
    windows come back, in its order.

    With `stream` they are cut from the recordings as that stream, whose sample rate `window` and `hop` count, and
    windows with less than its share of real samples are left out.
    """
    if window < 1 or hop < 1 or not 0.0 < purity <= 1.0:
        raise UsageError(
            f"window {window}, hop {hop}, purity {purity}",
            reason=Reason.VALUE,
            hint="window and hop are samples, at least 1; purity is above 0 and at most 1",
        )
    labels = _classes(dataset, classes)
    pieces: list[tuple[RecordingRef, FloatArray, IntArray, IntArray]] = []
    for recording in dataset.recordings:
        if subjects is not None and recording.subject not in subjects:
            continue
        source = recording.open()
        chunk = source.read()
        _check_like_dataset(chunk, recording, dataset)
        if stream is not None:
            chunk = stream.seen(chunk)
        codes = sample_codes(chunk.t_dev_ns, source.labels, labels)
        given = stream is None and recording.window_starts is not None
        if given and (window, hop) == (dataset.window, dataset.hop):
            first = _positions(chunk, recording, window)
        else:
            first = free_running(chunk, window, hop)
        y = _window_codes(codes, first, window, purity)
        keep = (y != _UNLABELLED) & ~_has_hole(chunk.x, first, window)
        if stream is not None:
            keep &= _coverage(chunk, first, window) >= stream.min_coverage
        if keep.any():
            pieces.append((recording, _gather(chunk.x, first[keep], window), y[keep], chunk.seq[first[keep]]))
    cut_from = stream or UniformStream(dataset.channels, dataset.units, dataset.rate_hz)
    return _join(pieces, dataset, cut_from, labels, window, hop)


def _classes(dataset: Dataset, classes: Sequence[str] | None) -> tuple[str, ...]:
    labels = tuple(classes) if classes else dataset.labels
    unknown = [label for label in labels if label not in dataset.labels]
    if unknown:
        raise UsageError(
            f"{dataset.path} has no class {', '.join(unknown)}",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose from: {', '.join(dataset.labels)}",
        )
    return labels


def _check_like_dataset(chunk: Chunk, recording: RecordingRef, dataset: Dataset) -> None:
    spec = chunk.spec
    found = (spec.channels, spec.units, spec.rate_hz)
    expected = (dataset.channels, dataset.units, dataset.rate_hz)
    if found != expected:
        raise InputError(
            f"{recording.path} has channels, units, rate {found}\n  {dataset.path} says {expected}",
            reason=Reason.CONTRACT,
            hint="move that recording into a dataset of its own",
        )


def sample_codes(t_ns: IntArray, labels: Sequence[Label], names: Sequence[str]) -> NDArray[np.int64]:
    """The class [n] of each sample, -1 where none applies; of overlapping labels the last one counts."""
    codes = np.full(len(t_ns), _UNLABELLED, np.int64)
    index = {name: code for code, name in enumerate(names)}
    ordered = bool((np.diff(t_ns) >= 0).all())
    for label in labels:
        code = index.get(label.label, _UNLABELLED)
        if ordered:
            codes[slice(*np.searchsorted(t_ns, (label.t0_ns, label.t1_ns)))] = code
        else:  # the device restarted: its clock went back
            codes[(t_ns >= label.t0_ns) & (t_ns < label.t1_ns)] = code
    return codes


def segments(chunk: Chunk) -> list[tuple[int, int]]:
    """[first, last) of every stretch without a hole: by the times, and by the flags that the source set."""
    n = len(chunk)
    if not n:
        return []
    step_ns = np.diff(chunk.t_dev_ns)
    hole = (step_ns > GAP_PERIODS * 1e9 / chunk.spec.rate_hz) | (step_ns <= 0)
    hole |= (chunk.flags[1:] & (Flag.GAP_BEFORE | Flag.CLOCK_RESET)) != 0
    edges = [0, *(np.flatnonzero(hole) + 1).tolist(), n]
    return list(pairwise(edges))


def free_running(chunk: Chunk, window: int, hop: int) -> IntArray:
    """First samples of the windows that a stream would give: every `hop` from the start of each stretch."""
    starts = [np.arange(first, last - window + 1, hop) for first, last in segments(chunk)]
    return np.concatenate([np.empty(0, np.int64), *starts])


def _positions(chunk: Chunk, recording: RecordingRef, window: int) -> IntArray:
    starts = recording.window_starts if recording.window_starts is not None else np.empty(0, np.int64)
    first = np.searchsorted(chunk.seq, starts)
    last = first + window - 1
    fits = last < len(chunk)
    fits[fits] = (chunk.seq[first[fits]] == starts[fits]) & (chunk.seq[last[fits]] == starts[fits] + window - 1)
    if not fits.all():
        raise InputError(
            f"{recording.path} lists a window at sample {starts[~fits][0]}, of which samples are missing",
            reason=Reason.DAMAGED,
            hint="import the dataset again",
        )
    return first.astype(np.int64)


def _window_codes(codes: IntArray, first: IntArray, window: int, purity: float) -> IntArray:
    """The class [m] that covers at least `purity` of each window, -1 where none does."""
    y = np.full(len(first), _UNLABELLED, np.int64)
    for code in np.unique(codes[codes != _UNLABELLED]):
        within = np.concatenate([[0], np.cumsum(codes == code)])
        y[within[first + window] - within[first] >= purity * window] = code
    return y


def _has_hole(x: FloatArray, first: IntArray, window: int) -> NDArray[np.bool_]:
    missing = np.concatenate([[0], np.cumsum((~np.isfinite(x)).any(axis=1))])
    found: NDArray[np.bool_] = missing[first + window] != missing[first]
    return found


def _coverage(chunk: Chunk, first: IntArray, window: int) -> NDArray[np.float64]:
    """The share of real samples [m] in each window."""
    real = np.concatenate([[0], np.cumsum((chunk.flags & Flag.SYNTHETIC) == 0)])
    share: NDArray[np.float64] = (real[first + window] - real[first]) / window
    return share


def _gather(x: FloatArray, first: IntArray, window: int) -> FloatArray:
    """The windows [m, window, c] that begin at `first`."""
    views = np.lib.stride_tricks.sliding_window_view(x, window, axis=0)  # [n - window + 1, c, window]
    return np.ascontiguousarray(views[first].transpose(0, 2, 1))


def _join(
    pieces: list[tuple[RecordingRef, FloatArray, IntArray, IntArray]],
    dataset: Dataset,
    stream: UniformStream,
    labels: tuple[str, ...],
    window: int,
    hop: int,
) -> WindowSet:
    if not pieces:
        raise InputError(
            f"{dataset.path} holds no labelled stretch of {window} samples ({window / stream.rate_hz:.2f} s)",
            reason=Reason.VALUE,
            hint=f"choose a shorter window, or look at it: edgehar data {dataset.path}",
        )
    return WindowSet(
        x=np.concatenate([x for _, x, _, _ in pieces]),
        y=np.concatenate([y for _, _, y, _ in pieces]),
        subject=np.repeat([r.subject for r, *_ in pieces], [len(y) for _, _, y, _ in pieces]),
        recording=np.repeat([r.name for r, *_ in pieces], [len(y) for _, _, y, _ in pieces]),
        start=np.concatenate([start for *_, start in pieces]),
        labels=labels,
        channels=stream.channels,
        units=stream.units,
        rate_hz=stream.rate_hz,
        window=window,
        hop=hop,
    )
