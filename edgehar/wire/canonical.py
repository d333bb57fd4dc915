"""From frames as the chip gave them to a stream: one channel a subcarrier and part, nulls and garbage left out.

Channels are named `sc-26.re`, `sc-26.im`, ... in ascending order of subcarrier, whatever order the chip prints; form
"amp" has `sc-26.amp`, .... A subcarrier that a frame does not tell is NaN there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import ContractError, Reason, UsageError
from edgehar.types import Chunk, FlagArray, FloatArray, IntArray, StreamSpec
from edgehar.wire.frames import CsiFrames
from edgehar.wire.layouts import INVALID_PAIRS, Layout, layout_named

FORMS = {"iq": ("re", "im"), "amp": ("amp",)}


def csi_spec(
    layout: str | Layout,
    field: str,
    rate_hz: float,
    form: str = "iq",
    *,
    first_word_invalid: bool = True,
    session_id: str = "",
    simulated: bool = False,
) -> StreamSpec:
    """The stream that frames of `layout` make: the valid subcarriers of `field`.

    first_word_invalid leaves out what an invalid first word would take (subcarrier 1 of layouts that begin at 0);
    false where the receiver says that its first word holds.
    """
    if form not in FORMS:
        raise UsageError(
            f"there is no form {form} of CSI", reason=Reason.UNKNOWN_NAME, hint=f"choose from: {', '.join(FORMS)}"
        )
    row = layout_named(layout) if isinstance(layout, str) else layout
    subcarriers = row.subcarriers(field, first_word_invalid=first_word_invalid)
    channels = tuple(f"sc{number:+d}.{part}" for number in subcarriers for part in FORMS[form])
    return StreamSpec(
        "csi",
        channels,
        rate_hz,
        ("1",) * len(channels),
        axes="",
        session_id=session_id,
        simulated=simulated,
    )


def to_chunk(
    frames: CsiFrames,
    spec: StreamSpec,
    field: str,
    t_dev_ns: IntArray,
    t_host_ns: IntArray,
    seq: IntArray,
    flags: FlagArray,
) -> Chunk:
    """Frames as samples of `spec`, which `csi_spec` made; times, running numbers and flags [n] are the caller's.

    A ContractError where the frames' layout lacks a subcarrier of the spec in that field.
    """
    pairs, parts, lost = _columns(frames.layout, field, spec.channels)
    x = _VALUES[parts](frames.iq, pairs)
    meta = frames.meta
    if lost.any() and meta["first_word_invalid"].any():
        x[np.ix_(meta["first_word_invalid"], lost)] = np.nan
    aux = {
        name: np.ascontiguousarray(meta[name])
        for name in ("rssi_dbm", "agc_gain", "fft_gain", "noise_floor_dbm", "channel", "mac_hash", "tx_seq")
    }
    aux["layout_id"] = np.full(len(meta), layout_named(frames.layout).id, np.uint8)
    return Chunk(spec, t_dev_ns, t_host_ns, seq, x, flags, aux)


def _iq(iq: NDArray[np.int16], pairs: IntArray) -> FloatArray:
    """[n, 2 p]: real and imaginary part of each pair; the chip gives the imaginary one first."""
    columns = np.stack([2 * pairs + 1, 2 * pairs], axis=1).ravel()
    return iq[:, columns].astype(np.float32)


def _amplitude(iq: NDArray[np.int16], pairs: IntArray) -> FloatArray:
    """[n, p] = sqrt(re^2 + im^2), exact in float64 before it is rounded once."""
    re, im = iq[:, 2 * pairs + 1].astype(np.float64), iq[:, 2 * pairs].astype(np.float64)
    return np.sqrt(re * re + im * im).astype(np.float32)


_VALUES: dict[str, Callable[..., FloatArray]] = {"re": _iq, "amp": _amplitude}


@cache
def _columns(layout: str, field: str, channels: tuple[str, ...]) -> tuple[IntArray, str, NDArray[np.bool_]]:
    """Pairs [p] of the channels' subcarriers, the first channel's part, which channels [c] the first word takes."""
    row = layout_named(layout)
    found = row.field(field)
    at = {subcarrier: found.first_pair + i for i, subcarrier in enumerate(found.order)}
    parts = tuple(dict.fromkeys(channel.rpartition(".")[2] for channel in channels))
    numbers = [int(channel.removeprefix("sc").partition(".")[0]) for channel in channels[:: len(parts)]]
    missing = [f"sc{number:+d}" for number in numbers if number not in at]
    if missing or parts not in FORMS.values():
        raise ContractError(
            f"layout {layout}, field {field}, has no channels {', '.join(missing) or ', '.join(parts)}",
            reason=Reason.CONTRACT,
            hint="make the stream's spec with csi_spec from a layout and field that the frames have",
        )
    pairs = np.array([at[number] for number in numbers], np.int64)
    return pairs, parts[0], np.repeat(pairs < INVALID_PAIRS, len(parts))
