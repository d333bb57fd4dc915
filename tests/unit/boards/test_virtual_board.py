"""The virtual board keeps its line's speed, numbers and counters, and what it says went wrong did go wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgehar.boards.virtual_board import LOST_IN_RESTART, BoardSettings, VirtualBoard
from edgehar.boards.virtual_board_commands import CommandLines
from edgehar.boards.virtual_board_faults import BoardFaults, parse_faults
from edgehar.errors import UsageError
from edgehar.sources.virtual_csi_radio import RadioSettings
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.command import encode_command
from edgehar.wire.espcsi_text import TextDecoder
from edgehar.wire.frames import Loss
from edgehar.wire.messages import BoardFlag, ReplyStatus

SMALL = RadioSettings(seed=3, rate_hz=100, layout="classic-none-lltf", activity="still")


def board_with(*faults, radio=SMALL, **settings):
    return VirtualBoard(BoardSettings(radio=radio, faults=parse_faults(faults), **settings))


def heard(board, until_s, decoder=None, step_s=0.05):
    """(decoder, frames) of everything up to `until_s` of stream time."""
    decoder = decoder or FrameDecoder()
    steps = np.arange(board.now_us / 1e6 + step_s, until_s + step_s / 2, step_s)
    runs = [run for t_s in steps for run in decoder.push(board.read_until(round(t_s * 1e6)))]
    return decoder, runs


def test_it_says_who_it_is_and_that_it_is_simulated():
    decoder, _ = heard(board_with(), 2)
    hello = decoder.hello
    assert (hello.chip, hello.name, hello.baud, hello.rate_hz, hello.csi) == ("esp32s3", "virtual", 921600, 100, True)
    assert BoardFlag.SIMULATED in hello.flags
    assert decoder.simulated
    assert decoder.heartbeat.t_us == pytest.approx(1_350_000, abs=20_000)


def test_all_frames_arrive_where_nothing_goes_wrong():
    decoder, runs = heard(board_with(), 10)
    assert np.concatenate([run.meta["rx_seq"] for run in runs]).tolist() == list(range(decoder.counts["frames"]))
    assert decoder.counts["frames"] == pytest.approx(965, abs=2)  # the first 0.35 s are the board's start
    assert not decoder.losses


def test_how_it_is_read_changes_nothing():
    faults = ("bit_errors=1e-4", "loss=0.1", "reboot_every_s=1.7", "log_every_s=0.4", "jitter_ms=3")
    fine, coarse = board_with(*faults), board_with(*faults)
    pieces = b"".join(fine.read_until(t_us) for t_us in range(0, 4_000_001, 1_000))
    assert pieces == coarse.read_until(1_234_567) + coarse.read_until(4_000_000)


def test_the_line_is_no_faster_than_its_baud():
    board = board_with(baud=115_200, radio=replace(SMALL, rate_hz=400))
    assert len(board.read_until(10_000_000)) <= 115_200
    assert board.truth[Loss.RING] > 1000


def test_ring_drops_are_told_apart_from_link_losses():
    board = board_with("link_loss=0.1", baud=115_200, radio=replace(SMALL, rate_hz=400))
    decoder, _ = heard(board, 12.4)
    assert decoder.losses[Loss.RING] > 1000
    assert decoder.losses[Loss.LINK] == pytest.approx(board.truth[Loss.LINK], abs=3)
    assert decoder.losses[Loss.UNKNOWN] == 0
    assert sum(decoder.losses.values()) + decoder.pending + decoder.counts["frames"] == pytest.approx(
        sum(board.truth[key] for key in (Loss.RING, "sent")),
        abs=15,  # dropped since the last frame was sent
    )


def test_bit_errors_spoil_frames_and_let_no_wrong_value_through():
    sent = {}

    def keep(frames):
        sent[frames.boot, int(frames.meta["rx_seq"][0])] = frames.iq[0]

    settings = BoardSettings(radio=SMALL, faults=BoardFaults(bit_errors=1e-3))
    decoder, runs = heard(VirtualBoard(settings, keep), 10)
    assert 0 < decoder.counts["frames"] < 900
    for run in runs:
        for values, number in zip(run.iq, run.meta["rx_seq"].tolist(), strict=True):
            assert np.array_equal(values, sent[run.boot, number])


def test_a_restart_begins_everything_anew():
    board = board_with("reboot_every_s=5")
    decoder, _ = heard(board, 4.9)
    before = decoder.hello
    heard(board, 8, decoder)
    assert decoder.boots == 1
    assert decoder.hello.boot == before.boot + 1
    assert decoder.hello.t_us == pytest.approx(350_000, abs=20_000)
    assert any("ESP-ROM" in line for line in decoder.log)
    assert board.truth[LOST_IN_RESTART] <= 1


def test_nothing_comes_while_the_cable_is_out_and_that_is_a_link_loss():
    board = board_with("unplug_every_s=3", "unplug_s=1")
    decoder, _ = heard(board, 3.9)
    assert not board.plugged
    heard(board, 5.9, decoder)
    assert board.plugged
    assert decoder.losses == {Loss.LINK: pytest.approx(100, abs=2)}


def test_a_drifting_clock_shows_in_the_heartbeats():
    decoder, _ = heard(board_with("drift_ppm=1000"), 10.4)
    fast, _ = heard(board_with(), 10.4)
    assert decoder.heartbeat.t_us - fast.heartbeat.t_us == pytest.approx(9_350, rel=0.01)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("csi_off", lambda decoder: not decoder.hello.csi and not decoder.counts["frames"]),
        ("no_traffic", lambda decoder: decoder.hello.csi and not decoder.counts["frames"]),
        ("silent", lambda decoder: decoder.hello is None and not decoder.counts),
    ],
)
def test_what_stays_out(fault, check):
    assert check(heard(board_with(fault), 3)[0])


def test_dead_subcarriers_are_silent():
    _, runs = heard(board_with("dead=3"), 2)
    assert not runs[0].iq[:, 10:16].any()
    assert runs[0].iq[:, 16:18].any()


def test_commands_are_obeyed_and_answered():
    board = board_with()
    decoder, _ = heard(board, 1)
    board.receive(encode_command("stop", id=1) + encode_command("gain", "lock", id=2) + b"#3 nonsense\nrate 9999\n")
    heard(board, 3, decoder)
    assert [(reply.id, reply.status) for reply in decoder.replies] == [
        (1, ReplyStatus.DONE),
        (2, ReplyStatus.DONE),
        (3, ReplyStatus.UNKNOWN_COMMAND),
        (0, ReplyStatus.BAD_ARGUMENT),
    ]
    assert BoardFlag.GAIN_LOCKED in decoder.heartbeat.flags
    assert BoardFlag.RUNNING not in decoder.heartbeat.flags
    assert decoder.heartbeat.counters.bad_commands == 2
    before = decoder.counts["frames"]
    heard(board, 4, decoder)
    assert decoder.counts["frames"] == before
    board.receive(encode_command("start") + encode_command("channel", 11, "below"))
    heard(board, 5, decoder)
    assert decoder.counts["frames"] == before  # the sender is on another channel
    board.receive(encode_command("channel", 6) + encode_command("rate", 50) + encode_command("hello"))
    heard(board, 5.5, decoder)
    assert decoder.counts["frames"] > before
    assert (decoder.hello.rate_hz, decoder.hello.channel) == (50, 6)
    board.receive(encode_command("reboot", id=9))
    heard(board, 7, decoder)
    assert decoder.replies[-1].id == 9
    assert decoder.boots == 1


def test_a_line_that_is_too_long_is_refused_by_name():
    assert [asked.status for asked in CommandLines().push(b"x" * 100 + b"\n\nhello\n")] == [
        ReplyStatus.TOO_LONG,
        ReplyStatus.DONE,
    ]


def test_text_mode_prints_what_csi_recv_prints():
    board = board_with(text=True)
    decoder, runs = heard(board, 3, TextDecoder())
    assert decoder.counts["frames"] == pytest.approx(265, abs=2)
    assert not decoder.losses
    assert {run.layout for run in runs} == {"classic-none-lltf"}


@pytest.mark.parametrize("typed", ["los=0.1", "loss=2", "dead=x", "csi_off=1", "loss"])
def test_a_fault_that_makes_no_sense_is_refused(typed):
    with pytest.raises(UsageError) as refused:
        parse_faults([typed])
    assert refused.value.hint
