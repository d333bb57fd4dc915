"""Record, then replay: the decisions are the same bytes, all but the latency in "meta"."""

import json

import pytest
from factories import random_bundle

from edgehar.bundle import Decision, save_bundle
from edgehar.cli.app import main

FAULTS = "virtual:imu?seed=9&duration_s=40&loss=0.08&jitter_ms=25&drift_ppm=120"


def without_meta(path):
    lines = []
    for line in path.read_text().splitlines():
        head, separator, _ = line.rpartition(', "meta": ')
        assert separator
        assert "latency_ns" in json.loads(line)["meta"]
        lines.append(head)
    return lines


@pytest.mark.parametrize("family", ["fastgrnn", "cnn", "l2mu"])
def test_decisions_on_a_replay_are_those_of_the_live_run(tmp_path, family):
    decision = Decision(smooth=3, abstain_below=0.5, min_coverage=0.7)
    save_bundle(random_bundle(family, window=60, hop=20, decision=decision), tmp_path / "b.edgehar")
    bundle, recording = str(tmp_path / "b.edgehar"), tmp_path / "live.mcap"

    def decide(name, source, *more):
        out = tmp_path / name
        assert main(["run", bundle, "--source", source, "--sink", f"jsonl:{out}", *more]) == 0
        return without_meta(out)

    live = decide("live.jsonl", FAULTS, "--speed", "40", "--record", str(recording))
    assert len(live) > 60
    assert len({json.loads(line + "}")["status"] for line in live}) > 1
    assert decide("fast.jsonl", f"replay:{recording}", "--speed", "0") == live
    assert decide("paced.jsonl", f"replay:{recording}?speed=60") == live
    second = tmp_path / "second.mcap"
    assert decide("again.jsonl", f"replay:{recording}", "--speed", "0", "--record", str(second)) == live
    assert decide("copy.jsonl", f"replay:{second}", "--speed", "0") == live
