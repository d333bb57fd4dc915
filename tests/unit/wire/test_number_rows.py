"""Untagged rows and RuView's JSON lines: values, times, what is refused; and which decoder a text asks for."""

import json
import math

import numpy as np
import pytest
import text_rows as say

from edgehar.errors import InputError, UsageError
from edgehar.wire.frames import UNKNOWN_DBM, UNKNOWN_SEQ, Cause
from edgehar.wire.text_dialects import TEXT_DIALECTS, detect, open_decoder

V104, V128, V256 = say.numbers(104), say.numbers(128), say.numbers(256)


def words(values, separator):
    return separator.join(map(str, values)).encode()


def time_values(values=V128, time="4294967290"):
    return time.encode() + b" " + words(values, " ") + b" \n"


def esp_csi_rs(values=V128):
    return b"29261655,-45," + words(values, ",") + b"\n"


def iq_columns(values=V104, time="2025-05-21 14:20:01.206000"):
    return time.encode() + b"," + words(values, ",") + b"\n"


def sc_columns(values=V128, cells=130):
    return b"0.0216," + b",".join(b"%d.0" % value for value in values) + b"," * (cells - len(values)) + b"\r\n"


def tabbed(values=V256, time="153.826741200000015"):
    return time.encode() + b"\r\n" + words(values, "\t") + b"\t\r\n"


