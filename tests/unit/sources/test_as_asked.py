"""A bundle's units and channels where they are but another way to say what was measured; else the sensor as it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from imu_motion import SPEC, chunks, held

from edgehar.sources.as_asked import AsAsked, conversion
from edgehar.testing.source import check_source
from edgehar.types import StreamSpec

G, DEG = 9.80665, 180 / np.pi
METRIC = replace(SPEC, units=("mps2",) * 3 + ("dps",) * 3)


class Sensor:
    def __init__(self):
        self.spec, self.counts = SPEC, Counter(samples=100)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def __aiter__(self):
        for chunk in chunks(held([0, 0, 1], 2)):
            yield chunk

    def label_at(self, t_dev_ns):
        return "resting"


def test_units_are_the_bundle_s():
    found = check_source(lambda: AsAsked(Sensor(), METRIC))
    assert found[0].spec == METRIC
    x = np.concatenate([chunk.x for chunk in found])
    raw = np.concatenate([chunk.x for chunk in chunks(held([0, 0, 1], 2))])
    np.testing.assert_allclose(x, raw * [G, G, G, DEG, DEG, DEG], rtol=1e-6)


def test_channels_are_chosen_and_ordered():
    wanted = StreamSpec("imu", ("acc_z", "acc_x"), 50.0, ("g", "g"))
    found = check_source(lambda: AsAsked(Sensor(), wanted))
    assert found[0].spec.channels == ("acc_z", "acc_x")
    assert found[0].spec.session_id == "tag-1"
    np.testing.assert_allclose(found[0].x[:, 0].mean(), 1.04, atol=0.02)


@pytest.mark.parametrize(
    "wanted",
    [
        SPEC,
        StreamSpec("imu", ("mag_x",), 50.0, ("uT",)),
        StreamSpec("imu", ("acc_x",), 50.0, ("radps",)),
        StreamSpec("imu", ("acc_x",), 50.0, ("1",)),
    ],
)
def test_what_cannot_be_derived_is_left_as_it_is(wanted):
    assert conversion(SPEC, wanted) is None
    found = check_source(lambda: AsAsked(Sensor(), wanted))
    assert found[0].spec == SPEC


def test_counts_and_labels_are_the_sensor_s():
    seen = AsAsked(Sensor(), METRIC)
    assert seen.counts == {"samples": 100}
    assert seen.label_at(0) == "resting"
