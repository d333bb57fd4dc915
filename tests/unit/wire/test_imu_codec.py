"""What a tag says comes out as it went in, over the air and over a cable; anything else is counted by cause."""

import dataclasses
import struct

import numpy as np
import pytest

from edgehar.errors import InputError, UsageError
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.command import encode_command
from edgehar.wire.encode import encode_csi, encode_hello
from edgehar.wire.envelope import unwrap, wrap
from edgehar.wire.frames import Cause
from edgehar.wire.imu_codec import ImuDecoder, ImuFrameDecoder
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import Hello, ImuHeartbeat, ImuHello, LogLine
from edgehar.wire.packet import unwrap_packet, wrap_packet
from edgehar.wire.schema import schema
from tests.wire_frames import csi_frames
from tests.wire_imu import IMU_HEARTBEAT, IMU_HELLO, imu_messages, imu_samples, same

KINDS = schema().kinds


@pytest.mark.parametrize("message", imu_messages(), ids=lambda message: type(message).__name__)
def test_a_packet_comes_out_as_it_went_in(message):
    decoder = ImuDecoder()
    packet = wrap_packet(*imu_payload(message))
    assert packet[0] == schema().version
    assert same(decoder.push_packet(packet), message)
    assert decoder.counts == {"packets": 1}


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_frames_of_a_cable_come_out_in_order_however_they_are_cut(size):
    sent = imu_messages()
    stream = b"ESP-ROM:esp32s3\r\n" + b"".join(wrap(*imu_payload(message)) for message in sent)
    decoder = ImuFrameDecoder()
    got = [message for at in range(0, len(stream), size) for message in decoder.push(stream[at : at + size])]
    got += decoder.finish()
    assert len(got) == len(sent)
    assert all(map(same, got, sent))
    assert decoder.counts == {"frames": len(sent), Cause.LOG: 17}
    assert list(decoder.log) == ["ESP-ROM:esp32s3"]
    assert decoder.damaged == 0


def test_a_damaged_frame_is_counted_and_costs_no_other():
    one, two, three = (wrap(*imu_payload(imu_samples(seq=seq))) for seq in (0, 4, 8))
    two = two[:30] + bytes([two[30] ^ 1 or 3]) + two[31:]
    decoder = ImuFrameDecoder()
    assert [message.seq for message in decoder.push(one + two + three)] == [0, 8]
    assert decoder.damaged == 1
    assert sum(decoder.counts.values()) == 3


def head(name, **changes):
    """A payload's head of zeros, but for `changes`."""
    raw = np.zeros((), KINDS[name].dtype)
    for field, value in changes.items():
        raw[field] = value
    return raw.tobytes()


@pytest.mark.parametrize(
    ("packet", "cause"),
    [
        (b"", Cause.LENGTH),
        (b"\x01", Cause.LENGTH),
        (bytes([1, 4]) + bytes(1101), Cause.LENGTH),
        (bytes([2, 4]) + bytes(30), Cause.VERSION),
        (bytes([1, 77]), Cause.KIND),
        (bytes([1, 4]), Cause.LENGTH),
        (wrap_packet(4, head("imu", period_us=1, channels=6, samples=2) + bytes(23)), Cause.LENGTH),
        (wrap_packet(4, head("imu", period_us=0, channels=6, samples=2) + bytes(24)), Cause.VALUE),
        (wrap_packet(4, head("imu", period_us=1, channels=0, samples=2)), Cause.VALUE),
        (wrap_packet(4, head("imu", period_us=1, channels=6, samples=0)), Cause.VALUE),
        (wrap_packet(8, head("imu_hello", rate_hz=100, channels=5)), Cause.VALUE),
        (wrap_packet(8, head("imu_hello", rate_hz=100, channels=6, axes=24)), Cause.VALUE),
        (wrap_packet(8, head("imu_hello", rate_hz=0, channels=6)), Cause.VALUE),
        (wrap_packet(9, head("imu_heartbeat", flags=16)), Cause.VALUE),
        (wrap_packet(9, head("imu_heartbeat") + b"\0"), Cause.LENGTH),
        (wrap_packet(7, struct.pack("<HHB", 1, 1, 5)), Cause.VALUE),
    ],
)
def test_what_a_tag_cannot_have_sent_is_refused_by_cause(packet, cause):
    decoder = ImuDecoder()
    assert decoder.push_packet(packet) is cause
    assert decoder.counts == {cause: 1}


