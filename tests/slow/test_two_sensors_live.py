"""Two simulated tags on cables, one unplugged and plugged in again: who speaks, and that a replay decides the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from factories import AXES, random_bundle

from edgehar.bundle import save_bundle

pytestmark = pytest.mark.slow
EDGEHAR = [sys.executable, "-m", "edgehar"]
PATIENCE_S = 180  # a failure of the chain, not of a busy machine
BOTH, ALONE = ["wrist", "leg"], ["wrist"]


@pytest.fixture
def bundle(tmp_path):
    random = random_bundle("fusion", window=50, hop=24, channels=12)
    contract = random.manifest.contract
    channels = tuple(f"{sensor.name}.{axis}" for sensor in contract.sensors for axis in AXES)
    contract = replace(contract, channels=channels, units=(("g",) * 3 + ("radps",) * 3) * 2)
    save_bundle(replace(random, manifest=replace(random.manifest, contract=contract)), tmp_path / "two.edgehar")
    return tmp_path / "two.edgehar"


@contextmanager
def tag(directory, name):
    """A simulated tag whose port is `directory`/`name`."""
    link = directory / name
    command = [*EDGEHAR, "virtual", "imu", "--port-link", str(link), "--id", name, "--seed", str(len(name))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(link.exists)
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def wait_for(done):
    until_s = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until_s, "nothing came of it"
        time.sleep(0.1)


def decided(path):
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def spoke(path):
    return [line["meta"].get("sensors") for line in decided(path)]


def test_a_tag_that_is_unplugged_hands_over_and_is_heard_again(bundle, tmp_path):
    live, again, kept = tmp_path / "live.jsonl", tmp_path / "again.jsonl", tmp_path / "live.mcap"
    with tag(tmp_path, "wrist"):
        with tag(tmp_path, "leg"):
            addresses = [f"{name}=imu:{tmp_path / name}?patience_s={PATIENCE_S}" for name in BOTH]
            options = ["--source", addresses[0], "--source", addresses[1], "--record", str(kept)]
            command = [*EDGEHAR, "run", str(bundle), *options, "--sink", f"jsonl:{live}"]
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            wait_for(lambda: spoke(live).count(BOTH) >= 4)
        wait_for(lambda: spoke(live)[-4:] == [ALONE] * 4)
        with tag(tmp_path, "leg"):
            wait_for(lambda: spoke(live)[-4:] == [BOTH] * 4)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130
    assert "wrist: clock" in said
    assert "baud" in said
    replayed = [*EDGEHAR, "run", str(bundle), "--source", f"replay:{kept}", "--speed", "0", "--sink", f"jsonl:{again}"]
    subprocess.run(replayed, check=True, capture_output=True, env={**os.environ})
    facts = [[{k: v for k, v in line.items() if k != "meta"} for line in decided(path)] for path in (live, again)]
    # Ctrl-C takes what has not been put out yet; a replay has the rest of the file.
    assert facts[1][: len(facts[0])] == facts[0]
    assert spoke(again)[: len(facts[0])] == spoke(live)
