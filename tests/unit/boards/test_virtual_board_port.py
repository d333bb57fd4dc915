"""A virtual board behind a terminal or a TCP port, as a host finds it."""

from __future__ import annotations

import errno
import os
import socket
import time

import pytest

from edgehar.boards.virtual_board import BoardSettings, VirtualBoard
from edgehar.boards.virtual_board_port import HOST_BUFFER_BYTES, PtyPlug, ServedBoard, TcpPlug
from edgehar.errors import UsageError
from edgehar.sources.serial_port import open_serial
from edgehar.sources.virtual_csi_radio import RadioSettings
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.command import encode_command

RADIO = RadioSettings(seed=3, rate_hz=100, layout="classic-none-lltf", activity="still")
PATIENCE_S = 10


def served(plug=None, **how):
    return ServedBoard(VirtualBoard(BoardSettings(radio=RADIO)), plug, **how)


def until(true):
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _reads_to_the_end(handle):
    """The error that ends the reading; 0 for an ordinary end."""
    try:
        while os.read(handle, 4096):
            pass
    except OSError as error:
        return error.errno
    return 0


def test_a_host_opens_it_as_a_serial_port_and_talks_to_it():
    pytest.importorskip("serial")
    with served() as board, open_serial(board.where, 921_600) as port:
        decoder = FrameDecoder()

        def hears():
            decoder.push(port.read(max(1, port.in_waiting)))
            return decoder.counts["frames"] > 20 and decoder.replies

        port.write(encode_command("hello", id=5))
        until(hears)
        assert decoder.replies[0].id == 5
        assert decoder.simulated
        assert not decoder.losses


def test_a_pulled_cable_is_an_error_and_the_link_leads_to_the_new_port(tmp_path):
    link = tmp_path / "board"
    with served(PtyPlug(link)) as board:
        handle = os.open(board.where, os.O_RDWR | os.O_NOCTTY)
        os.read(handle, 100)
        board.unplug()
        assert not link.exists()
        assert _reads_to_the_end(handle) in (0, errno.EIO)
        os.close(handle)
        board.replug()
        again = os.open(link, os.O_RDWR | os.O_NOCTTY)
        assert os.read(again, 100)
        os.close(again)
    assert not link.exists()


def test_a_file_is_not_replaced_by_a_link(tmp_path):
    (tmp_path / "board").write_text("mine")
    with pytest.raises(UsageError, match="no link"):
        PtyPlug(tmp_path / "board")


def test_over_tcp():
    with served(TcpPlug()) as board:
        host, port = board.where.split(":")
        decoder = FrameDecoder()
        with socket.create_connection((host, int(port))) as link:
            while not decoder.counts["frames"]:
                decoder.push(link.recv(4096))
        until(lambda: not board.is_open)
        with socket.create_connection((host, int(port))) as link:
            assert link.recv(100)


def test_a_reader_that_does_not_read_loses_bytes_and_the_board_knows_how_many():
    with served(speed=50) as board:
        handle = os.open(board.where, os.O_RDWR | os.O_NOCTTY)
        until(lambda: board.overrun_bytes > 0)
        os.close(handle)
    assert HOST_BUFFER_BYTES > 0
