"""Every kind of sensor there is: no two take an advertisement for their own, and whatever arrives, none breaks."""

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.errors import InputError
from edgehar.sources.ble_devices import BLE_DEVICES
from edgehar.sources.ble_devices.base import Advertised, Choice, Subscribe, Write
from edgehar.testing.ble_device import set_going
from edgehar.testing.source import check_chunks
from edgehar.wire.gatt import SERVICE_UUID

ADVERTISEMENTS = {
    "edgehar-tag": Advertised("AA", services=frozenset({SERVICE_UUID})),
    "arduino": Advertised("AA", "edgehar-nano", frozenset({"7d0a0101-5c1e-4b6f-9a3d-2f6e8b1c4d70"})),
    "arduino-science": Advertised("AA", "BLESense - 12AB", frozenset({"555a0002-0000-467a-9538-01f0652c74e8"})),
    "bangle": Advertised("AA", "Bangle.js 12ab", frozenset({"6e400001-b5a3-f393-e0a9-e50e24dcca9e"})),
    "movesense": Advertised("AA", "Movesense 174630000192", frozenset({"0000fdf3-0000-1000-8000-00805f9b34fb"})),
    "pinetime": Advertised("AA", "InfiniTime"),
    "polar": Advertised("AA", "Polar H10 821A5D29", frozenset({"0000180d-0000-1000-8000-00805f9b34fb"})),
    "sensortag": Advertised("AA", "CC2650 SensorTag", frozenset({"0000aa80-0000-1000-8000-00805f9b34fb"})),
    "sensortile": Advertised("AA", "AM1V310", manufacturer={0x0601: bytes.fromhex("00E20000C0FFEE123456")}),
    "thingy52": Advertised("AA", "Thingy", frozenset({"ef680100-9b35-4933-9b10-52ffa9740042"})),
    "thingy53": Advertised("AA", "EI Thingy53"),
}
OTHERS = (
    Advertised("AA"),
    Advertised("AA", "JBL Flip 5", manufacturer={0x004C: b"\x02\x15" + bytes(21)}),
    Advertised("AA", "Forerunner 245", frozenset({"0000180d-0000-1000-8000-00805f9b34fb"})),
    Advertised("AA", "Puck.js 12ab", frozenset({"6e400001-b5a3-f393-e0a9-e50e24dcca9e"})),
)
MODULES = {name: importlib.import_module(module) for name, module in BLE_DEVICES.items()}


def test_every_kind_is_recognised_by_itself_alone():
    assert list(ADVERTISEMENTS) == list(MODULES)
    for name, advertised in ADVERTISEMENTS.items():
        assert [kind for kind, module in MODULES.items() if module.known(advertised)] == [name]


@pytest.mark.parametrize("advertised", OTHERS, ids=lambda advertised: advertised.name or "nameless")
def test_nothing_else_is_taken_for_one(advertised):
    assert not [kind for kind, module in MODULES.items() if module.known(advertised)]


@given(
    st.text(max_size=30),
    st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=24), max_size=3),
    st.integers(-127, 20),
)
def test_any_advertisement_is_answered(name, manufacturer, rssi_dbm):
    for module in MODULES.values():
        assert module.known(Advertised("AA", name, frozenset({name}), manufacturer, rssi_dbm)) in (True, False)


def uuids(module):
    """What values arrive on; the device answers nothing."""
    steps, _ = set_going(module.make(Choice()))
    asked = {step.uuid for step in steps if not isinstance(step, Write)}
    return sorted(asked), sorted({step.uuid for step in steps if isinstance(step, Subscribe)})


HEADS = st.sampled_from([b"\x02", b"\x02\x63", b"\x03\x63", b"\xf0\x02"])
NEARLY = st.sampled_from([bytes(20), b"\xff" * 18, b"E1,2,3,4,5\n", b"1.00,2.00,3.00\r\n", b"\x02\x63" + bytes(100)])
BYTES = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=10, max_size=250),
    NEARLY,
    st.builds(lambda head, body: head + body, HEADS, st.binary(max_size=120)),
)


@pytest.mark.parametrize("name", list(MODULES))
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_arrives_nothing_breaks(name, data):
    module = MODULES[name]
    device = module.make(Choice(rate_hz=data.draw(st.sampled_from([0.0, 50.0]))))
    every, notified = uuids(module)
    host_ns, chunks = 0, []
    for _ in range(data.draw(st.integers(1, 25))):
        host_ns += data.draw(st.sampled_from([0, 1, 20_000_000, 3_000_000_000]))
        uuid = data.draw(st.sampled_from(notified * 3 + every))
        try:
            chunks += device.take(uuid, data.draw(BYTES), host_ns)
        except InputError:
            return  # nothing further can be made of the device: it is given up
        if data.draw(st.integers(0, 9)) == 0:
            device.interrupt()
    if chunks:
        check_chunks(chunks, device.spec)
        assert device.counts["samples"] == sum(map(len, chunks))
