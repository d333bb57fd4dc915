"""Rows of every dialect to frames, broken rows to causes; the compiled scanner and its twin agree on any bytes."""

import base64
import math

import numpy as np
import pytest
import text_rows as say
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.dsp.kernel import compile_kernels
from edgehar.wire.espcsi_kernel import scan
from edgehar.wire.espcsi_rows import MAX_ROW_BYTES, scan_py
from edgehar.wire.espcsi_text import FIRST_BAD, TextDecoder
from edgehar.wire.frames import UNKNOWN_GAIN, UNKNOWN_SEQ, Cause, Loss

V128, V384 = say.numbers(128), say.numbers(384)


def decode(data, **options):
    decoder = TextDecoder(salt="test", **options)
    return decoder.push(data) + decoder.finish(), decoder


def only(data, **options):
    frames, decoder = decode(data, **options)
    assert len(frames) == len(frames[0]) == 1, decoder.counts
    return frames[0], frames[0].meta[0]


def test_a_csi_recv_row():
    frames, meta = only(say.csi_recv(V384, t_us=-5, first_word=1))
    assert frames.layout == "classic-below-ht40"
    assert frames.iq.tolist() == [V384]
    assert frames.iq.dtype == np.int16
    assert meta["t_us"] == 2**32 - 5  # printed as a signed number
    assert (meta["rssi_dbm"], meta["noise_floor_dbm"], meta["channel"], meta["secondary"]) == (-41, -96, 11, 2)
    assert (meta["sig_mode"], meta["bandwidth"], meta["stbc"], meta["first_word_invalid"]) == (1, 1, 0, True)
    assert (meta["agc_gain"], meta["fft_gain"]) == (UNKNOWN_GAIN, UNKNOWN_GAIN)
    assert math.isnan(meta["host_s"])


def test_the_running_number_is_the_senders_only_behind_csi_send():
    _, ours = only(say.csi_recv(V128, mac=say.CSI_SEND, number=-2))
    assert (ours["tx_seq"], ours["rx_seq"]) == (2**32 - 2, UNKNOWN_SEQ)
    _, router = only(say.csi_recv(V128, number=7))
    assert (router["tx_seq"], router["rx_seq"]) == (UNKNOWN_SEQ, 7)


def test_a_c5_row_has_gains_and_an_unsigned_noise_floor():
    frames, meta = only(say.csi_recv_c5(say.numbers(234)))
    assert frames.layout == "c5-below-ht40"
    assert (meta["agc_gain"], meta["fft_gain"], meta["noise_floor_dbm"]) == (5, 22, -97)
    assert (meta["sig_mode"], meta["bandwidth"]) == (1, 1)


def test_a_c5_forced_to_lltf_prints_12_bits_and_others_8():
    wide = [*say.numbers(104), -2048, 2047]
    frames, _ = only(say.csi_recv_c5(wide))
    assert (frames.layout, frames.iq.tolist()) == ("c5-below-lltf", [wide])
    for values in ([*wide[:-1], 2048], [*say.numbers(233), 128], [*say.numbers(233), -129]):
        none, decoder = decode(say.csi_recv_c5(values))
        assert (none, decoder.counts[Cause.VALUE]) == ([], 1)


def test_console_test_prints_base64_too():
    values = say.numbers(104)
    body = base64.b64encode(np.array(values, np.int8).tobytes()).decode()
    printed, meta = only(say.console_test(values))
    coded, coded_meta = only(say.console_test(values, body=body))
    assert printed.layout == coded.layout == "packed-lltf"
    assert printed.iq.tolist() == coded.iq.tolist() == [values]
    assert (meta["agc_gain"], meta["fft_gain"], meta["rx_seq"]) == (30, -8, 3)
    assert meta.tobytes() == coded_meta.tobytes()
    none, decoder = decode(say.console_test(values, body=body[:-1]))
    assert (none, decoder.counts[Cause.TRUNCATED]) == ([], 1)


def test_a_csi_tool_row_tells_no_first_word_and_its_length_lies():
    frames, meta = only(say.csi_tool(V128, mode=(1, 1, 0), length=384, tail=",1592394821.427"))
    assert (frames.layout, frames.iq.tolist()) == ("classic-above-lltf", [V128])
    assert meta["first_word_invalid"]
    assert meta["host_s"] == 1592394821.427
    assert (meta["rx_seq"], meta["tx_seq"]) == (UNKNOWN_SEQ, UNKNOWN_SEQ)


def test_a_host_rewrite_with_27_columns():
    frames, meta = only(say.console_test_host(say.numbers(104)))
    assert (frames.layout, meta["rx_seq"], meta["channel"]) == ("packed-lltf", 9, 12)


