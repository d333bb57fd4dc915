"""Format `csi-npz`: channel state recordings in .npz files; the two layouts are in docs/formats.md.

Frames of (real, imaginary) per subcarrier become channels `sc-26.re`, `sc-26.im`, ...; amplitudes become
`sc-27.amp`, .... The frames keep their own, uneven times.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.npz_file import NpzFile
from edgehar.datasets.npz_layout import NUMBERS, TEXT, WHOLE, Layout, Member, check_layout, check_range
from edgehar.datasets.session import About, ImportOptions, Session, Source
from edgehar.errors import InputError, Reason
from edgehar.recording import Label
from edgehar.types import Flag, IntArray, StreamSpec

TIMES = ("t_us", "local_timestamp_us")
AUX = {"rssi": "rssi_dbm", "sig_mode": "sig_mode"}
AMPLITUDE_SCALE = 1 / 64  # member amp_n64 is the amplitude by the frame's mean, times 64
IQ_LAYOUT: Layout = MappingProxyType(
    {
        "iq": Member(WHOLE, ("frames", "subcarriers", 2)),
        "subcarrier": Member(WHOLE, ("subcarriers",), optional=True),
        **{name: Member(WHOLE, ("frames",), optional=True) for name in (*TIMES, *AUX, "seq")},
        "label_names": Member(TEXT, ("labels",)),
        "rec_name": Member(TEXT, ("recordings",)),
        "rec_label": Member(WHOLE, ("recordings",)),
        "rec_offset": Member(WHOLE, ("edges",)),
        **{f"rec_{name}": Member(TEXT, ("recordings",), optional=True) for name in ("date", "split", "start")},
        **{f"rec_{name}": Member(WHOLE, ("recordings",), optional=True) for name in ("session", "day")},
    }
)
AMPLITUDE_LAYOUT: Layout = MappingProxyType(
    {
        "amp_n64": Member(WHOLE, ("takes", "frames", "subcarriers")),
        "frame_mean_amp": Member(NUMBERS, ("takes", "frames")),
        "subcarrier": Member(WHOLE, ("subcarriers",)),
        "duration_s": Member(NUMBERS, ("takes",)),
        "label_names": Member(TEXT, ("labels",)),
        "name": Member(TEXT, ("takes",)),
        **{name: Member(WHOLE, ("takes",)) for name in ("label", "user", "room")},
    }
)
LICENCE = "none given by the authors; evaluation only"


def open_csi_npz(path: Path, options: ImportOptions) -> Source:
    """One recording per take. The subject is the user where the file names one, else "1"."""
    file = NpzFile(path)
    if "iq" in file:
        return _open_iq(file, options)
    if "amp_n64" in file:
        return _open_amplitude(file, options)
    raise InputError(
        f"{path}: it has neither a member 'iq' nor 'amp_n64' (it has {', '.join(file)})",
        reason=Reason.FORMAT,
        hint="docs/formats.md describes the two layouts",
    )


def _spec(channels: tuple[str, ...], rate_hz: float) -> StreamSpec:
    return StreamSpec("csi", channels, rate_hz, ("1",) * len(channels), axes="")


def _about(file: NpzFile, options: ImportOptions) -> About:
    return About(
        name=options.name or file.path.stem,
        format="csi-npz",
        labels=file.texts("label_names"),
        licence=LICENCE,
        source=file.path.name,
    )


def _open_iq(file: NpzFile, options: ImportOptions) -> Source:
    sizes = check_layout(file, IQ_LAYOUT)
    check_range(file, "rec_label", 0, sizes["labels"])
    offset = file["rec_offset"].astype(np.int64)
    edges = offset.tolist()
    rising = all(a <= b for a, b in pairwise(edges))
    if len(edges) != sizes["recordings"] + 1 or not rising or (edges[0], edges[-1]) != (0, sizes["frames"]):
        raise file.refuse(
            f"its member 'rec_offset' must be {sizes['recordings'] + 1} rising numbers from 0 to {sizes['frames']}: "
            f"where each of the {sizes['recordings']} recordings begins, and where the last one ends"
        )
    time = next((name for name in TIMES if name in file), TIMES[0])
    t_ns = _unwrapped_ns(file[time].astype(np.uint32), offset)
    carriers = file["iq"].shape[1]
    subcarriers = file["subcarrier"].tolist() if "subcarrier" in file else [*range(-26, 0), *range(1, 27)]
    if len(subcarriers) != carriers:
        raise InputError(
            f"{file.path}: iq has {carriers} subcarriers, {len(subcarriers)} are named",
            reason=Reason.SHAPE,
            hint="docs/formats.md describes the layout",
        )
    channels = tuple(f"sc{number:+d}.{part}" for number in subcarriers for part in ("re", "im"))
    spec = _spec(channels, options.rate_hz or _rate_hz(t_ns, offset))
    return Source(_about(file, options), _iq_sessions(file, spec, t_ns, offset), len(offset) - 1)


def _unwrapped_ns(t_us: NDArray[np.uint32], offset: IntArray) -> IntArray:
    """Microseconds of a 32-bit counter as nanoseconds since each recording's first frame, across its wrap."""
    steps = np.diff(t_us, prepend=t_us[:1]).astype(np.int64)  # modulo 2^32, as uint32 subtracts
    since: IntArray = np.cumsum(steps)
    begin = np.repeat(since[offset[:-1]], np.diff(offset))
    return (since - begin) * 1000


