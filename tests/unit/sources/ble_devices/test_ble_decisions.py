"""A device that dates nothing, through the pipeline: smoothed arrivals decide as the true times do."""

import asyncio

import numpy as np

from edgehar.bundle import open_bundle
from edgehar.demo import BUNDLE
from edgehar.pipeline import Pipeline
from edgehar.sources import open_source
from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.ble_devices.thingy52 import RAW, SCALE, make
from edgehar.types import Chunk, Status

EVENT_NS = 30e6  # a connection interval


async def motion():
    async with open_source("virtual:imu?seed=3&duration_s=90&speed=0") as source:
        chunks = [chunk async for chunk in source]
    return np.concatenate([chunk.x for chunk in chunks]), np.concatenate([chunk.t_dev_ns for chunk in chunks])


def decide(chunks):
    pipeline = Pipeline(open_bundle(BUNDLE), clock=lambda: 0)
    return [activity for chunk in chunks for activity in pipeline.push(chunk)]


def test_smoothed_arrivals_decide_as_true_times():
    x, t_ns = asyncio.run(motion())
    raw = np.rint(x / SCALE).astype("<i2")
    rng = np.random.default_rng(0)
    events = np.ceil((t_ns - t_ns[0] + 1e6) / EVENT_NS) + (rng.random(len(t_ns)) < 0.1)  # one in ten comes late
    host_ns = (np.maximum.accumulate(events) * EVENT_NS).astype(np.int64)
    device = make(Choice(placement="wrist"))
    chunks = [
        c for row, at in zip(raw, host_ns, strict=True) for c in device.take(RAW, row.tobytes() + bytes(6), int(at))
    ]
    n = len(t_ns)
    values = (raw * SCALE).astype(np.float32)
    truth = Chunk(chunks[0].spec, t_ns, host_ns, np.arange(n), values, np.zeros(n, np.uint16))
    found, expected = decide(chunks), decide([truth])
    assert abs(len(found) - len(expected)) <= 1
    assert {activity.status for activity in found} <= {Status.OK, Status.UNSURE}
    same = [one.label == other.label for one, other in zip(found, expected, strict=False)]
    assert np.mean(same) > 0.95
