"""COBS, the envelope, SipHash and 32-bit counters: known answers and refusals."""

import zlib

import pytest

from edgehar.wire.cobs import cobs_decode, cobs_encode
from edgehar.wire.envelope import HEAD, MAX_CODED_BYTES, unwrap, wrap
from edgehar.wire.frames import Cause
from edgehar.wire.schema import schema
from edgehar.wire.siphash import mac_hash, siphash24
from edgehar.wire.unwrap import unwrap32

# Cheshire and Baker's examples as tabulated by common implementations; long runs at the block's limit.
RUN = bytes(range(1, 255))
COBS = [
    (b"", "01"),
    (b"\x00", "0101"),
    (b"\x00\x00", "010101"),
    (bytes.fromhex("11220033"), "0311220233"),
    (bytes.fromhex("11220000"), "0311220101"),
    (RUN, "ff" + RUN.hex()),
    (b"\x00" + RUN, "01ff" + RUN.hex()),
    (RUN + b"\xff", "ff" + RUN.hex() + "02ff"),
    (RUN + b"\x00", "ff" + RUN.hex() + "0101"),
]
# The authors' reference table for key 00..0f and messages 00, 00 01, ...: lengths 0, 1, 7, 8 and 15.
SIPHASH = [(0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (7, 0xAB0200F58B01D137), (8, 0x93F5F5799A932462)]


@pytest.mark.parametrize(("raw", "coded"), COBS)
def test_cobs_gives_the_published_bytes(raw, coded):
    assert cobs_encode(raw).hex() == coded
    assert cobs_decode(bytes.fromhex(coded)) == raw


@pytest.mark.parametrize("coded", ["", "00", "02", "05112233", "0311002202ff", "ff0102"])
def test_cobs_refuses_what_it_cannot_have_made(coded):
    assert cobs_decode(bytes.fromhex(coded)) is None


@pytest.mark.parametrize(("n", "expected"), [*SIPHASH, (15, 0xA129CA6149BE45E5)])
def test_siphash_gives_the_authors_values(n, expected):
    assert siphash24(bytes(range(16)), bytes(range(n))) == expected


def test_a_mac_hash_depends_on_the_key_and_fits_32_bits():
    mac = bytes.fromhex("1a0000000001")
    hashes = {mac_hash(bytes([i]) * 16, mac) for i in range(50)}
    assert len(hashes) == 50
    assert max(hashes) < 2**32
    with pytest.raises(ValueError, match="16"):
        mac_hash(b"short", mac)


def test_an_envelope_opens_to_what_was_put_in():
    framed = wrap(3, b"\x00payload\x00")
    assert framed[0] == framed[-1] == 0
    assert 0 not in framed[1:-1]
    assert unwrap(framed[1:-1]) == (3, b"\x00payload\x00")


def test_the_longest_payload_fits_the_decoder_and_none_longer_is_sent():
    longest = schema().max_payload_bytes
    assert len(wrap(3, b"\x01" * longest)) - 2 <= MAX_CODED_BYTES
    with pytest.raises(ValueError, match=str(longest)):
        wrap(3, bytes(longest + 1))


def sealed(body):
    return cobs_encode(body + zlib.crc32(body).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("coded", "cause"),
    [
        (b"\x05ab", Cause.COBS),
        (cobs_encode(b"1234567"), Cause.LENGTH),
        (sealed(HEAD.pack(1, 3, 4) + b"abc"), Cause.LENGTH),
        (cobs_encode(HEAD.pack(1, 3, 3) + b"abc" + bytes(4)), Cause.CRC),
        (sealed(HEAD.pack(2, 3, 3) + b"abc"), Cause.VERSION),
    ],
)
def test_an_envelope_says_why_it_does_not_open(coded, cause):
    assert unwrap(coded) is cause


def test_a_counter_of_32_bits_goes_on_past_its_end():
    assert unwrap32([2**32 - 2, 2**32 - 1, 0, 5], near=2**32 - 3).tolist() == [2**32 - 2, 2**32 - 1, 2**32, 2**32 + 5]
    assert unwrap32([7, 3], near=5 * 2**32).tolist() == [5 * 2**32 + 7, 5 * 2**32 + 3]
    assert unwrap32([2**32 - 1], near=2**32).tolist() == [2**32 - 1]
    assert unwrap32([], near=9).tolist() == []
