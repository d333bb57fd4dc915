"""Source addresses."""

import pytest

from edgehar.errors import Reason, UsageError
from edgehar.sources import SourceUri, open_source
from edgehar.sources.uri import typed


@pytest.mark.parametrize(
    ("text", "name", "scheme", "locator", "query"),
    [
        ("virtual:imu?seed=1&loss=0.1", "", "virtual", "imu", {"seed": "1", "loss": "0.1"}),
        ("wrist=virtual:imu", "wrist", "virtual", "imu", {}),
        ("ble:AA:BB:CC:DD:EE:FF", "", "ble", "AA:BB:CC:DD:EE:FF", {}),
        ("csi:/dev/ttyACM0?baud=921600", "", "csi", "/dev/ttyACM0", {"baud": "921600"}),
        ("replay:a%3Fb%20c.mcap?stream=l%26r", "", "replay", "a?b c.mcap", {"stream": "l&r"}),
        ("replay:x=1.mcap", "", "replay", "x=1.mcap", {}),
    ],
)
def test_address_is_split_at_the_first_colon_and_percent_decoded(text, name, scheme, locator, query):
    uri = SourceUri.parse(text)
    assert (uri.name, uri.scheme, uri.locator, dict(uri.query)) == (name, scheme, locator, query)


@pytest.mark.parametrize("locator", ["/dev/ttyACM0", "rfc2217://attic:4000?ign_set_control", "100%", "a&b=c d"])
def test_an_address_is_written_as_it_is_read(locator):
    uri = SourceUri.parse(typed("csi", locator) + "?baud=115200")
    assert (uri.scheme, uri.locator, dict(uri.query)) == ("csi", locator, {"baud": "115200"})
    assert typed("csi", "/dev/ttyACM0") == "csi:/dev/ttyACM0"


@pytest.mark.parametrize("text", ["walk.mcap", ":imu", "virtual:imu?seed", "virtual:imu?seed=1&seed=2", "virtual:i?=3"])
def test_malformed_addresses_are_refused(text):
    with pytest.raises(UsageError) as caught:
        SourceUri.parse(text)
    assert caught.value.hint


def test_an_unknown_key_is_refused_naming_those_allowed():
    with pytest.raises(UsageError, match="unknown key 'seeed'") as caught:
        open_source("virtual:imu?seeed=3")
    assert "seed" in caught.value.hint
    assert "jitter_ms" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["virtual:imu?loss=2", "virtual:imu?loss=much", "virtual:imu?seed=1.5", "virtual:imu?rate_hz=nan"]
)
def test_a_value_out_of_range_is_refused(text):
    with pytest.raises(UsageError) as caught:
        open_source(text)
    assert caught.value.reason is Reason.VALUE


def test_an_unknown_scheme_suggests_the_nearest():
    with pytest.raises(UsageError) as caught:
        open_source("replya:x.mcap")
    assert "replay" in caught.value.hint


@pytest.mark.parametrize("text", ["virtual:gps", "stdin:json", "replay:"])
def test_an_unknown_locator_is_refused(text):
    with pytest.raises(UsageError):
        open_source(text)