def adr018(values=V128, **changed):
    told = {"timestamp": 1775182186.95, "node_id": 2, "magic": "0xC5110001", "size": 20 + len(values), "rssi": -50}
    told |= {"type": "raw_csi", "iq_hex": np.array(values, np.int8).tobytes().hex(), "subcarriers": len(values) // 2}
    return json.dumps(told | changed).encode() + b"\n"


ROWS = {
    "time-values": time_values(),
    "esp-csi-rs": b"esp_timestamp_us,rssi,i0,q0\n" + esp_csi_rs(),
    "iq-columns": b"timestamp,I0,Q0\n" + iq_columns(),
    "sc-columns": b"time,sc_0,sc_1\r\n" + sc_columns(),
    "tabbed": tabbed(),
    "adr018": adr018(),
    "espcsi": say.csi_recv(V128),
}


def decode(dialect, text, **options):
    decoder = open_decoder(dialect, **options)
    return decoder.push(text) + decoder.finish(), decoder


def test_every_dialect_has_a_row_here():
    assert set(ROWS) == set(TEXT_DIALECTS)


@pytest.mark.parametrize("dialect", ROWS)
def test_a_text_asks_for_its_decoder_also_behind_a_boot_log(dialect):
    log = b"ets Jun  8 2016 00:22:57\r\n\r\nload:0x3fff0018,len:4\r\nI (23) boot: SPI Speed : 40MHz\r\n"
    assert detect(log + ROWS[dialect], "made-up") == dialect


@pytest.mark.parametrize(
    ("dialect", "layout", "t_us", "values"),
    [
        ("time-values", "classic-above-lltf", 4294967290, V128),
        ("esp-csi-rs", "classic-none-lltf", 29261655, V128),
        ("iq-columns", "cut-lltf", 1747837201206000 % 2**32, V104),
        ("sc-columns", "classic-above-lltf", 21600, V128),
        ("tabbed", "classic-none-ht20", 153826741, V256[-4:] + V256[:-4]),  # the first word is printed last
        ("adr018", "classic-none-lltf", 1775182186950000 % 2**32, V128),
    ],
)
def test_a_row_has_its_time_and_values(dialect, layout, t_us, values):
    frames, decoder = decode(dialect, ROWS[dialect])
    assert [(run.layout, run.iq.tolist(), run.meta["t_us"].tolist()) for run in frames] == [(layout, [values], [t_us])]
    assert decoder.counts == {"frames": 1}
    meta = frames[0].meta[0]
    assert (meta["rx_seq"], meta["tx_seq"]) == (UNKNOWN_SEQ, UNKNOWN_SEQ)
    assert meta["rssi_dbm"] == {"esp-csi-rs": -45, "adr018": -50}.get(dialect, UNKNOWN_DBM)
    assert meta["first_word_invalid"] == (dialect in ("time-values", "sc-columns", "tabbed"))
    assert math.isnan(meta["host_s"]) == (dialect not in ("iq-columns", "adr018"))


@pytest.mark.parametrize(
    ("dialect", "row", "cause"),
    [
        ("time-values", time_values(V128[:-1]), Cause.LENGTH),
        ("time-values", time_values(V128[:-2]), Cause.LAYOUT),
        ("time-values", time_values([*V128[:-1], 128]), Cause.VALUE),
        ("time-values", time_values().replace(b" -53", b" -5x", 1), Cause.VALUE),
        ("time-values", b"1 " * 9000 + b"\n", Cause.OVERLONG),
        ("esp-csi-rs", esp_csi_rs().replace(b"-45", b"-451"), Cause.VALUE),
        ("iq-columns", iq_columns(time="2025-13-21 14:20:01.206000"), Cause.VALUE),
        ("sc-columns", sc_columns([*V128, 1]), Cause.LENGTH),
        ("sc-columns", sc_columns().replace(b"-53.0", b"-53.5", 1), Cause.VALUE),
        ("tabbed", tabbed(time="").lstrip(), Cause.VALUE),  # a row without its time
        ("tabbed", tabbed(V256[:250]), Cause.LAYOUT),
        ("tabbed", tabbed().replace(b"\r\n", b"", 1), Cause.VALUE),  # time and row run together
        ("adr018", adr018()[:-40] + b"\n", Cause.VALUE),
        ("adr018", b"[1]\n", Cause.VALUE),
        ("adr018", adr018(size=147), Cause.LENGTH),
        ("adr018", adr018(iq_hex="zz"), Cause.VALUE),
        ("adr018", adr018(timestamp="noon"), Cause.VALUE),
        ("adr018", adr018(timestamp=1e400), Cause.VALUE),
        ("adr018", adr018(V104), Cause.LAYOUT),
        ("adr018", adr018(magic="0xC5110002"), Cause.KIND),
        ("adr018", b" " * 20_000 + b"\n", Cause.OVERLONG),
        ("adr018", b"[" * 10_000 + b"\n", Cause.VALUE),
    ],
)
def test_a_broken_row_is_counted_by_cause_and_its_neighbours_stay(dialect, row, cause):
    frames, decoder = decode(dialect, ROWS[dialect] + row + ROWS[dialect])
    assert sum(map(len, frames)) == 2
    assert decoder.counts == {"frames": 2, cause: 1}
    assert [found for _, found in decoder.first_bad] == ([] if cause is Cause.KIND else [cause])


def test_a_time_of_its_own_line_serves_one_row():
    bad = tabbed().replace(b"-53\t", b"-5x\t", 1)
    late = tabbed().partition(b"\r\n")[2]  # its time was lost; it must not take the bad row's
    frames, decoder = decode("tabbed", bad + late + tabbed(time="154.5"))
    assert [run.meta["t_us"].tolist() for run in frames] == [[154500000]]
    assert decoder.counts == {"frames": 1, Cause.VALUE: 2}


def test_a_forced_layout_takes_frames_of_its_length():
    assert decode("time-values", ROWS["time-values"], layout="classic-none-lltf")[0][0].layout == "classic-none-lltf"
    assert decode("adr018", ROWS["adr018"], layout="classic-below-lltf")[0][0].layout == "classic-below-lltf"


@pytest.mark.parametrize("dialect", sorted(set(ROWS) - {"espcsi"}))
def test_pieces_of_any_size_give_the_same_frames(dialect):
    text = ROWS[dialect] * 3
    whole, told = decode(dialect, text)
    for size in (1, 7, 100):
        decoder = open_decoder(dialect)
        frames = [run for at in range(0, len(text), size) for run in decoder.push(text[at : at + size])]
        frames += decoder.finish()
        assert [row.tolist() for run in frames for row in run.iq] == [row.tolist() for run in whole for row in run.iq]
        assert decoder.counts == told.counts


def test_a_text_without_csi_is_refused():
    with pytest.raises(InputError, match=r"notes.txt holds no CSI"):
        detect(b"dear diary,\n1 2 3\n", "notes.txt")
    with pytest.raises(UsageError, match="no CSI dialect morse"):
        open_decoder("morse")
