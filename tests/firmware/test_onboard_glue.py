"""The firmware with a model, against a fake ESP-IDF: it decides what the host decides from the same frames."""

from dataclasses import replace

import numpy as np
import pytest

from edgehar.pipeline import Pipeline
from edgehar.sources.csi_stream import CsiStream
from edgehar.types import Status
from edgehar.wire.messages import BoardFlag
from tests.firmware.csi_model import csi_bundle, emitted
from tests.firmware.glue import PROVISIONED, build, csi, live
from tests.quantised import quantised
from tests.wire_frames import csi_frames, numbers

RECEIVER = (*PROVISIONED, "usb 1", "run 100")
OTHER = "1a0000000002"
STATUS = {0: Status.OK, 1: Status.UNSURE, 2: Status.NO_DATA}
IQ = csi_frames(200, seed=8).iq.astype(np.int8)
QUEUED = 19  # how many frames of 384 values the model's queue holds


@pytest.fixture(scope="module")
def bundle():
    """Integers, so that the board's logits are the host's to the bit; unsure at times, and smoothed."""
    made = quantised(csi_bundle(), "int8")
    decision = replace(made.manifest.decision, smooth=2, abstain_below=0.4)
    return replace(made, manifest=replace(made.manifest, decision=decision))


@pytest.fixture(scope="module")
def node(bundle, tmp_path_factory):
    """node(*script, defines=) -> Life of a board with the model."""
    directory = tmp_path_factory.mktemp("onboard")
    model = emitted(bundle, directory / "model").directory
    return lambda *script, defines=(): live(build("esp32s3", directory, model, *defines), *script)


def heard(steps_ms, first=0, began_ms=1000, **how):
    """A frame before each step of time; the radio's clock says `began_ms` at the first."""
    lines, now_us = [], began_ms * 1000
    for i, step_ms in enumerate(steps_ms):
        lines += [csi(now_us, seq=first + i, values=IQ[first + i], **how), f"run {step_ms}"]
        now_us += step_ms * 1000
    return lines


def judged_by_the_host(bundle, raw):
    """What the pipeline makes of the frames that the board sent."""
    stream, pipeline = CsiStream(), Pipeline(bundle, "reference")
    found = []
    for chunk in [*stream.push(raw, 0), *stream.finish(1)]:
        pipeline.push(chunk)
        found += pipeline.last_judged
    return found


def test_the_board_decides_what_the_host_decides_from_the_same_frames(bundle, node):
    steps_ms = np.random.default_rng(3).choice([6, 10, 14], 160)  # as they arrive in bursts
    life = node(*RECEIVER, *heard(steps_ms), "run 1200")
    assert numbers(life.runs) == list(range(160))
    wanted = judged_by_the_host(bundle, life.raw)
    decisions = list(life.decoder.decisions)
    assert len(decisions) == len(wanted) > 10
    for mine, his in zip(decisions, wanted, strict=True):
        assert np.array_equal(mine.logits, his.scores.logits.astype(np.float32))
        label = None if mine.label is None else bundle.manifest.labels[mine.label]
        assert STATUS[mine.certainty] == his.activity.status
        assert label == his.activity.label
    assert {decision.certainty for decision in decisions} == {0, 1}
    times = np.concatenate([run.meta["t_us"] for run in life.runs])
    assert all(times[decision.rx_seq] == decision.t_us for decision in decisions)
    told = life.decoder.model
    assert (told.frames, told.skipped, told.unfit, told.decisions) == (160, 0, 0, len(decisions))
    assert (told.model, told.layout, told.mac_hash) == (0x0D0C0B0A, 14, life.runs[0].meta["mac_hash"][0])
    assert not life.decoder.losses


def test_frames_that_come_faster_than_the_model_takes_them_are_skipped_and_counted(node):
    burst = [csi(1_400_000 + 10_000 * i, seq=40 + i, values=IQ[40 + i]) for i in range(34)]
    life = node(*RECEIVER, *heard([10] * 40), "run 340", *burst, "run 3000")
    told = life.decoder.model
    assert (told.frames, told.skipped) == (40 + QUEUED, 34 - QUEUED)
    assert len(numbers(life.runs)) + sum(life.decoder.losses.values()) == 74  # the host's frames are another matter
    assert told.decisions == len(life.decoder.decisions)
    # Frames 40 to 54 are missing in every window from then on: too many to be sure of anything.
    told = [(decision.rx_seq, decision.certainty) for decision in life.decoder.decisions]
    assert told == [(31, 0), (39, 1), (55, 2), (55, 2), (63, 2), (71, 2)]


