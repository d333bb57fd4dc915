"""What a board says comes out as it went in; what it cannot have said is counted by cause."""

import dataclasses

import numpy as np
import pytest

from edgehar.errors import InputError, UsageError
from edgehar.wire import messages
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.command import encode_command
from edgehar.wire.encode import (
    encode_csi,
    encode_decision,
    encode_heartbeat,
    encode_hello,
    encode_imu,
    encode_log,
    encode_model,
    encode_reply,
)
from edgehar.wire.envelope import wrap
from edgehar.wire.frames import FRAME, Cause, Loss
from edgehar.wire.layouts import load_layouts
from edgehar.wire.messages import (
    BoardFlag,
    BoardModel,
    Counters,
    Decision,
    Heartbeat,
    Hello,
    ImuSamples,
    Link,
    Reply,
    ReplyStatus,
)
from edgehar.wire.schema import schema
from tests.wire_frames import HT40, csi_frames, decode, numbers, wire

HELLO = Hello(
    boot=1,
    t_us=2**40 + 5,
    chip="esp32s3",
    firmware="0.5.0",
    name="küche",
    flags=BoardFlag.RUNNING | BoardFlag.SALTED,
    link=Link.USB,
    baud=921_600,
    rate_hz=200,
    channel=6,
    secondary=2,
    layouts=(14, 11),
    counters=Counters(1, 2, 3, 4, 5, 6, 7),
)


def beat(next_seq, dropped_ring=0, boot=1, t_us=0):
    return encode_heartbeat(Heartbeat(boot, t_us, counters=Counters(next_seq, dropped_ring)))


@pytest.mark.parametrize("layout", load_layouts())
def test_frames_of_every_layout_come_out_as_they_went_in(layout):
    sent = csi_frames(5, layout=layout, first=2**32 - 2)
    decoder = FrameDecoder()
    (got,) = decode(decoder, b"".join(encode_csi(sent, boot=7)))
    assert got.layout == layout
    assert got.iq.dtype == np.int16
    assert np.array_equal(got.iq, sent.iq)
    for name in FRAME.names:
        sent_values = sent.meta[name] % 2**32 if name == "tx_seq" else sent.meta[name]
        assert np.array_equal(got.meta[name], sent_values, equal_nan=name == "host_s"), name
    assert decoder.counts == {"frames": 5}


def test_a_frame_of_384_values_keeps_its_budget_on_the_wire():
    dense = csi_frames(1)
    dense.iq[:] = 1  # no zero anywhere: the most that COBS can add
    assert len(encode_csi(dense, boot=1)[0]) <= 440


def test_messages_come_out_as_they_went_in():
    decoder = FrameDecoder()
    beat_ = Heartbeat(1, 2**35, BoardFlag.SIMULATED, Counters(9, 2))
    reply = Reply(1, 77, ReplyStatus.BAD_ARGUMENT, "rate 100000")
    decision = Decision(1, 5, 6, 0xABCDEF, 2, 0, np.float32([0.5, -1.25, 3.0]))
    imu = ImuSamples(1, 40, 1000, 10_000, 8, 2000, np.arange(-12, 12, dtype=np.int16).reshape(4, 6))
    stream = encode_hello(HELLO) + encode_heartbeat(beat_) + encode_reply(reply) + encode_log(1, "läuft\x1b[2J")
    model = BoardModel(1, 2**36, 0xABCDEF, 14, 0xC0FFEE, 300, 4, 5, 6)
    decode(decoder, stream + encode_decision(decision) + encode_imu(imu) + encode_model(model), 7)
    assert decoder.hello == HELLO
    assert decoder.heartbeat == beat_
    assert decoder.simulated
    assert list(decoder.replies) == [reply]
    assert list(decoder.log) == ["läuft?[2J"]
    assert decoder.model == model
    assert decoder.decisions[0].label == 2
    assert np.array_equal(decoder.decisions[0].logits, decision.logits)
    assert np.array_equal(decoder.imu[0].x, imu.x)
    assert dataclasses.replace(decoder.imu[0], x=imu.x) == dataclasses.replace(imu, x=imu.x)
    assert not decoder.counts


