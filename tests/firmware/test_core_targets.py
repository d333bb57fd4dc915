"""The portable core gives the Python codec's bytes on every compiler and processor."""

import itertools

import numpy as np
import pytest

from edgehar.wire.axes import rotate
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
from edgehar.wire.envelope import unwrap, wrap
from edgehar.wire.frames import Cause
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.layouts import layout_of, load_layouts
from edgehar.wire.messages import (
    BoardFlag,
    BoardModel,
    Counters,
    Decision,
    Heartbeat,
    Hello,
    ImuHeartbeat,
    ImuHello,
    ImuSamples,
    Link,
    Reply,
    ReplyStatus,
    Role,
)
from edgehar.wire.packet import wrap_packet
from edgehar.wire.schema import schema
from edgehar.wire.siphash import siphash24
from tests.firmware import core_cases
from tests.firmware.core_cases import XTENSA, Life, answers
from tests.firmware.tag_cases import TagLife, room_ble
from tests.wire_frames import csi_frames, wire

TARGETS = ["gcc-O3", "sanitized", "clang-O3", "cortex-m4f", "rv32imc", XTENSA]
SLOW_TARGETS = ["gcc-O0", "clang-O0", "cortex-m7", "aarch64-a53", "armhf"]
FAULTS = (None, Cause.COBS, Cause.LENGTH, Cause.CRC, Cause.VERSION)
IDENTITY = Hello(7, 0, "esp32s3", "0.5.0", "Küche", link=Link.USB, rate_hz=100, channel=6, secondary=2)
RNG = np.random.default_rng(5)


def messages():
    """Every kind of message with numbers that use all their bytes, framed by Python."""
    counters = Counters(*(0x01020304 * i % 2**32 for i in range(1, 8)))
    hello = Hello(0xBEEF, 2**63 + 5, "esp32c6", "1.2.3-rc1", "ß" * 16, Role.SENDER, False, layouts=tuple(range(1, 9)))
    yield encode_hello(hello)
    yield encode_heartbeat(Heartbeat(0xFFFF, 2**64 - 1, counters=counters))
    for name in load_layouts():
        yield from encode_csi(csi_frames(2, layout=name, first=2**32 - 1), boot=513)
    yield encode_imu(ImuSamples(1, 2**32 - 1, 2**31, 9615, 16, 2000, RNG.integers(-32768, 32767, (9, 6), np.int16)))
    yield encode_log(3, "E (1234) wifi: timeout", level=1)
    yield encode_decision(Decision(3, 77, 88, 0xDEADBEEF, None, 2, np.float32([-1e30, 1e-30, np.pi])))
    yield encode_model(BoardModel(3, 2**63 + 1, 0xDEADBEEF, 255, *(0x01020304 * i for i in range(1, 6))))
    yield encode_reply(Reply(3, 65535, ReplyStatus.FAILED, "channel 300"))
    yield wrap(*imu_payload(imu_hello("ß" * 16)))
    yield wrap(*imu_payload(ImuHeartbeat(3, 2**63 + 7, BoardFlag(15), 2**32 - 1, 0x01020304, 0x05060708, 9, 100)))


def payloads():
    """Lengths and zeros at the edges of COBS blocks, up to the longest payload."""
    yield b""
    for n in (1, 245, 246, 247, 253, 254, 255, 500, 508, 509, schema().max_payload_bytes):
        yield bytes(n)
        yield b"\xff" * n
        yield b"\xff" * (n - 1) + b"\0"
        yield RNG.integers(0, 3, n, np.uint8).tobytes()


def pieces():
    """What a decoder may find between two zeros: sound, cut, damaged, empty."""
    frame = wire()[0][1:-1]
    yield from (frame, frame[:-1], frame[1:], b"", b"\x01", b"\xff", frame[:5], b"log text\r\n", b"\0\x01\x02")
    for at in RNG.integers(0, len(frame), 100):
        damaged = bytearray(frame)
        damaged[at] ^= 1 << int(RNG.integers(8))
        yield bytes(damaged)
    yield from (framed[1:-1] for framed in messages())


def shapes():
    """Everything a chip may say of a frame, for every length that a layout has, and one that none has."""
    chips = {chip: family for chip, family in schema().chips.items() if chip in ("esp32s3", "esp32c5", "esp32c6")}
    lengths = sorted({row.values * (1 if row.bits <= 8 else 2) for row in load_layouts().values()} | {130})
    for (chip, family), n_bytes in itertools.product(chips.items(), lengths):
        for shape in itertools.product((0, 1, 2), (0, 1, 3), (0, 1), (0, 1)):
            yield chip, family, n_bytes, shape