def test_the_model_lets_others_run_between_two_frames(node):
    burst = [csi(1_000_000 + 10_000 * i, seq=i, values=IQ[i]) for i in range(QUEUED)]
    life = node(*RECEIVER, "run 300", *burst, "run 9", *burst, "run 1200")
    told = life.decoder.model
    assert QUEUED - 10 <= told.skipped <= QUEUED - 8  # a frame each millisecond left the queue meanwhile


def test_a_stopped_board_goes_on_deciding(node):
    life = node(
        *RECEIVER, *heard([10] * 40), "host #1 stop", "run 10", *heard([10] * 40, first=40, began_ms=1410), "run 1000"
    )
    assert numbers(life.runs) == list(range(40))
    assert [decision.rx_seq for decision in life.decoder.decisions] == [31, 39, 40, 40, 40, 40, 40]
    assert life.decoder.model.frames == 80
    assert not life.decoder.losses


def test_a_board_for_decisions_only_sends_frames_when_it_is_told_to(node):
    alone = ("EH_ONBOARD_ALONE=1",)
    life = node(*RECEIVER, *heard([10] * 40), "run 1000", defines=alone)
    assert life.runs == []
    assert BoardFlag.RUNNING not in life.decoder.hello.flags
    assert len(life.decoder.decisions) == 2
    assert sum(map(len, life.raw.split(b"\0"))) < 1200
    life = node(*RECEIVER, "host start", "run 10", *heard([10] * 40), "run 1000", defines=alone)
    assert numbers(life.runs) == list(range(40))


def test_only_frames_of_its_layout_and_of_one_sender_reach_the_model(node):
    lines = heard([10] * 40)
    for i in range(10):  # two more lines for every fourth frame
        lines[8 * i] += f"\n{csi(1_000_000 + 40_000 * i, seq=i, mac=OTHER)}"
        lines[8 * i] += f"\n{csi(1_000_000 + 40_000 * i, seq=i, values=IQ[0][:256], cwb=0)}"
    life = node(*RECEIVER, *lines, "run 1200")
    told = life.decoder.model
    assert (told.frames, told.unfit, told.decisions) == (40, 20, 2)
    assert told.mac_hash == life.runs[0].meta["mac_hash"][0]


def test_a_sender_that_is_heard_keeps_its_place(node):
    life = node(*RECEIVER, *heard([500] * 24), csi(13_000_000, seq=0, mac=OTHER), "run 1200")
    told = life.decoder.model
    assert (told.frames, told.unfit) == (24, 1)
    assert told.mac_hash == life.runs[0].meta["mac_hash"][0]


def test_another_sender_takes_the_place_of_one_that_fell_silent(node):
    second = heard([10] * 40, first=40, mac=OTHER, began_ms=11_600)
    life = node(*RECEIVER, *heard([10] * 40), "run 10200", *second, "run 1200")
    told = life.decoder.model
    assert (told.frames, told.unfit, told.decisions) == (80, 0, 4)
    assert len({int(hash_) for run in life.runs for hash_ in run.meta["mac_hash"]}) == 2
    assert told.mac_hash == life.runs[-1].meta["mac_hash"][-1]


def test_a_model_that_gets_nothing_says_so_every_second(node):
    life = node(*RECEIVER, "run 5000")
    told = life.decoder.model
    assert (told.frames, told.mac_hash, told.decisions) == (0, 0, 0)
    assert told.t_us > 4_000_000


def test_a_firmware_without_a_model_says_nothing_of_one(tmp_path):
    life = live(build("esp32s3", tmp_path), *RECEIVER, *heard([10] * 40), "run 1200")
    assert life.decoder.model is None
    assert not life.decoder.decisions
    assert numbers(life.runs) == list(range(40))