def test_python_s_messages_are_those_of_the_schema():
    own = {"hello": Hello, "heartbeat": Heartbeat, "reply": Reply, "decision": Decision, "imu": ImuSamples}
    own |= {"model": BoardModel}
    totals = [field.name for field in schema().counters]
    assert [field.name for field in dataclasses.fields(Counters)] == totals
    for name, cls in own.items():
        fields = [field.name for field in schema().kinds[name].fields if field.name not in totals]
        mine = [field.name for field in dataclasses.fields(cls)]
        assert mine[: len(fields) - 2] == fields[: len(fields) - 2], name
    for flags, enum in (("board", messages.BoardFlag), ("csi", messages.CsiFlag)):
        assert {name.upper(): bit for name, bit in schema().flags[flags].items()} == dict(enum.__members__)


def test_log_text_between_frames_is_kept_apart_and_costs_no_frame():
    frames = wire(3)
    boot = b"ESP-ROM:esp32s3-20210327\r\n\x1b[0;32mI (24) boot: ok\x1b[0m\r\n"
    decoder = FrameDecoder()
    runs = decode(decoder, boot + frames[0] + b"W (9) wifi: busy\n" + frames[1] + frames[2], 11)
    assert numbers(runs) == [0, 1, 2]
    assert decoder.counts == {"frames": 3, Cause.LOG: len(boot) + 17}
    assert list(decoder.log) == ["ESP-ROM:esp32s3-20210327", "?[0;32mI (24) boot: ok?[0m", "W (9) wifi: busy"]
    assert not decoder.losses


def test_a_board_that_only_prints_text_is_all_log_in_bounded_memory():
    decoder = FrameDecoder()
    for _ in range(3000):
        assert decoder.push(b"CSI_DATA,0,1a:00:00:00:00:00,-30,11\n" * 20) == []
    assert len(decoder.log) == 1000
    assert decoder._cutter.held_bytes < 5000
    decoder.finish()
    assert decoder.counts == {Cause.LOG: 3000 * 20 * 36}


def test_bytes_without_end_are_counted_once_and_the_next_frame_is_found():
    decoder = FrameDecoder()
    assert numbers(decode(decoder, b"\0" + b"\xf7" * 100_000 + wire()[0], 333)) == [0]
    assert decoder.counts == {"frames": 1, Cause.OVERLONG: 1}


def test_a_stream_entered_or_left_in_mid_frame_says_so():
    one, two, three = wire(3)
    decoder = FrameDecoder()
    assert numbers(decode(decoder, one[200:] + two + three[:100])) == [1]
    assert decoder.counts == {"frames": 1, Cause.TRUNCATED: 2}


def test_a_last_frame_without_its_delimiter_counts():
    decoder = FrameDecoder()
    assert numbers(decode(decoder, wire()[0][:-1])) == [0]


def csi_payload(**fields):
    kind = schema().kinds["csi"]
    head = np.zeros((), kind.dtype)
    for name, value in {"layout": 14, "channel": 6, **fields}.items():
        head[name] = value
    return head.tobytes()


@pytest.mark.parametrize(
    ("framed", "cause"),
    [
        (wrap(200, b"abc"), Cause.KIND),
        (wrap(3, b"short"), Cause.LENGTH),
        (wrap(2, bytes(schema().kinds["heartbeat"].head_bytes + 1)), Cause.LENGTH),
        (wrap(3, csi_payload(layout=250) + bytes(384)), Cause.LAYOUT),
        (wrap(3, csi_payload(layout=0) + bytes(384)), Cause.VALUE),
        (wrap(3, csi_payload() + bytes(382)), Cause.LENGTH),
        (wrap(3, csi_payload(secondary=3) + bytes(384)), Cause.VALUE),
        (wrap(3, csi_payload(bandwidth=2) + bytes(384)), Cause.VALUE),
        (wrap(3, csi_payload(layout=31) + bytes(210) + b"\x00\x08"), Cause.VALUE),  # 2048 in 12 bits
        (wrap(4, bytes(19)), Cause.VALUE),
    ],
)
def test_a_sound_envelope_around_nonsense_is_refused(framed, cause):
    decoder = FrameDecoder()
    assert decode(decoder, b"\0" + framed) == []
    assert decoder.counts == {cause: 1}


