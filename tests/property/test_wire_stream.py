"""Whatever happens on the line: no frame that was not sent, every loss accounted for, the cut does not matter."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.wire.cobs import cobs_decode, cobs_encode, encoded_bytes
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.encode import encode_csi, encode_heartbeat, encode_log, encode_reply
from edgehar.wire.frames import Loss
from edgehar.wire.messages import Counters, Heartbeat, Reply, ReplyStatus
from tests.wire_frames import csi_frames, numbers, wire

N = 40
SENT = csi_frames(N)
FRAMES = wire(N)
NOISE = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            bytes([250]) * 1150,
            bytes(range(1, 256)) * 9,
            b"I (312) wifi: connected\r\n",
            b"\0",
            b"\0\0\0",
            b"\x1b[0;31mE\x1b[0m\n",
            b"panic " * 300,
        ]
    ),
)


def beat(next_seq, dropped_ring=0):
    return encode_heartbeat(Heartbeat(1, 0, counters=Counters(next_seq, dropped_ring)))


def read(data, sizes=()):
    """The decoder and its runs; pieces of the given sizes, again and again, or all at once."""
    decoder, runs, at, i = FrameDecoder(), [], 0, 0
    while at < len(data):
        size = sizes[i % len(sizes)] if sizes else len(data)
        runs += decoder.push(data[at : at + size])
        at, i = at + size, i + 1
    return decoder, runs + decoder.finish()


def assert_sent(runs):
    """Every frame is one that was sent, in order, to the last value."""
    got = numbers(runs)
    assert got == sorted(set(got))
    for run in runs:
        places = run.meta["rx_seq"]
        assert np.array_equal(run.iq, SENT.iq[places])
        for name in ("t_us", "tx_seq", "mac_hash", "rssi_dbm", "agc_gain", "channel"):
            assert np.array_equal(run.meta[name], SENT.meta[name][places])


@given(st.binary(max_size=1200))
def test_cobs_there_and_back_within_its_bound_and_without_a_zero(raw):
    coded = cobs_encode(raw)
    assert 0 not in coded
    assert len(coded) <= encoded_bytes(len(raw))
    assert cobs_decode(coded) == raw


@given(st.binary(min_size=1, max_size=1200))
def test_bytes_of_any_kind_are_no_frame_and_cost_bounded_memory(data):
    decoder, runs = read(data)
    assert runs == []
    assert decoder._cutter.held_bytes == 0


@given(st.lists(NOISE, min_size=8, max_size=8), st.lists(st.integers(1, 3000), max_size=5))
@settings(deadline=None, max_examples=60)
def test_noise_between_frames_costs_no_frame_and_how_it_is_cut_changes_nothing(noise, sizes):
    data = b"".join(noise[i % 8] + b"\0" + frame for i, frame in enumerate(FRAMES))
    whole, runs = read(data)
    assert numbers(runs) == list(range(N))
    assert_sent(runs)
    cut, cut_runs = read(data, sizes)
    assert numbers(cut_runs) == list(range(N))
    assert cut.counts == whole.counts
    assert list(cut.log) == list(whole.log)
    assert cut.losses == whole.losses == Counter()


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_damage_lets_nothing_wrong_through_and_every_lost_frame_is_the_link_s(data):
    stream = bytearray(beat(0) + b"".join(FRAMES))
    tail = beat(N)
    for at in data.draw(st.lists(st.integers(len(beat(0)), len(stream) - 1), max_size=30)):
        stream[at] ^= 1 << data.draw(st.integers(0, 7))
    sizes = data.draw(st.lists(st.integers(1, 900), max_size=4))
    decoder, runs = read(bytes(stream) + b"\0" + tail, sizes)
    assert_sent(runs)
    lost = N - len(numbers(runs))
    assert decoder.losses == Counter({Loss.LINK: lost} if lost else {})


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_stretches_that_vanish_are_the_link_s_and_the_stream_goes_on(data):
    stream = b"".join(FRAMES)
    first, last = sorted(data.draw(st.lists(st.integers(0, len(stream)), min_size=2, max_size=2)))
    decoder, runs = read(beat(0) + stream[:first] + stream[last:] + b"\0" + beat(N))
    assert_sent(runs)
    lost = N - len(numbers(runs))
    assert lost <= 2 + (last - first) // min(map(len, FRAMES))
    assert decoder.losses == Counter({Loss.LINK: lost} if lost else {})


@given(
    st.lists(st.sampled_from(["sent", "ring", "link", "air"]), min_size=N, max_size=N),
    st.sets(st.integers(0, N - 1)),
)
@settings(deadline=None, max_examples=100)
def test_every_frame_is_accounted_for_where_it_was_lost(fates, beats):
    """A made-up board: frames fare as drawn, heartbeats stand where drawn; sent in order, counted as the core does."""
    heard = [i for i, fate in enumerate(fates) if fate != "air"]
    numbered = csi_frames(N)
    numbered.meta["rx_seq"][heard] = np.arange(len(heard))
    stream, rx, dropped = [beat(0)], 0, 0
    frames = encode_csi(numbered, boot=1)
    for i, fate in enumerate(fates):
        if fate != "air":
            rx += 1
            dropped += fate == "ring"
        if fate == "sent":
            stream.append(frames[i])
        if i in beats:
            stream.append(beat(rx, dropped))
    stream.append(beat(rx, dropped))
    decoder, runs = read(b"".join(stream))
    sent = [i for i, fate in enumerate(fates) if fate == "sent"]
    assert len(numbers(runs)) == len(sent)
    assert decoder.losses[Loss.RING] == fates.count("ring")
    assert decoder.losses[Loss.LINK] == fates.count("link")
    between = fates[sent[0] : sent[-1]] if sent else []
    assert decoder.losses[Loss.RADIO] == between.count("air")
    assert decoder.losses[Loss.UNKNOWN] == 0


@given(st.text(max_size=200), st.text(max_size=200))
def test_text_from_a_board_cannot_drive_the_terminal_that_shows_it(line, answer):
    decoder, _ = read(encode_log(1, line) + encode_reply(Reply(1, 2, ReplyStatus.DONE, answer)))
    shown = "".join(decoder.log) + decoder.replies[0].text
    assert all(character.isprintable() for character in shown)
