"""Several sensors in one file: each with its own labels and counts, whole whatever happens to the others."""

import asyncio
from collections import Counter

import numpy as np
import pytest

from edgehar.capture import Capture
from edgehar.errors import InputError, Reason
from edgehar.label_keys import TypedLabels
from edgehar.live import Stop
from edgehar.recording import Recording, repair
from edgehar.types import Chunk, StreamSpec

SPEC = StreamSpec("imu", ("acc_x",), 100.0, ("g",))


class Sensor:
    """Ten chunks of ten samples; `act(i)` happens before chunk i."""

    def __init__(self, offset_ns=0, act=lambda _i: None, counts=None):
        self.spec = SPEC
        self._offset_ns, self._act = offset_ns, act
        if counts is not None:
            self.counts = Counter(counts)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def __aiter__(self):
        for i in range(10):
            self._act(i)
            await asyncio.sleep(0)
            number = np.arange(10 * i, 10 * i + 10)
            t_ns = self._offset_ns + number * 10_000_000
            yield Chunk(SPEC, t_ns, t_ns, number, np.zeros((10, 1), np.float32), np.zeros(10, np.uint16))

    def label_at(self, t_dev_ns):
        return ""


def record(out, sources, **options):
    async def run():
        await Capture(sources, out, **options).run(Stop())

    asyncio.run(run())
    return Recording.open(out)


def test_typed_labels_stand_in_each_device_s_own_time(tmp_path):
    typed = TypedLabels.parse("w=walking")
    sensors = {
        "wrist": Sensor(act=lambda i: typed.type("w") if i in (3, 7) else None),
        "ankle": Sensor(offset_ns=5_000_000_000),
    }
    recording = record(tmp_path / "r.mcap", sensors, typed=typed)
    spans = {
        name: [(s.t0_ns // 1_000_000, s.t1_ns // 1_000_000, s.label) for s in recording.labels_of(name)]
        for name in sensors
    }
    assert spans["wrist"] == [(300, 700, "walking")]
    ((begin, end, label),) = spans["ankle"]
    assert label == "walking"
    assert 5000 <= begin < end <= 6000


def test_counts_of_a_source_go_into_the_file_and_through_repair(tmp_path):
    sensors = {"csi": Sensor(counts={"frames": 100, "lost_link": 3}), "imu": Sensor()}
    recording = record(tmp_path / "r.mcap", sensors)
    assert recording.counts == {"csi": {"frames": 100, "lost_link": 3}}
    repair(tmp_path / "r.mcap", tmp_path / "again.mcap")
    assert Recording.open(tmp_path / "again.mcap").counts == recording.counts


def test_one_sensor_that_fails_leaves_the_others_whole(tmp_path):
    def fail(i):
        if i == 5:
            raise InputError("the strap broke", reason=Reason.DAMAGED, hint="mend it")

    with pytest.raises(InputError, match="strap"):
        record(tmp_path / "r.mcap", {"wrist": Sensor(act=fail), "ankle": Sensor()}, label="dance")
    recording = Recording.open(tmp_path / "r.mcap")
    assert not recording.truncated
    assert len(recording.read("wrist")) == 50
    assert {span.label for span in recording.labels} == {"dance"}
