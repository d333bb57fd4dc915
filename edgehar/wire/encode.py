"""The board's side in Python: every message as the bytes that a board would send, delimiters included."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.wire.envelope import wrap
from edgehar.wire.frames import UNKNOWN_SEQ, CsiFrames
from edgehar.wire.imu_encode import coded_text, imu_payload
from edgehar.wire.layouts import layout_named
from edgehar.wire.messages import BoardModel, CsiFlag, Decision, Heartbeat, Hello, ImuSamples, LogLine, Reply
from edgehar.wire.schema import schema

_SAME = ("agc_gain", "fft_gain", "rssi_dbm", "noise_floor_dbm", "channel", "secondary", "sig_mode", "bandwidth", "stbc")


def encode_hello(hello: Hello) -> bytes:
    """Raises InputError where a text does not fit its field."""
    kind = schema().kinds["hello"]
    room = {field.name: field.size_bytes for field in kind.fields if field.array}
    head = (
        hello.boot,
        hello.t_us,
        coded_text("chip", hello.chip, room["chip"]),
        coded_text("firmware", hello.firmware, room["firmware"]),
        coded_text("name", hello.name, room["name"]),
        hello.role,
        hello.csi,
        hello.flags,
        hello.link,
        hello.baud,
        hello.rate_hz,
        hello.channel,
        hello.secondary,
        bytes(hello.layouts[: room["layouts"]]),
    )
    return wrap(kind.id, kind.struct.pack(*head, *astuple(hello.counters)))


def encode_heartbeat(beat: Heartbeat) -> bytes:
    """One heartbeat."""
    kind = schema().kinds["heartbeat"]
    return wrap(kind.id, kind.struct.pack(beat.boot, beat.t_us, beat.flags, *astuple(beat.counters)))


def encode_csi(frames: CsiFrames, *, boot: int) -> list[bytes]:
    """One wire frame for each of `frames`, as the start numbered `boot` of a board sends them.

    Raises InputError where the frames carry no rx_seq, or values that their layout cannot have.
    """
    layout = layout_named(frames.layout)
    if frames.iq.shape[1] != layout.values or (frames.meta["rx_seq"] == UNKNOWN_SEQ).any():
        raise InputError(
            f"{frames.layout}: {frames.iq.shape[1]} values, rx_seq {frames.meta['rx_seq'].min(initial=0)}",
            reason=Reason.VALUE,
            hint=f"give {layout.values} values a frame and a running number for each",
        )
    kind = schema().kinds["csi"]
    meta, head = frames.meta, np.zeros(len(frames), kind.dtype)
    numbered = meta["tx_seq"] != UNKNOWN_SEQ
    head["boot"] = boot & 0xFFFF
    head["rx_seq"] = meta["rx_seq"] & 0xFFFFFFFF
    head["tx_seq"] = np.where(numbered, meta["tx_seq"], 0) & 0xFFFFFFFF
    head["t_us"], head["mac_hash"], head["layout"] = meta["t_us"], meta["mac_hash"], layout.id
    for name in _SAME:
        head[name] = meta[name]
    head["flags"] = numbered * CsiFlag.NUMBERED + meta["first_word_invalid"] * CsiFlag.FIRST_WORD_INVALID
    values = narrow(frames.iq, layout.bits)
    return [wrap(kind.id, head[i].tobytes() + values[i].tobytes()) for i in range(len(frames))]


def encode_imu(samples: ImuSamples) -> bytes:
    """Consecutive samples in one frame."""
    return wrap(*imu_payload(samples))


def encode_log(boot: int, text: str, *, level: int = 3) -> bytes:
    """One line of log; level as in messages.toml."""
    return wrap(*imu_payload(LogLine(boot, level, text)))


def encode_decision(decision: Decision) -> bytes:
    """What a model on the board made of its frames."""
    kind = schema().kinds["decision"]
    label = 255 if decision.label is None else decision.label
    head = kind.struct.pack(
        decision.boot,
        decision.rx_seq & 0xFFFFFFFF,
        decision.t_us & 0xFFFFFFFF,
        decision.model,
        label,
        decision.certainty,
    )
    return wrap(kind.id, head + decision.logits.astype("<f4", copy=False).tobytes())


def encode_model(model: BoardModel) -> bytes:
    """Which model decides on the board, and whether it keeps up."""
    kind = schema().kinds["model"]
    return wrap(kind.id, kind.struct.pack(*astuple(model)))


def encode_reply(reply: Reply) -> bytes:
    """The answer to a command."""
    return wrap(*imu_payload(reply))


def narrow(iq: NDArray[np.int16], bits: int) -> NDArray[np.int8] | NDArray[np.int16]:
    """Values as wide as the wire carries them; InputError where one does not fit into `bits`."""
    limit = 1 << (bits - 1)
    if iq.size and (int(iq.min()) < -limit or int(iq.max()) >= limit):
        raise InputError(
            f"CSI values {iq.min()} to {iq.max()} in a layout of {bits} bits",
            reason=Reason.VALUE,
            hint=f"clip them to {-limit}..{limit - 1}, as the chip does",
        )
    return iq.astype("i1") if bits <= 8 else iq.astype("<i2", copy=False)