def test_a_forced_layout_takes_frames_of_its_length_only():
    data = say.csi_recv(V128, secondary=0) + say.csi_recv(V384)
    frames, _ = decode(data, layout="classic-none-htltf20")
    assert [run.layout for run in frames] == ["classic-none-htltf20", "classic-below-ht40"]


def test_frames_of_one_layout_come_together_in_order():
    rows = [say.csi_tool(say.numbers(n, seed), mode=mode, t_us=seed) for seed, (n, mode) in enumerate(
        [(128, (0, 0, 0)), (128, (1, 1, 0)), (384, (1, 1, 0)), (128, (0, 0, 0))]
    )]  # fmt: skip
    frames, decoder = decode(b"".join(rows))
    assert [(run.layout, run.meta["t_us"].tolist()) for run in frames] == [
        ("classic-above-lltf", [0, 1]),
        ("classic-above-ht40", [2]),
        ("classic-above-lltf", [3]),
    ]
    assert decoder.counts == {"frames": 4}


GOOD = say.csi_recv(V128)
HEAD, BODY = GOOD.split(b"[")


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (GOOD[:-30] + b"\n", Cause.TRUNCATED),
        (HEAD[:60] + b"\n", Cause.TRUNCATED),
        (GOOD[:200] + GOOD, Cause.JOINED),
        (GOOD.replace(b"CSI_DATA,5,94", b"CSI_DATA,5,9", 1), Cause.VALUE),
        (GOOD.replace(b"-41", b"-4x", 1), Cause.VALUE),
        (GOOD.replace(b",11,2,", b",11,5,", 1), Cause.VALUE),  # no such secondary channel
        (GOOD.replace(b"-41", b"-141", 1), Cause.VALUE),
        (GOOD.replace(b"CSI_DATA,5,", b"CSI_DATA,", 1), Cause.COLUMNS),
        (GOOD.replace(b"CSI_DATA,5,", b"CSI_DATA," + b"5," * 40, 1), Cause.COLUMNS),
        (HEAD + b"[" + BODY.replace(b"-60,-53", b"-60-53", 1), Cause.VALUE),
        (HEAD + b"[" + BODY.replace(b"-60,-53", b"-60,,-53", 1), Cause.VALUE),
        (HEAD + b"[" + BODY.replace(b"-60,-53", b"-,-53", 1), Cause.VALUE),
        (HEAD + b"[" + BODY.replace(b"-60,-53", b"1519,-53", 1), Cause.VALUE),  # values run together
        (HEAD + b"[" + BODY.replace(b"-60,-53", b"123456,-53", 1), Cause.VALUE),
        (HEAD + b"[" + BODY.replace(b"-60,-53", b"-60\x1b[0;31mE (12) wdt,-53", 1), Cause.VALUE),
        (HEAD + b"[" + BODY.replace(b"-60,-53", b"-53", 1), Cause.LENGTH),
        (say.csi_recv(say.numbers(126)), Cause.LAYOUT),
        (HEAD + b'[]"\n', Cause.VALUE),
        (GOOD[:-1] + b"]\n", Cause.VALUE),
        (b"CSI_DATA," + b"x" * MAX_ROW_BYTES + b"\n", Cause.OVERLONG),
    ],
)
def test_a_broken_row_is_counted_by_cause_and_its_neighbours_stay(row, cause):
    frames, decoder = decode(GOOD + row + GOOD)
    assert sum(map(len, frames)) == 2
    assert decoder.counts == {"frames": 2, cause: 1}
    assert decoder.first_bad == [(2, cause)]


@pytest.mark.parametrize(
    ("around", "log_bytes"),
    [
        (b"type,id,mac,rssi,data\n\r\n" + GOOD[:-1] + b"\r\r\n", 0),
        (b"I (324) wifi: hello\r\n" + GOOD, 19),
        (b"\x1b[0;32mI (1) x: " + GOOD, 16),  # a log prefix without a line end
        (b'-3,4,5]"\n' + GOOD, 8),  # the capture began within a row
        (b"type,role,len,CSI_DATA,timestamp\n" + GOOD, 0),
        (say.csi_recv(V128, tail=",1"), 0),
        (GOOD[:-1], 0),  # no line end
    ],
)
def test_what_stands_around_a_row_is_no_harm(around, log_bytes):
    frames, decoder = decode(around)
    assert sum(map(len, frames)) == 1
    assert decoder.counts == {"frames": 1} | ({Cause.LOG: log_bytes} if log_bytes else {})