def test_kinds_of_a_csi_board_are_none_of_a_tag():
    decoder, cable = ImuDecoder(), ImuFrameDecoder()
    hello = encode_hello(Hello(1, 2, "esp32s3", "0.6.0", "x"))
    (csi,) = encode_csi(csi_frames(1), boot=1)
    for framed in (hello, csi):
        assert decoder.push_packet(wrap_packet(*unwrap(framed[1:-1]))) is Cause.KIND
        assert cable.push(framed) == []
    assert cable.counts == {Cause.KIND: 2}


def test_a_csi_port_knows_a_tag_when_it_hears_one():
    decoder = FrameDecoder()
    for message in imu_messages():
        assert decoder.push(wrap(*imu_payload(message))) == []
    assert decoder.tag == IMU_HELLO
    assert decoder.hello is None
    assert list(decoder.log) == ["FIFO über"]
    assert not decoder.counts


def test_running_numbers_are_sent_modulo_their_width():
    _, payload = imu_payload(dataclasses.replace(imu_samples(seq=2**32 + 3), t_us=2**40 + 9))
    assert struct.unpack_from("<HII", payload) == (7, 3, 9)


@pytest.mark.parametrize(
    "message",
    [
        dataclasses.replace(IMU_HELLO, name="x" * 33),
        dataclasses.replace(IMU_HELLO, sensor="a\0b"),
        dataclasses.replace(IMU_HELLO, rate_hz=70_000),
        dataclasses.replace(IMU_HEARTBEAT, battery_percent=256),
        imu_samples(256),
    ],
)
def test_what_does_not_fit_its_field_is_refused_with_a_hint(message):
    with pytest.raises(InputError) as refused:
        imu_payload(message)
    assert refused.value.hint


def test_a_long_text_is_cut_between_characters():
    _, payload = imu_payload(LogLine(1, 3, "ß" * 2000))
    assert len(payload) <= schema().max_payload_bytes
    found = ImuDecoder().push_packet(wrap_packet(5, payload))
    assert set(found.text) == {"ß"}


def test_packets_are_bounded_as_payloads_are():
    with pytest.raises(ValueError, match="1100"):
        wrap_packet(4, bytes(1101))
    assert unwrap_packet(wrap_packet(4, bytes(1100))) == (4, bytes(1100))


def test_python_s_messages_are_those_of_the_schema():
    for name, cls in (("imu_hello", ImuHello), ("imu_heartbeat", ImuHeartbeat)):
        assert [field.name for field in dataclasses.fields(cls)] == [field.name for field in KINDS[name].fields]


def test_a_tag_s_commands_are_lines():
    assert encode_command("accel", 8, id=3) == b"#3 accel 8\n"
    assert encode_command("gyro", 2000) == b"gyro 2000\n"
    assert encode_command("axes", 23) == b"axes 23\n"
    for arguments in (("accel", 3), ("gyro", 1), ("axes", 24), ("axes",)):
        with pytest.raises(UsageError, match=arguments[0]):
            encode_command(*arguments)


def test_a_decision_is_none_of_a_tag_s_messages():
    kind = KINDS["decision"]
    packet = wrap_packet(kind.id, kind.struct.pack(1, 2, 3, 4, 0, 0) + bytes(8))
    assert ImuDecoder().push_packet(packet) is Cause.KIND
