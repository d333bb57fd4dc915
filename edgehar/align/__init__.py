"""Several sensors on one time line: each device's clock fitted, its link's least delay taken off, one grid for all.

Pure and synchronous; `edgehar.sources.aligned` feeds it from live sources.
"""

from edgehar.align.aligner import Aligner
from edgehar.align.delay import UNKNOWN, LeastDelay, ble_delay, parse_delay, serial_delay
from edgehar.align.timeline import DeviceFit, DeviceTime

__all__ = [
    "UNKNOWN",
    "Aligner",
    "DeviceFit",
    "DeviceTime",
    "LeastDelay",
    "ble_delay",
    "parse_delay",
    "serial_delay",
]
