"""Preprocessing as a bundle describes it: a chain of streaming operations on the uniform-rate stream.

Each entry of `ops` is one JSON object:

    {"op": "select", "channels": [names]}          keep these channels, in this order
    {"op": "scale", "factors": [...]}              x * factor per channel
    {"op": "median3"}                              median with both neighbours; looks one sample ahead
    {"op": "sos", "sos": [[b0 b1 b2 1 a1 a2]...]}  second-order sections from a zero state
    {"op": "minus_lowpass", "sos": [...]}          x - sos(x)
    {"op": "concat", "parts": [[ops]...]}          run sub-chains side by side, join their channels
    {"op": "normalize", "mean": [...], "std": [...]}
    {"op": "compand", "gain": [...]}               asinh(gain x) / asinh(gain) per channel; gain 0 leaves it alone
    {"op": "rectify"}                              |x|: motion becomes its strength, which a mean can gather
    {"op": "magnitude", "groups": [[names]...]}    sqrt(x^2 + y^2 + ...) of each group, which no rotation changes

Everything is causal but for the delay that `Preprocess.delay` states; float64 inside, float32 at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from edgehar.dsp.filters import Signal, median3, sosfilt
from edgehar.errors import InputError, Reason
from edgehar.types import FloatArray

Channels = tuple[str, ...]


class Operation(Protocol):
    """One step: x [n, c] -> [m, channels_out]; m < n only while the first `delay` samples of a segment fill up."""

    channels_out: Channels
    delay: int

    def push(self, x: Signal) -> Signal:
        """The next samples."""
        ...

    def flush(self) -> Signal:
        """The last `delay` samples, once no more will come."""
        ...

    def reset(self) -> None:
        """The next sample is the first of a segment."""
        ...


class Preprocess:
    """The whole graph. `push` takes and gives float32; `delay` is the number of samples that it holds back."""

    def __init__(self, ops: Sequence[Mapping[str, Any]], channels: Sequence[str]) -> None:
        self._chain = _Chain(ops, tuple(channels), "preprocess")
        self.channels_in: Channels = tuple(channels)
        self.channels_out = self._chain.channels_out
        self.delay = self._chain.delay
        self._identity = not ops

    def push(self, x: FloatArray) -> FloatArray:
        """Preprocess x [n, channels_in] -> [m, channels_out] float32; m = n once `delay` samples are held."""
        if self._identity:
            return x
        return self._chain.push(x.astype(np.float64)).astype(np.float32)

    def flush(self) -> FloatArray:
        """The samples that `delay` still holds back [<= delay, channels_out]; then `reset` before the next `push`."""
        return self._chain.flush().astype(np.float32)

    def reset(self) -> None:
        """The next sample is the first of a segment."""
        self._chain.reset()


class _Chain:
    """Operations one after the other."""

    def __init__(self, ops: Sequence[Mapping[str, Any]], channels: Channels, path: str) -> None:
        self._ops: list[Operation] = []
        for i, op in enumerate(ops):
            here = f"{path}[{i}]"
            name = str(op.get("op"))
            if name not in OPERATIONS:
                raise _refuse(here, f"op is {name}", f"one of {', '.join(OPERATIONS)}")
            self._ops.append(OPERATIONS[name](op, channels, here))
            channels = self._ops[-1].channels_out
        self.channels_out = channels
        self.delay = sum(op.delay for op in self._ops)

    def push(self, x: Signal) -> Signal:
        for op in self._ops:
            x = op.push(x)
        return x

    def flush(self) -> Signal:
        x = np.empty((0, len(self.channels_out)))
        for i, op in enumerate(self._ops):
            if op.delay:
                tail = op.flush()
                for after in self._ops[i + 1 :]:
                    tail = after.push(tail)
                x = np.concatenate([x, tail])
        return x

    def reset(self) -> None:
        for op in self._ops:
            op.reset()


class _Instant:
    """An operation that gives one sample for each at once; most have no state either."""

    delay = 0

    def __init__(self, channels_out: Channels) -> None:
        self.channels_out = channels_out

    def flush(self) -> Signal:
        return np.empty((0, len(self.channels_out)))

    def reset(self) -> None:
        return


class _Select(_Instant):
    def __init__(self, op: Mapping[str, Any], channels: Channels, path: str) -> None:
        wanted = _take(op, "channels", path)
        unknown = [name for name in wanted if name not in channels]
        if unknown or not wanted:
            raise _refuse(path, f"channels is {wanted}", f"some of {', '.join(channels)}")
        super().__init__(tuple(wanted))
        columns = [channels.index(name) for name in wanted]
        run = columns == list(range(columns[0], columns[0] + len(columns)))
        # A run of neighbours is a view; anything else is a copy.
        self._columns: Any = slice(columns[0], columns[0] + len(columns)) if run else np.array(columns)

    def push(self, x: Signal) -> Signal:
        return x[:, self._columns]


class _Affine(_Instant):
    """(x - shift) * factor, or (x - shift) / divisor: one rounding per step, as the desk computes it."""

    def __init__(self, channels: Channels, shift: Signal | None, factor: Signal, *, divide: bool) -> None:
        super().__init__(channels)
        self._shift, self._factor, self._divide = shift, factor, divide

    def push(self, x: Signal) -> Signal:
        shifted = x if self._shift is None else x - self._shift
        return shifted / self._factor if self._divide else shifted * self._factor


def _scale(op: Mapping[str, Any], channels: Channels, path: str) -> Operation:
    return _Affine(channels, None, _numbers(op, "factors", path, len(channels)), divide=False)


def _normalize(op: Mapping[str, Any], channels: Channels, path: str) -> Operation:
    std = _numbers(op, "std", path, len(channels))
    if not (std > 0).all():
        raise _refuse(path, f"std is {std.tolist()}", "above 0")
    return _Affine(channels, _numbers(op, "mean", path, len(channels)), std, divide=True)


class _Compand(_Instant):
    def __init__(self, op: Mapping[str, Any], channels: Channels, path: str) -> None:
        super().__init__(channels)
        gain = _numbers(op, "gain", path, len(channels))
        if (gain < 0).any():
            raise _refuse(path, f"gain is {gain.tolist()}", "0 or above")
        self._on = gain > 0
        self._gain = gain[self._on]

    def push(self, x: Signal) -> Signal:
        y = x.copy()
        y[:, self._on] = np.arcsinh(self._gain * x[:, self._on]) / np.arcsinh(self._gain)
        return y


class _Rectify(_Instant):
    def __init__(self, op: Mapping[str, Any], channels: Channels, path: str) -> None:
        super().__init__(channels)
        _only(op, (), path)

    def push(self, x: Signal) -> Signal:
        return np.abs(x)


class _Magnitude(_Instant):
    """Euclidean norms of groups of channels; only the norms come out, named `|x,y,z|`."""

    def __init__(self, op: Mapping[str, Any], channels: Channels, path: str) -> None:
        groups = _take(op, "groups", path)
        known = bool(groups) and all(group and set(group) <= set(channels) for group in groups)
        if not known:
            raise _refuse(path, f"groups is {groups}", f"one or more groups of {', '.join(channels)}")
        super().__init__(_distinct([f"|{','.join(group)}|" for group in groups]))
        self._groups = [[channels.index(name) for name in group] for group in groups]

    def push(self, x: Signal) -> Signal:
        y = np.zeros((len(x), len(self._groups)))
        for i, columns in enumerate(self._groups):
            for column in columns:  # one addend after the other: the same bits however the stream is cut
                y[:, i] += np.square(x[:, column])
        return np.sqrt(y, out=y)


class _Median3:
    """Beyond either end of a segment the signal counts as 0, as in scipy.signal.medfilt and MATLAB's medfilt1."""

    delay = 1

    def __init__(self, op: Mapping[str, Any], channels: Channels, path: str) -> None:
        _only(op, (), path)
        self.channels_out = channels
        self._two = np.zeros((2, len(channels)))
        self._started = False

    def push(self, x: Signal) -> Signal:
        y = median3(np.ascontiguousarray(x), self._two)
        if self._started or not len(x):
            return y
        self._started = True
        return y[1:]

    def flush(self) -> Signal:
        y = median3(np.zeros((1, len(self.channels_out))), self._two)
        return y if self._started else y[:0]

    def reset(self) -> None:
        self._two[:] = 0.0
        self._started = False


