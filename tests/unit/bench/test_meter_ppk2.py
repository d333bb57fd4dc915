"""The Power Profiler Kit II: exact bytes, lost samples, and the whole meter against a kit played on a PTY."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from edgehar.bench.meters import open_meter
from edgehar.bench.meters.ppk2 import Ppk2Meter
from edgehar.bench.meters.ppk2_wire import Ppk2Decoder, parse_metadata, set_voltage
from edgehar.errors import InputError, MissingError
from edgehar.testing import check_meter

# Nothing but the resistances differs from what the application falls back to.
PLAIN = "Calibrated: 0\n" + "".join(f"R{i}: {r}\n" for i, r in enumerate((1000.0, 100.0, 10.0, 1.0, 0.05))) + "END\n"
FULL = """\
Calibrated: 1
R0: 1000.0\nR1: 100.0\nR2: 10.0\nR3: 1.0\nR4: 0.05
GS0: 0.0\nGS1: 112.5\nGS2: 18.0\nGS3: 2.5\nGS4: 0.0625
GI0: 1.0\nGI1: 0.96875\nGI2: 0.96875\nGI3: 0.9375\nGI4: -nan
O0: 112.0\nO1: 75.0\nO2: 64.0\nO3: 50.0\nO4: 87.0
VDD: 3700\nHW: 9173\nmode: 2
S0: 0.00000005\nS1: 0.0\nS2: 0.0\nS3: 0.0000625\nS4: 0.0
I0: -0.0000000625\nI1: 0.0\nI2: 0.0\nI3: 0.0005\nI4: 0.0
UG0: 1.0\nUG1: 1.0\nUG2: 1.0\nUG3: 2.0\nUG4: 1.0
IA: 56
END
"""


def word(adc: int, span: int, counter: int, pins: int = 0) -> bytes:
    return (adc | span << 14 | counter << 18 | pins << 24).to_bytes(4, "little")


def test_a_sample_is_these_bytes() -> None:
    # adc 1000 = 0x3e8 | range 2 << 14 | counter 5 << 18 | pins D0 and D1 << 24
    assert word(1000, 2, 5, 3) == bytes.fromhex("e8831403")
    samples = Ppk2Decoder(parse_metadata(PLAIN), 3.0).push(bytes.fromhex("e8831403"))
    r = 4 * 1000 * 1.8 / 163_840 / 10.0
    assert samples.current_a.tolist() == pytest.approx([r * (r + 1.0)], rel=1e-12)
    assert samples.current_a[0] == pytest.approx(4.41385e-3, rel=1e-5)
    assert samples.pins.tolist() == [3]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (0, 1.0 * (4 * 500 - 112) * 1.8 / 163_840 / 1000 + 0.00000005 * 3.3 - 0.0000000625),
        (3, None),
        (4, None),
    ],
)
def test_every_coefficient_has_its_place(span: int, expected: float | None) -> None:
    calibration = parse_metadata(FULL)
    found = Ppk2Decoder(calibration, 3.3).push(word(500, span, 0)).current_a[0]
    if span == 3:
        r = (2000 - 50.0) * 1.8 / 163_840 / 1.0
        expected = 2.0 * (r * (2.5 * r + 0.9375) + 0.0000625 * 3.3 + 0.0005)
    if span == 4:  # GI4 is -nan there, which falls back to 1
        r = (2000 - 87.0) * 1.8 / 163_840 / 0.05
        expected = r * (0.0625 * r + 1.0)
    assert found == pytest.approx(expected, rel=1e-12)


def test_pieces_of_any_size_give_the_same_samples() -> None:
    data = b"".join(word(100 + i, i % 5, i % 64, i % 4) for i in range(500))
    whole = Ppk2Decoder(parse_metadata(FULL), 3.3).push(data)
    rng = np.random.default_rng(0)
    decoder, parts, at = Ppk2Decoder(parse_metadata(FULL), 3.3), [], 0
    while at < len(data):
        n = int(rng.integers(0, 9))
        parts.append(decoder.push(data[at : at + n]))
        at += n
    assert np.array_equal(np.concatenate([p.current_a for p in parts]), whole.current_a)
    assert np.array_equal(np.concatenate([p.place for p in parts]), np.arange(500))
    assert np.array_equal(np.concatenate([p.pins for p in parts]), whole.pins)
    assert decoder.lost == 0


def test_lost_samples_leave_a_gap_in_time() -> None:
    decoder = Ppk2Decoder(parse_metadata(PLAIN), 3.0)
    first = decoder.push(word(1, 0, 60) + word(1, 0, 61))
    after = decoder.push(word(1, 0, 2) + word(1, 0, 3))  # 62, 63, 0 and 1 did not come
    assert first.place.tolist() == [0, 1]
    assert after.place.tolist() == [6, 7]
    assert decoder.lost == 4


def test_a_range_that_does_not_exist_is_no_current() -> None:
    decoder = Ppk2Decoder(parse_metadata(PLAIN), 3.0)
    samples = decoder.push(word(1, 7, 0) + word(1, 1, 1))
    assert samples.place.tolist() == [1]
    assert decoder.lost == 1


def test_bytes_out_of_step_are_refused() -> None:
    data = b"".join(word(1000 + i, 2, i % 64) for i in range(200))
    with pytest.raises(InputError, match="sample counters do not follow each other"):
        Ppk2Decoder(parse_metadata(PLAIN), 3.0).push(data[1:])


@pytest.mark.parametrize(
    ("text", "message"),
    [("END", "has no calibration"), ("R0: 0.0\nEND", "has no calibration"), ("R1: 1O1.6\nEND", "R1 is '1O1.6'")],
)
def test_metadata_without_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_metadata(text)


def test_voltage_goes_high_byte_first() -> None:
    assert set_voltage(3300) == bytes((0x0D, 0x0C, 0xE4))


class Kit:
    """A kit at the far end of a PTY: answers metadata, then streams `words` when told to start."""

    def __init__(self, words: bytes) -> None:
        self.master, slave = os.openpty()
        self.port = os.ttyname(slave)
        self._slave = slave
        self._words = words
        self.heard = b""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(2)
        os.close(self._slave)
        os.close(self.master)

    def _play(self) -> None:
        os.set_blocking(self.master, False)
        at, streaming = 0, False
        while not self._stop.wait(0.002):
            try:
                told = os.read(self.master, 64)
            except BlockingIOError:
                told = b""
            self.heard += told
            if told == b"\x19":
                os.write(self.master, FULL.encode())
            if b"\x06" in told:
                at, streaming = 0, True
            if b"\x07" in told:
                streaming = False
            if streaming:
                try:
                    at += os.write(self.master, self._words[at : at + 400])
                except BlockingIOError:
                    continue
                if at >= len(self._words):
                    at = 0


@pytest.fixture
def kit() -> Iterator[Kit]:
    pytest.importorskip("serial", reason="pip install 'edgehar[serial]'")
    # 64 samples at a time: the counter goes on when the words begin anew.
    kit = Kit(b"".join(word(500, 3, i % 64, 0 if i < 320 else 1) for i in range(640)))
    yield kit
    kit.close()


def test_the_meter_keeps_the_contract_on_a_kit(kit: Kit) -> None:
    meter = Ppk2Meter(kit.port, 3300, mode="source")
    blocks = check_meter(lambda: meter)
    r = (2000 - 50.0) * 1.8 / 163_840
    milliwatts = 3300 * 2.0 * (r * (2.5 * r + 0.9375) + 0.0000625 * 3.3 + 0.0005)
    assert blocks[-1].values == pytest.approx(milliwatts)
    assert sum(block.lost for block in blocks) == 0
    assert kit.heard.startswith(b"\x07\x19\x11\x02\x0d\x0c\xe4\x0c\x01\x06")


def test_pins_of_the_kit_are_marks(kit: Kit) -> None:
    with open_meter(f"ppk2:{kit.port}?voltage_mv=3300&decisions=20&duration_s=1") as meter:
        assert meter.facts.decisions == 20
        block = meter.read()
        assert len(meter.read()) == 0
    assert block.marks is not None
    assert block.marks[:320].tolist() == [0] * 320
    assert block.marks[320:640].tolist() == [1] * 320


def test_a_port_that_is_not_there_or_silent(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("serial", reason="pip install 'edgehar[serial]'")
    with pytest.raises(MissingError, match="cannot be opened") as caught:
        Ppk2Meter(f"{tmp_path}/ttyACM9", 3300).__enter__()
    assert "dialout" in caught.value.hint
    monkeypatch.setattr("edgehar.bench.meters.ppk2.PATIENCE_S", 0.05)
    master, slave = os.openpty()
    try:
        with pytest.raises(InputError, match="has no calibration"):
            Ppk2Meter(os.ttyname(slave), 3300).__enter__()
    finally:
        os.close(slave)
        os.close(master)


def test_the_port_and_the_voltage_must_be_given() -> None:
    with pytest.raises(MissingError, match="voltage are not given") as caught:
        open_meter("ppk2:/dev/ttyACM0")
    assert "voltage_mv=3300" in caught.value.hint
