"""`check_*` functions: what every source, Bluetooth LE sensor, sink, runtime and meter must do; for its tests."""

from __future__ import annotations

from edgehar.testing.ble_device import check_ble_device
from edgehar.testing.fault import ProtocolFaultError
from edgehar.testing.meter import check_meter
from edgehar.testing.runtime import check_runtime
from edgehar.testing.sink import check_sink
from edgehar.testing.source import check_source

__all__ = ["ProtocolFaultError", "check_ble_device", "check_meter", "check_runtime", "check_sink", "check_source"]
