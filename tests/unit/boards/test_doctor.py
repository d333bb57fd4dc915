"""The doctor and boards that are ill in one way each: that finding fails, the others do not; a fix is named."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgehar.boards.doctor import Health, Limits
from edgehar.boards.doctor_checkup import check, examine
from edgehar.boards.doctor_observe import Listening
from edgehar.boards.virtual_board import BoardSettings, VirtualBoard
from edgehar.boards.virtual_board_faults import parse_faults
from edgehar.boards.virtual_board_port import PtyPlug, ServedBoard
from edgehar.cli.app import main
from edgehar.errors import UsageError
from edgehar.sources.virtual_csi_radio import RadioSettings
from edgehar.wire.encode import encode_decision, encode_heartbeat, encode_hello, encode_model
from edgehar.wire.messages import BoardFlag, BoardModel, Decision, Heartbeat, Hello

RADIO = RadioSettings(seed=3, rate_hz=50, layout="classic-none-ht20", activity="sitting", gain_lock=True)
SECONDS = 8


def checkup(*faults, radio=RADIO, commands=b"", stretch=1.0, **settings):
    """Findings by name, after eight seconds of stream time. stretch: of the host's clock against true time."""
    board = VirtualBoard(BoardSettings(radio=radio, faults=parse_faults(faults), **settings))
    listening = Listening("/dev/board", settings.get("baud", 921_600))
    for t_us in range(0, SECONDS * 1_000_000 + 1, 10_000):
        listening.push(board.read_until(t_us), round(t_us * 1000 * stretch))
        if t_us == 1_000_000:
            board.receive(commands)
    found = check("csi:/dev/board", listening.observation(), SECONDS)
    assert [one.fix == "" for one in found.findings] == [
        one.health in (Health.OK, Health.UNKNOWN) for one in found.findings
    ]
    json.dumps(found.json())
    return found, {one.check: one for one in found.findings}


def failing(findings):
    return {name for name, one in findings.items() if one.health is Health.FAIL}


def test_a_board_in_good_health():
    found, findings = checkup()
    assert {one.health for one in findings.values()} == {Health.OK}
    assert not found.is_ill
    assert found.simulated
    assert "SIMULATED" in findings["firmware"].measured
    assert {"port", "csi", "traffic", "rate", "link budget", "dead subcarriers", "gain", "clock"} <= set(findings)


@pytest.mark.parametrize(
    ("faults", "ill"),
    [
        (["csi_off"], {"csi"}),
        (["no_traffic"], {"traffic"}),
        (["silent"], {"speaks"}),
        (["dead=8"], {"dead subcarriers"}),
        (["loss=0.3"], {"lost radio"}),
        (["link_loss=0.3"], {"lost link"}),
        (["reboot_every_s=3"], {"restarts"}),
        (["drift_ppm=900"], {"clock"}),
        (["bit_errors=1e-4"], {"damaged frames", "lost link"}),
    ],
)
def test_each_illness_has_its_finding(faults, ill):
    _, findings = checkup(*faults)
    assert failing(findings) - {"rate"} == ill
    assert all(findings[name].fix for name in ill)


def test_a_line_too_slow_for_its_frames():
    _, findings = checkup(baud=115_200, radio=replace(RADIO, layout="classic-below-ht40"))
    assert failing(findings) >= {"link budget", "lost ring"}
    assert "carries 27" in findings["link budget"].measured


def test_a_line_that_is_nearly_full():
    _, findings = checkup(baud=230_400, radio=replace(RADIO, layout="classic-below-ht40"))
    assert findings["link budget"].health is Health.WARN


def test_a_budget_is_told_without_traffic():
    _, findings = checkup("no_traffic", baud=115_200)
    assert findings["link budget"].health is Health.FAIL
    assert findings["traffic"].fix


def test_dead_subcarriers_are_named():
    _, findings = checkup("dead=2")
    assert findings["dead subcarriers"].health is Health.WARN
    assert "sc+5, sc+6" in findings["dead subcarriers"].measured


def test_gain_that_moves_is_a_warning():
    _, findings = checkup(radio=replace(RADIO, gain_lock=False, activity="walking", rate_hz=100))
    assert findings["gain"].health is Health.WARN
    assert "not locked" in findings["gain"].measured