class _Sections(_Instant):
    """`sos` and `minus_lowpass`."""

    def __init__(self, op: Mapping[str, Any], channels: Channels, path: str) -> None:
        super().__init__(channels)
        self._subtract = op["op"] == "minus_lowpass"
        sos = np.array(_take(op, "sos", path), np.float64)
        if sos.ndim != 2 or sos.shape[1] != 6 or not np.isfinite(sos).all() or not (sos[:, 3] == 1.0).all():
            raise _refuse(path, f"sos has shape {list(sos.shape)}", "rows of six finite numbers b0 b1 b2 1 a1 a2")
        self._sos = sos
        self._state = np.zeros((len(sos), len(channels), 2))

    def push(self, x: Signal) -> Signal:
        y = sosfilt(np.ascontiguousarray(x), self._sos, self._state)
        return x - y if self._subtract else y

    def reset(self) -> None:
        self._state[:] = 0.0


class _Concat:
    def __init__(self, op: Mapping[str, Any], channels: Channels, path: str) -> None:
        parts = _take(op, "parts", path)
        self._parts = [_Chain(part, channels, f"{path}.parts[{i}]") for i, part in enumerate(parts)]
        delays = {part.delay for part in self._parts}
        if len(delays) != 1:
            raise _refuse(path, f"parts delay by {sorted(delays)} samples", "one or more parts of equal delay")
        self.delay = delays.pop()
        self.channels_out = _distinct([name for part in self._parts for name in part.channels_out])

    def push(self, x: Signal) -> Signal:
        return np.concatenate([part.push(x) for part in self._parts], axis=1)

    def flush(self) -> Signal:
        return np.concatenate([part.flush() for part in self._parts], axis=1)

    def reset(self) -> None:
        for part in self._parts:
            part.reset()


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any], Channels, str], Operation]] = {
    "select": _Select,
    "scale": _scale,
    "median3": _Median3,
    "sos": _Sections,
    "minus_lowpass": _Sections,
    "concat": _Concat,
    "compand": _Compand,
    "magnitude": _Magnitude,
    "normalize": _normalize,
    "rectify": _Rectify,
}


def _distinct(names: Sequence[str]) -> Channels:
    """Names of joined channels; the second `acc_x` is called `acc_x.2`, so that `select` can tell them apart."""
    seen: dict[str, int] = {}
    joined = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        joined.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return tuple(joined)


def _take(op: Mapping[str, Any], name: str, path: str) -> Any:
    _only(op, (name,), path)
    return op[name]


def _only(op: Mapping[str, Any], names: Sequence[str], path: str) -> None:
    if set(op) != {"op", *names}:
        raise _refuse(path, f"{op['op']} holds {sorted(set(op) - {'op'})}", f"given {' and '.join(names) or 'nothing'}")


def _numbers(op: Mapping[str, Any], name: str, path: str, count: int) -> Signal:
    names = ("mean", "std") if op["op"] == "normalize" else (name,)
    _only(op, names, path)
    values = np.array(op[name], np.float64)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise _refuse(path, f"{name} is {op[name]}", f"{count} finite numbers, one per channel")
    return values


def _refuse(path: str, found: str, wanted: str) -> InputError:
    return InputError(
        f"manifest.json: {path}: {found}, must be {wanted}",
        reason=Reason.VALUE,
        hint="write the bundle again (edgehar train), or fetch it again if it came from elsewhere",
    )