def test_only_the_first_bad_rows_are_remembered():
    _, decoder = decode(b"CSI_DATA,1\n" * 50)
    assert decoder.counts[Cause.TRUNCATED] == 50
    assert [line for line, _ in decoder.first_bad] == list(range(1, FIRST_BAD + 1))


def test_an_address_leaves_as_a_hash_of_its_salt():
    rows = say.csi_recv(V128, mac="00:00:00:00:00:01") + say.csi_recv(V128, mac="00:00:00:00:00:02")
    rows += say.csi_recv(V128, mac="00:00:00:00:00:01")
    hashes = [TextDecoder(salt).push(rows)[0].meta["mac_hash"].tolist() for salt in ("a", "a", "b", "", "")]
    assert hashes[0] == hashes[1]
    assert len({*hashes[0], *hashes[2], *hashes[3], *hashes[4]}) == 8
    for one, other, again in hashes:
        assert one == again != other


def test_missing_numbers_are_losses():
    sender = [say.csi_recv(V128, mac=say.CSI_SEND, number=n) for n in (10, 11, 14, 3, 4)]  # 3: the sender restarted
    _, decoder = decode(b"".join(sender))
    assert decoder.losses == {Loss.UNKNOWN: 2}
    broken = [*sender[:2], sender[2].replace(b"]", b""), say.csi_recv(V128, mac=say.CSI_SEND, number=16)]
    _, decoder = decode(b"".join(broken))
    assert decoder.losses == {Loss.LINK: 1, Loss.UNKNOWN: 3}
    # A receiver that counts twice a frame: 0, 2, 4 are neighbours.
    _, decoder = decode(b"".join(say.csi_recv(V128, number=n) for n in (0, 2, 4, 8)))
    assert decoder.losses == {Loss.UNKNOWN: 1}


SNIPPETS = [
    GOOD,
    say.csi_tool(V128),
    say.csi_recv_c5(say.numbers(106)),
    say.console_test_host(say.numbers(104)),
    say.csi_recv(say.numbers(612), mode=(1, 1, 1)),
    b"I (23) boot: x\r\n",
    b"\x1b[0;31mE task_wdt[0m\n",
    b"type,id,CSI_DATA,x\n",
    b"CSI_DATA,",
    b"[",
    b']"',
    b"\n",
    b"\r\r\n",
]


@st.composite
def damaged_text(draw):
    """Rows and logs, cut up, with bytes changed, dropped and put in."""
    text = bytearray(b"".join(draw(st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=6))))
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, len(text)))
        put = draw(st.sampled_from([b"", b",", b" ", b"-", b"7", b"]", b"[", b"\n", b"\r", b"CSI_DATA", b"_", b"\xff"]))
        text[at : at + draw(st.integers(0, 3))] = put
    return bytes(text)


def plain(frames):
    """Frames as what does not depend on how they were cut into runs."""
    return [
        (run.layout, row.tobytes(), meta.tobytes())
        for run in frames
        for row, meta in zip(run.iq, run.meta, strict=True)
    ]


@settings(max_examples=300, deadline=None)
@given(damaged_text())
def test_the_compiled_scanner_and_its_twin_see_the_same_rows(text):
    text += b"\n"
    fast, slow = scan(text), scan_py(text)
    for name in slow.__slots__:
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name), err_msg=name)


@settings(max_examples=100, deadline=None)
@given(damaged_text(), st.lists(st.integers(1, 700), max_size=40))
def test_frames_and_counts_do_not_depend_on_the_pieces(text, sizes):
    whole, told = decode(text)
    decoder = TextDecoder(salt="test")
    frames, at = [], 0
    for size in sizes:
        frames += decoder.push(text[at : at + size])
        at += size
    frames += decoder.push(memoryview(text)[at:])
    frames += decoder.finish()
    assert plain(frames) == plain(whole)
    assert (decoder.counts, decoder.first_bad, decoder.losses) == (told.counts, told.first_bad, told.losses)


def test_a_line_without_end_is_dropped_in_bounded_memory():
    decoder = TextDecoder(salt="test")
    for _ in range(100):
        assert decoder.push(b"1," * 1000) == []
    assert len(decoder._cutter._rest) <= MAX_ROW_BYTES
    frames = decoder.push(b"2\n" + GOOD)
    assert sum(map(len, frames)) == 1
    assert decoder.counts == {"frames": 1, Cause.OVERLONG: 1}
    assert decoder.first_bad == [(1, Cause.OVERLONG)]


def test_without_the_compiler_the_twin_decodes():
    compile_kernels(wanted=False)
    try:
        frames, _ = decode(GOOD)
    finally:
        compile_kernels(wanted=True)
    assert plain(frames) == plain(decode(GOOD)[0])
