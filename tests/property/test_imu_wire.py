"""Whatever arrives from a tag: a message that was sent, or a cause; never an exception, never a wrong value."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.wire.envelope import wrap
from edgehar.wire.frames import Cause
from edgehar.wire.imu_codec import ImuDecoder, ImuFrameDecoder
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, LogLine, Reply, ReplyStatus
from edgehar.wire.packet import wrap_packet
from tests.wire_imu import same

U8, U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
FLAGS = st.integers(0, 15).map(BoardFlag)


def printable(n_bytes):
    """Text that survives being shown and fits n_bytes."""
    return st.text("abcXYZ019 -ßé手").filter(lambda text: len(text.encode()) <= n_bytes)


HELLOS = st.builds(
    ImuHello,
    U16,
    U64,
    printable(12),
    printable(16),
    printable(32),
    printable(16),
    st.integers(1, 65535),
    U8,
    U16,
    st.integers(0, 23),
    st.sampled_from([3, 6]),
    FLAGS,
    U8,
)
HEARTBEATS = st.builds(ImuHeartbeat, U16, U64, FLAGS, U32, U32, U32, U32, U8)
SAMPLES = st.builds(
    lambda n, c, seed, *head: ImuSamples(
        *head, np.random.default_rng(seed).integers(-32768, 32768, (n, c)).astype(np.int16)
    ),
    st.integers(1, 50),
    st.sampled_from([3, 6, 9]),
    U32,
    U16,
    U32,
    U32,
    st.integers(1, 2**32 - 1),
    U8,
    U16,
)
REPLIES = st.builds(Reply, U16, U16, st.sampled_from(ReplyStatus), printable(63))
LOGS = st.builds(LogLine, U16, st.integers(1, 4), printable(120))
MESSAGES = st.one_of(HELLOS, HEARTBEATS, SAMPLES, REPLIES, LOGS)


@given(MESSAGES)
def test_every_message_survives_the_way_as_a_packet_and_as_a_frame(message):
    number, payload = imu_payload(message)
    assert same(ImuDecoder().push_packet(wrap_packet(number, payload)), message)
    (framed,) = ImuFrameDecoder().push(wrap(number, payload))
    assert same(framed, message)


@given(st.one_of(HELLOS, HEARTBEATS, SAMPLES), st.data())
def test_a_truncated_or_lengthened_packet_is_refused(message, data):
    packet = wrap_packet(*imu_payload(message))
    cut = data.draw(st.integers(0, len(packet) - 1))
    assert isinstance(ImuDecoder().push_packet(packet[:cut]), Cause)
    assert ImuDecoder().push_packet(packet + data.draw(st.binary(min_size=1, max_size=40))) is Cause.LENGTH


@given(st.one_of(st.binary(max_size=600), st.builds(lambda kind, tail: bytes([1, kind]) + tail, U8, st.binary())))
def test_bytes_of_any_kind_give_a_message_or_a_cause(raw):
    decoder = ImuDecoder()
    found = decoder.push_packet(raw)
    assert isinstance(found, Cause | ImuHello | ImuHeartbeat | ImuSamples | Reply | LogLine)
    assert sum(decoder.counts.values()) == 1


@given(st.lists(MESSAGES, max_size=8), st.lists(st.integers(1, 400), min_size=1, max_size=4), st.data())
@settings(deadline=None)
def test_damage_on_a_cable_lets_nothing_wrong_through_and_the_cut_changes_nothing(messages, sizes, data):
    stream = bytearray(b"".join(wrap(*imu_payload(message)) for message in messages))
    if stream:
        for at in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=5)):
            stream[at] ^= 1 << data.draw(st.integers(0, 7))
    whole, cut = ImuFrameDecoder(), ImuFrameDecoder()
    got = whole.push(bytes(stream)) + whole.finish()
    pieces, at = [], 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(bytes(stream[at : at + size]))
        at += size
    again = [message for piece in pieces for message in cut.push(piece)] + cut.finish()
    assert len(got) == len(again)
    assert all(map(same, got, again))
    assert whole.counts == cut.counts
    left = iter(messages)
    assert all(any(same(message, sent) for sent in left) for message in got)  # a subsequence of what was sent