def test_runs_are_cut_where_the_layout_changes():
    decoder = FrameDecoder()
    stream = b"".join(wire(2) + wire(3, first=2, layout="classic-below-lltf") + wire(1, first=5))
    runs = decoder.push(stream)
    assert [(run.layout, len(run)) for run in runs] == [(HT40, 2), ("classic-below-lltf", 3), (HT40, 1)]


def test_losses_reach_from_the_stream_to_the_account():
    frames = wire(20)
    damaged = frames[5][:50] + b"\x55" + frames[5][51:]
    stream = beat(0) + b"".join(frames[:5]) + damaged + b"".join(frames[8:12]) + beat(14, 2)
    decoder = FrameDecoder()
    decode(decoder, stream)
    assert decoder.counts["frames"] == 9
    assert decoder.losses == {Loss.RING: 2, Loss.LINK: 3}


def test_a_reboot_resets_numbers_and_clock_without_a_loss():
    decoder = FrameDecoder()
    stream = (
        beat(0)
        + b"".join(wire(3, first=0))
        + beat(3)
        + encode_hello(dataclasses.replace(HELLO, boot=2, counters=Counters()))
    )
    runs = decode(decoder, stream + b"".join(wire(2, boot=2)) + beat(2, boot=2))
    assert [(run.boot, numbers([run])) for run in runs] == [(0, [0, 1, 2]), (1, [0, 1])]
    assert decoder.boots == 1
    assert not decoder.losses


@pytest.mark.parametrize("first", [0, 900])
def test_a_reboot_is_seen_from_frames_alone(first):
    decoder = FrameDecoder()
    runs = decode(decoder, b"".join(wire(2, first=100) + wire(2, first=first, boot=2)))
    assert [(run.boot, numbers([run])) for run in runs] == [(0, [100, 101]), (1, [first, first + 1])]
    assert not decoder.losses


def test_numbers_that_step_back_are_a_restart_too():
    decoder = FrameDecoder()
    runs = decode(decoder, b"".join(wire(2, first=100) + wire(2, first=50)))
    assert [run.boot for run in runs] == [0, 1]


def test_rx_seq_goes_on_past_32_bits():
    decoder = FrameDecoder()
    assert numbers(decode(decoder, b"".join(wire(4, first=2**32 - 2)))) == [2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1]


def test_frames_that_cannot_be_sent_are_refused():
    unnumbered, large = csi_frames(1), csi_frames(1)
    unnumbered.meta["rx_seq"] = -1
    large.iq[0, 0] = 128
    for frames in (unnumbered, large):
        with pytest.raises(InputError) as refused:
            encode_csi(frames, boot=1)
        assert refused.value.hint
    with pytest.raises(InputError, match="name"):
        encode_hello(dataclasses.replace(HELLO, name="x" * 33))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("start",), b"start\n"),
        (("rate", 100), b"rate 100\n"),
        (("channel", 11), b"channel 11\n"),
        (("channel", 11, "above"), b"channel 11 above\n"),
        (("gain", "lock"), b"gain lock\n"),
    ],
)
def test_commands_are_lines(arguments, line):
    assert encode_command(*arguments) == line
    assert encode_command(*arguments, id=9) == b"#9 " + line


@pytest.mark.parametrize(
    "arguments", [("explode",), ("rate",), ("rate", 2001), ("rate", "fast"), ("channel", 6, "left"), ("start", 1)]
)
def test_commands_that_a_board_would_refuse_are_refused_before(arguments):
    with pytest.raises(UsageError) as refused:
        encode_command(*arguments)
    assert refused.value.hint
