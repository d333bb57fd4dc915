"""Bytes of a board become one stream: protocol, sender, layout and rate are found; what does not fit is a gap."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.boards.virtual_board import BoardSettings, VirtualBoard
from edgehar.errors import UsageError
from edgehar.sources.csi_stream import OTHER_LAYOUT, OTHER_SENDER, CsiChoice, CsiStream
from edgehar.sources.virtual_csi_radio import RadioSettings
from edgehar.types import Flag
from edgehar.wire.encode import encode_csi, encode_hello
from edgehar.wire.frames import FRAME, UNKNOWN_GAIN, CsiFrames
from edgehar.wire.layouts import layout_of
from edgehar.wire.messages import BoardFlag, Hello

HT40 = layout_of("classic", 384, secondary=2, sig_mode=1, bandwidth=1, stbc=0).name
LLTF = layout_of("classic", 128, secondary=2, sig_mode=0, bandwidth=0, stbc=0).name
VALUES = {HT40: 384, LLTF: 128}
PERIOD_US = 5000


def frames(n, first=0, layout=HT40, mac=7, *, t_us=None, tx=None, boot=0):
    """n frames whose values are their running number, modulo 100."""
    meta = np.zeros(n, FRAME)
    number = first + np.arange(n)
    meta["rx_seq"], meta["mac_hash"] = number, mac
    meta["tx_seq"] = number if tx is None else tx
    meta["t_us"] = (number * PERIOD_US if t_us is None else t_us) & 0xFFFFFFFF
    meta["agc_gain"] = meta["fft_gain"] = UNKNOWN_GAIN
    meta["first_word_invalid"], meta["secondary"], meta["sig_mode"], meta["bandwidth"] = True, 2, 1, 1
    return CsiFrames(layout, np.tile((number % 100).astype(np.int16)[:, None], VALUES[layout]), meta, boot)


def coded(*items, boot=1):
    return b"".join(piece for item in items for piece in encode_csi(item, boot=boot))


def run(data, *, piece=997, choice=None, period_ns=20_000_000):
    stream = CsiStream(choice)
    chunks = []
    for i, at in enumerate(range(0, len(data), piece)):
        chunks += stream.push(data[at : at + piece], i * period_ns)
    return stream, chunks + stream.finish(len(data) // piece * period_ns)


def joined(chunks, name):
    return np.concatenate([getattr(chunk, name) for chunk in chunks])


def test_binary_frames_are_found_and_told_whole():
    stream, chunks = run(coded(frames(600)))
    assert stream.spec.kind == "csi"
    assert stream.spec.rate_hz == pytest.approx(200, rel=0.01)
    assert (stream.field, stream.layout) == ("htltf", HT40)
    assert joined(chunks, "seq").tolist() == list(range(600))
    assert joined(chunks, "x")[:, 0].tolist() == [i % 100 for i in range(600)]
    assert np.diff(joined(chunks, "t_dev_ns")).tolist() == [PERIOD_US * 1000] * 599
    assert not joined(chunks, "flags").any()
    assert stream.counts.total() == 0


def test_the_cut_of_the_bytes_changes_nothing_but_arrival():
    data = coded(frames(300), frames(200, 320))
    for name in ("x", "seq", "t_dev_ns", "flags"):
        whole, small = (joined(run(data, piece=piece, period_ns=0)[1], name) for piece in (len(data), 13))
        np.testing.assert_array_equal(whole, small)


def test_lost_frames_are_a_gap_of_their_number():
    _, chunks = run(coded(frames(300), frames(200, 320)))
    seq, flags = joined(chunks, "seq"), joined(chunks, "flags")
    assert seq.tolist() == [*range(300), *range(320, 520)]
    assert np.flatnonzero(flags & Flag.GAP_BEFORE).tolist() == [300]


def test_a_foreign_sender_is_counted_and_no_gap():
    stray = frames(1, 300, mac=9)
    stray.meta["tx_seq"] = 55
    later = frames(200, 301, tx=300 + np.arange(200))
    stream, chunks = run(coded(frames(300), stray, later))
    assert stream.counts == {OTHER_SENDER: 1}
    assert joined(chunks, "seq").tolist() == list(range(500))
    assert not joined(chunks, "flags").any()


def test_a_frame_of_another_layout_is_counted_and_a_gap():
    stream, chunks = run(coded(frames(300), frames(2, 300, LLTF), frames(200, 302)))
    assert stream.counts[OTHER_LAYOUT] == 2
    assert joined(chunks, "seq").tolist() == [*range(300), *range(302, 502)]
    assert np.flatnonzero(joined(chunks, "flags")).tolist() == [300]


def test_the_clock_wraps_without_a_gap():
    first = 2**32 - 100 * PERIOD_US
    times = (first + np.arange(400) * PERIOD_US) % 2**32
    _, chunks = run(coded(frames(400, t_us=times)))
    assert np.diff(joined(chunks, "t_dev_ns")).tolist() == [PERIOD_US * 1000] * 399
    assert not joined(chunks, "flags").any()


def test_a_reboot_resets_the_clock_and_goes_on_numbering():
    stream, chunks = run(coded(frames(400)) + coded(frames(300), boot=2))
    flags = joined(chunks, "flags")
    assert stream.restarts == 1
    assert np.flatnonzero(flags).tolist() == [400]
    assert flags[400] & Flag.CLOCK_RESET
    assert np.all(np.diff(joined(chunks, "seq")) == 1)


def test_an_interrupted_link_marks_what_follows():
    stream = CsiStream()
    data = coded(frames(500))
    stream.push(data, 0)
    stream.interrupt()
    (chunk,) = stream.push(coded(frames(1, 500)), 1)
    assert chunk.flags.tolist() == [Flag.GAP_BEFORE]


def test_a_simulated_board_says_so_in_the_spec():
    hello = Hello(1, 0, "esp32s3", "1.0", "lab", flags=BoardFlag.SIMULATED | BoardFlag.RUNNING, rate_hz=100)
    stream, _ = run(encode_hello(hello) + coded(frames(500)))
    assert stream.spec.simulated
    assert stream.spec.rate_hz == 100


def test_rows_are_found_as_well_and_numbers_that_step_by_two_are_no_gaps():
    row = 'CSI_DATA,{},94:d9:b3:80:8c:81,-30,11,1,6,0,0,1,0,0,0,0,-93,0,11,2,{},0,67,0,128,1,"[{}]"\n'
    values = ",".join(["7"] * 128)
    text = "".join(row.format(2 * i, 1000 + i * PERIOD_US, values) for i in range(400))
    stream, chunks = run(b"boot log\r\n" + text.encode())
    assert stream.field == "lltf"
    assert joined(chunks, "seq").tolist() == list(range(400))
    assert not joined(chunks, "flags").any()


def test_an_unknown_protocol_is_refused():
    with pytest.raises(UsageError, match="protocol=csv"):
        CsiStream(CsiChoice(protocol="csv"))


def test_the_mark_survives_a_status_that_was_lost():
    hello = Hello(1, 0, "esp32s3", "1.0", "lab", flags=BoardFlag.SIMULATED | BoardFlag.RUNNING, rate_hz=200)
    stream = CsiStream()
    stream.push(coded(frames(300)), 0)
    assert stream.spec is None
    stream.push(encode_hello(hello) + coded(frames(10, 300)), 1_500_000_000)
    assert stream.spec.simulated


def test_rows_of_a_simulated_board_are_marked_however_the_mark_is_cut():
    board = VirtualBoard(BoardSettings(RadioSettings(rate_hz=50, layout="classic-none-lltf"), text=True))
    data = board.read_until(3_000_000)
    for piece in (7, len(data)):
        stream, chunks = run(data, piece=piece, period_ns=0)
        assert stream.simulated
        assert all(chunk.spec.simulated for chunk in chunks)
