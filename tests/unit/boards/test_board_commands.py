"""Telling a running board something, as a user does."""

from __future__ import annotations

import json

import pytest

from edgehar.boards.commands import board_link, tell_board
from edgehar.boards.virtual_board import BoardSettings, VirtualBoard
from edgehar.boards.virtual_board_port import ServedBoard, TcpPlug
from edgehar.cli.app import main
from edgehar.errors import MissingError, UsageError
from edgehar.sources.byte_link import SocketLink
from edgehar.sources.virtual_csi_radio import RadioSettings
from edgehar.wire.encode import encode_reply
from edgehar.wire.messages import Reply, ReplyStatus


@pytest.fixture
def board():
    radio = RadioSettings(seed=3, rate_hz=200, layout="classic-none-lltf", activity="still")
    with ServedBoard(VirtualBoard(BoardSettings(radio=radio)), TcpPlug()) as served:
        yield served


def test_a_board_does_what_it_is_told_while_its_frames_go_on(board, capsys):
    assert main(["command", f"tcp:{board.where}", "stop", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "DONE"
    assert told["command"] == ["stop"]
    assert not board.board._running
    assert main(["command", f"tcp:{board.where}", "start"]) == 0
    assert board.board._running
    assert "done" in capsys.readouterr().out


def test_a_serial_port_is_told_by_its_path(board):
    pytest.importorskip("serial")
    radio = RadioSettings(seed=4, rate_hz=50, layout="classic-none-lltf", activity="still")
    with ServedBoard(VirtualBoard(BoardSettings(radio=radio))) as served:
        assert tell_board(board_link(served.where), ("hello",)).status is ReplyStatus.DONE


@pytest.mark.parametrize(
    ("words", "said"), [(("dance",), "no command 'dance'"), (("rate",), "rate None"), (("gain", "loud"), "'loud'")]
)
def test_what_no_board_would_take_is_not_sent(words, said):
    with pytest.raises(UsageError, match=said):
        tell_board(SocketLink("127.0.0.1:1"), words)


@pytest.mark.parametrize("address", ["virtual:csi", "csi:", "csi:/dev/ttyUSB0?rate_hz=3"])
def test_an_address_that_is_no_board_is_refused(address):
    with pytest.raises(UsageError):
        board_link(address)


class Scripted:
    """A link whose other end answers every line with `answer(id)`."""

    name = "scripted"

    def __init__(self, answer):
        self._answer, self._said = answer, b""

    def open(self):
        pass

    def close(self):
        pass

    def write(self, data):
        number = int(data.split()[0].lstrip(b"#"))
        self._said += self._answer(number)

    def read(self):
        said, self._said = self._said, b""
        return said


def test_a_refusal_names_the_boards_reason(capsys):
    refusal = Scripted(lambda number: encode_reply(Reply(1, number, ReplyStatus.FAILED, "gain lock")))
    with pytest.raises(Exception, match=r"scripted could not do it: gain lock"):
        tell_board(refusal, ("gain", "lock"))


def test_silence_and_answers_to_others_are_told_apart():
    with pytest.raises(MissingError, match="not one byte"):
        tell_board(Scripted(lambda _: b""), ("hello",), patience_s=0.01)
    other = Scripted(lambda number: encode_reply(Reply(1, number % 0xFFFF + 1, ReplyStatus.DONE, "")))
    with pytest.raises(MissingError, match="no answer"):
        tell_board(other, ("hello",), patience_s=0.01)