def layout_id(family, n_bytes, shape):
    """As Python finds it, knowing that 12-bit values take two bytes each."""
    secondary, sig_mode, bandwidth, stbc = shape
    for width in (1, 2):
        found = layout_of(
            family, n_bytes // width, secondary=secondary, sig_mode=sig_mode, bandwidth=bandwidth, stbc=stbc
        )
        if found is not None and n_bytes % width == 0 and (found.bits > 8) == (width == 2):
            return found.id
    return 0


def life():
    """A busy board: a full queue, a link that stutters, commands, notes."""
    board = Life(IDENTITY, ring_bytes=4096)
    for i in range(60):
        values = RNG.integers(-128, 127, 384, np.int8)
        board.csi(values, t_us=i * 5000, tx_seq=i, flags=3, rssi_dbm=-40 - i, agc_gain=i)
        board.poll(i * 100_000, int(RNG.integers(0, 700)))
        if i % 20 == 7:
            board.receive(b"#%d rate %d\r\nfly\nhello\n" % (i, i))
            board.log(f"frame {i}")
            board.decide(i, 2, [0.5, -1.0, 2.0])
            board.filtered()
            board.csi(values[:100])
    board.poll(10_000_000)
    return board.script


def tag_life():
    """A busy tag: a link that comes and goes, a sensor that loses samples, commands, every rotation."""
    tag = TagLife(imu_hello("tag"), queue_samples=70)
    for i in range(90):
        x = RNG.integers(-32768, 32768, (int(RNG.integers(1, 30)), 6)).astype(np.int16)
        tag.samples(x, 2**32 - 5_000_000 + i * 100_000, lost=int(i % 9 == 4), period_ns=9_615_385)
        if i % 10 == 3:
            tag.link((0, room_ble(36), room_ble(247), room_ble(517))[i // 10 % 4])
        if i % 3 == 1:
            tag.write(b"#%d axes %d" % (i, i // 3 % 24))
        if i % 20 == 7:
            tag.write(b"gyro 250")
            tag.log(f"sample {i}")
        tag.poll(2**32 - 5_000_000 + i * 100_000, int(RNG.integers(0, 5)), meanwhile=i % 4)
    tag.read_heartbeat(2**33)
    return tag.script


def imu_hello(name):
    return ImuHello(3, 2**63 + 7, "nrf52840", "1.2.3-rc1", name, "lsm6dso", 104, 16, 2000, 23)


def turns():
    """Every rotation of vectors at the edges of int16."""
    vectors = [(1, 2, 3), (-32768, 32767, -1), (0, -32768, 0), (-32767, -32768, -32768)]
    return [(row, vector) for row in range(len(schema().axes)) for vector in vectors]


def script_and_answers():
    """Operations and what Python says to each; None: what the first compiler says."""
    expected = []
    operations = []
    for framed in messages():
        kind, payload = unwrap(framed[1:-1])
        head_bytes = next(row.head_bytes for row in schema().kinds.values() if row.id == kind)
        operations.append(core_cases.encode(kind, payload, head_bytes))
        expected.append([framed])
    for payload in payloads():
        operations += [core_cases.encode(200, payload), core_cases.packet(200, payload)]
        expected.append([wrap(200, payload), wrap_packet(200, payload)])
    for piece in pieces():
        found = unwrap(piece)
        operations.append(core_cases.decode(piece))
        if isinstance(found, Cause):
            expected.append([bytes([FAULTS.index(found), 0]), b""])
        else:
            expected.append([bytes([0, found[0]]), found[1]])
    for n in range(20):
        key, message = RNG.bytes(16), RNG.bytes(n)
        operations.append(core_cases.siphash(key, message))
        expected.append([siphash24(key, message).to_bytes(8, "little")])
    for row, vector in turns():
        operations.append(core_cases.turn(row, vector))
        expected.append([rotate(np.array([vector], np.int16), row).astype("<i2").tobytes()])
    for chip, family, n_bytes, shape in shapes():
        operations.append(core_cases.layout(chip, *shape, n_bytes))
        expected.append([bytes([layout_id(family, n_bytes, shape)])])
    return b"".join(operations), [record for records in expected for record in records]


SCRIPT, EXPECTED = script_and_answers()
LIFE = life() + tag_life()


@pytest.mark.parametrize("target", [*TARGETS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_TARGETS)])
def test_the_core_gives_python_s_bytes(target, core):
    first_life = core("gcc-O3")(LIFE)
    raw = core(target)(SCRIPT + LIFE)
    got = answers(raw[: len(raw) - len(first_life)])
    assert len(got) == len(EXPECTED)
    wrong = [i for i, (mine, theirs) in enumerate(zip(got, EXPECTED, strict=True)) if mine != theirs]
    assert not wrong, (wrong[:5], got[wrong[0]], EXPECTED[wrong[0]])
    assert raw[len(raw) - len(first_life) :] == first_life