def _rate_hz(t_ns: IntArray, offset: IntArray) -> float:
    """From the median step within the recordings, to a whole number; frames lost to bursts and gaps do not count."""
    steps_ns = np.diff(t_ns)
    steps_ns[offset[1:-1] - 1] = 0  # from one recording to the next
    rising = steps_ns[steps_ns > 0]
    return float(max(1.0, np.round(1e9 / np.median(rising)))) if len(rising) else 1.0


def _iq_sessions(file: NpzFile, spec: StreamSpec, t_ns: IntArray, offset: IntArray) -> Iterator[Session]:
    iq = file["iq"]
    names, titles = file.texts("label_names"), file.texts("rec_name")
    codes = file["rec_label"].tolist()
    aux = {ours: file[theirs] for theirs, ours in AUX.items() if theirs in file}
    counter = file["seq"].astype(np.int64) if "seq" in file else None
    environments = _environments(file, len(codes))
    extras = {
        key: file[f"rec_{key}"].tolist() for key in ("session", "day", "split", "date", "start") if f"rec_{key}" in file
    }
    for number, title in enumerate(titles):
        part = slice(int(offset[number]), int(offset[number + 1]))
        count = part.stop - part.start
        t_part = t_ns[part]
        yield Session(
            subject="1",
            name=f"{number:03d}-{Path(title).stem}",
            spec=spec,
            t_ns=t_part,
            seq=np.arange(count) if counter is None else counter[part] - counter[part.start],
            x=iq[part].reshape(count, -1).astype(np.float32),
            labels=_whole(t_part, names[codes[number]], spec.rate_hz),
            environment=environments[number],
            aux={name: values[part] for name, values in aux.items()},
            extra={key: str(values[number]) for key, values in extras.items()} | {"file": title},
        )


def _environments(file: NpzFile, count: int) -> list[str]:
    """Days, because a receiver that was set up anew is another environment; months where only dates are known."""
    if "rec_day" in file:
        return [f"day{day}" for day in file["rec_day"].tolist()]
    if "rec_date" in file:
        return [date[:7] for date in file.texts("rec_date")]
    return [""] * count


def _open_amplitude(file: NpzFile, options: ImportOptions) -> Source:
    sizes = check_layout(file, AMPLITUDE_LAYOUT)
    check_range(file, "label", 0, sizes["labels"])
    if not (file["duration_s"] > 0).all():
        raise file.refuse("its member 'duration_s' must be above 0 everywhere")
    channels = tuple(f"sc{int(number):+d}.amp" for number in file["subcarrier"])
    takes, frames = file["amp_n64"].shape[:2]
    rates = frames / file["duration_s"].astype(np.float64)
    spec = _spec(channels, options.rate_hz or float(np.round(np.median(rates))))
    return Source(_about(file, options), _amplitude_sessions(file, spec), takes)


def _amplitude_sessions(file: NpzFile, spec: StreamSpec) -> Iterator[Session]:
    amplitude, mean = file["amp_n64"], file["frame_mean_amp"].astype(np.float32)
    names, titles = file.texts("label_names"), file.texts("name")
    codes, users, rooms = file["label"].tolist(), file["user"].tolist(), file["room"].tolist()
    for number, (title, seconds) in enumerate(zip(titles, file["duration_s"].tolist(), strict=True)):
        frames = amplitude[number]
        t_ns = np.round(np.arange(len(frames)) * (seconds * 1e9 / len(frames))).astype(np.int64)
        # Short takes were filled up with their last frame.
        moved = np.flatnonzero((frames != frames[-1]).any(axis=1) | (mean[number] != mean[number, -1]))
        flags = np.zeros(len(frames), np.uint16)
        flags[(int(moved[-1]) + 2 if len(moved) else 1) :] = Flag.SYNTHETIC
        yield Session(
            subject=str(users[number]),
            name=f"{number:03d}-{Path(title).stem}",
            spec=spec,
            t_ns=t_ns,
            seq=np.arange(len(frames)),
            x=(frames * np.float32(AMPLITUDE_SCALE)).astype(np.float32),
            labels=_whole(t_ns, names[codes[number]], spec.rate_hz),
            environment=f"room{rooms[number]}",
            flags=flags,
            aux={"frame_mean_amp": mean[number]},
            extra={"file": title},
        )


def _whole(t_ns: IntArray, name: str, rate_hz: float) -> tuple[Label, ...]:
    return (Label(int(t_ns[0]), int(t_ns[-1] + 0.5e9 / rate_hz), name),)
