"""The whole chain without a radio: bleak, bluetoothd, the kernel's hci_vhci, and virtual tags, in a virtual machine."""

from __future__ import annotations

import pytest

pytest.importorskip("bumble", reason="needs pip install 'edgehar[virtual]'")

from edgehar.cli.app import main
from edgehar.demo import BUNDLE
from tests.slow.ble_vm import ble_acts

pytestmark = [pytest.mark.slow, pytest.mark.alone]

SECONDS = 60


def test_tags_over_a_real_bluetooth_stack(tmp_path):
    recording = tmp_path / "walk.mcap"
    assert (
        main(["record", "--source", "virtual:imu?seed=4&duration_s=20&dwell_s=6&speed=0", "--out", str(recording)]) == 0
    )
    acts = ble_acts(tmp_path, BUNDLE, recording, SECONDS)
    stream, drop, both, fast, run = (acts[name] for name in ("stream", "drop", "both", "fast", "run"))
    print("200 Hz, reported only:", fast)
    # 100 Hz for a minute without a gap.
    assert stream["stream_s"] >= SECONDS
    assert stream["samples"] >= 100 * SECONDS
    assert stream["missing"] == 0, stream
    # A dropped link comes back; what was on its way when it went, bluetoothd's share included, is told as lost by it.
    assert drop["counts"]["reconnects"] >= 1, drop
    assert drop["missing"] == drop["counts"].get("lost_link", 0), drop
    # Two at once, on one adapter.
    for name in ("wrist", "leg"):
        assert both[name]["missing"] == 0, both
        assert both[name]["samples"] >= 1000
    # edgehar run decides on the air as on the recording of what the tag measured.
    assert run["codes"] == [0, 0]
    assert 8 <= run["live"] <= run["replayed"]
    assert not run["differ"], run
    assert run["first"][0]["simulated"]