def deciding(model, *, running=True, decisions=16):
    """Findings about a board that decides by itself: nine seconds without a frame to the host."""
    flags = BoardFlag.RUNNING if running else BoardFlag(0)
    hello = encode_hello(Hello(1, 0, "esp32s3", "0.1.0", "hall", flags=flags))
    one = encode_decision(Decision(1, 0, 5, model.model, 1, 0, np.float32([0.0, 1.0])))
    listening = Listening("/dev/board", 921_600)
    listening.push(hello, 0)
    for second in range(1, 9):
        beat = encode_heartbeat(Heartbeat(1, second * 1_000_000, flags))
        listening.push(beat + encode_model(model) + one * (decisions // 8), second * 10**9)
    return {found.check: found for found in check("csi:/dev/board", listening.observation(), 8).findings}


def test_a_board_that_decides_by_itself_says_which_model_and_how_often():
    found = deciding(BoardModel(1, 9, 0x0D0C0B0A, 14, 77, 1600, 4, 0, 32), running=False)
    assert {one.health for one in found.values()} <= {Health.OK, Health.UNKNOWN}
    assert "model 0a0b0c0d: 2 decisions/s, 0.25 % of 1604 frames skipped" in found["model"].measured
    assert "decisions only" in found["csi"].measured
    assert "1600 frames" in found["traffic"].measured


@pytest.mark.parametrize(
    ("model", "health", "said"),
    [
        (BoardModel(1, 9, 1, 14, 0, 0, 0, 800, 0), Health.WARN, "no decision from 0 frames of classic-below-ht40, 800"),
        (BoardModel(1, 9, 1, 200, 0, 0, 0, 0, 0), Health.WARN, "an unknown layout"),
        (BoardModel(1, 9, 1, 14, 7, 960, 40, 0, 9), Health.WARN, "4 % of 1000"),
        (BoardModel(1, 9, 1, 14, 7, 600, 400, 0, 9), Health.FAIL, "40 % of 1000"),
    ],
)
def test_a_model_that_gets_no_frames_or_cannot_keep_up_is_told(model, health, said):
    found = deciding(model)["model"]
    assert (found.health, said in found.measured) == (health, True)
    assert found.fix


def test_a_stopped_board_says_so():
    _, findings = checkup(commands=b"stop\n")
    assert findings["csi"].measured == "stopped by a command"


@pytest.mark.parametrize(("ppm", "health"), [(0, Health.OK), (200, Health.WARN), (-800, Health.FAIL)])
def test_drift_is_measured_whichever_clock_is_off(ppm, health):
    _, findings = checkup(stretch=1 - ppm * 1e-6)
    assert findings["clock"].health is health
    assert float(findings["clock"].measured.split()[0]) == pytest.approx(ppm, abs=40)


def test_rows_are_read_too_and_what_they_do_not_tell_is_unknown():
    _, findings = checkup(text=True)
    assert findings["firmware"].health is Health.WARN
    assert findings["lost radio"].health is Health.UNKNOWN
    assert not failing(findings)


def test_noise_and_boot_text_are_told_apart():
    listening = Listening("/dev/board", 921_600)
    noise = np.random.default_rng(1).integers(1, 255, 50_000, np.uint8).tobytes()
    for i in range(50):
        listening.push(noise[1000 * i : 1000 * i + 1000], i * 10**8)
    speaks = check("csi:x", listening.observation(), 5).findings[-1]
    assert (speaks.check, speaks.health) == ("speaks", Health.FAIL)
    listening = Listening("/dev/board", 115_200)
    listening.push(b"waiting for download\r\n\0", 0)
    assert "waiting for download" in check("csi:x", listening.observation(), 5).findings[-1].measured


def test_other_sources_are_examined_by_their_samples():
    found = examine("virtual:csi?speed=0&rate_hz=50&drift_ppm=300&gain=lock&activity=sitting", 8)
    findings = {one.check: one for one in found.findings}
    assert found.simulated
    assert set(findings) == {"rate", "dead subcarriers", "gain", "clock"}
    assert findings["clock"].health is Health.WARN
    motion = examine("virtual:imu?speed=0", 8)
    assert {one.check for one in motion.findings} == {"rate", "clock"}


def test_a_port_that_is_not_there_is_a_finding():
    pytest.importorskip("serial")
    found = examine("/dev/nowhere", 1)
    assert found.is_ill
    assert [(one.check, one.health) for one in found.findings] == [("port", Health.FAIL)]
    assert found.findings[0].fix


def test_an_address_of_no_sense_is_a_usage_error():
    with pytest.raises(UsageError):
        examine("csi:/dev/x?bauds=1", 1)


def test_limits():
    limits = Limits(1, 2)
    assert [limits.judge(value) for value in (1.0, 2.0, 2.1, float("nan"))] == [
        Health.OK,
        Health.WARN,
        Health.FAIL,
        Health.UNKNOWN,
    ]


def test_the_command_examines_a_port(tmp_path, capsys):
    pytest.importorskip("serial")
    board = VirtualBoard(BoardSettings(radio=RADIO, faults=parse_faults(["no_traffic"])))
    with ServedBoard(board, PtyPlug(tmp_path / "board")) as served:
        assert main(["doctor", f"csi:{served.where}", "--duration", "1.5", "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
        assert told["simulated"]
        assert told["ill"]
        assert {one["check"] for one in told["findings"] if one["health"] == "FAIL"} == {"traffic"}
        assert main(["doctor", served.where, "--duration", "1.5", "--log"]) == 1
    out = capsys.readouterr().out
    assert "SIMULATED" in out
    assert "fix: let a second board send" in out
