"""A board on a port or behind TCP: read in pieces, unplugged and plugged in again, and silent for a reason."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edgehar.errors import EdgeHarError, MissingError, UsageError
from edgehar.sources import open_source
from edgehar.sources.link_source import UNPLUGGED
from edgehar.types import Flag
from edgehar.wire.encode import encode_csi, encode_heartbeat, encode_hello, encode_log, encode_model
from edgehar.wire.frames import FRAME, UNKNOWN_GAIN, CsiFrames
from edgehar.wire.layouts import layout_of
from edgehar.wire.messages import BoardFlag, BoardModel, Counters, Heartbeat, Hello

pty = pytest.importorskip("pty", reason="pseudo-terminals are not a thing of this system")
pytest.importorskip("serial", reason="pip install 'edgehar[serial]'")

OPENED_S = 0.3
STOPPED = encode_hello(Hello(1, 0, "esp32s3", "1", "lab", flags=BoardFlag(0)))
HT40 = layout_of("classic", 384, secondary=2, sig_mode=1, bandwidth=1, stbc=0).name


def frames(n, first=0):
    meta = np.zeros(n, FRAME)
    meta["rx_seq"] = meta["tx_seq"] = first + np.arange(n)
    meta["t_us"], meta["mac_hash"] = meta["rx_seq"] * 5000, 7
    meta["agc_gain"] = meta["fft_gain"] = UNKNOWN_GAIN
    meta["secondary"], meta["sig_mode"], meta["bandwidth"] = 2, 1, 1
    return CsiFrames(HT40, np.tile((meta["rx_seq"] % 100).astype(np.int16)[:, None], 384), meta)


def coded(n, first=0):
    return b"".join(encode_csi(frames(n, first), boot=1))


@pytest.fixture
def board(tmp_path):
    """A pseudo-terminal under a fixed path; `unplug` closes it, `plug` makes another there."""

    class Board:
        path = tmp_path / "ttyACM0"

        def plug(self):
            import tty

            self.master, slave = pty.openpty()
            tty.setraw(self.master)
            tty.setraw(slave)
            partial = tmp_path / "new"
            partial.symlink_to(os.ttyname(slave))
            partial.replace(self.path)
            self.slave = slave

        def unplug(self):
            self.path.unlink()
            os.close(self.slave)
            os.close(self.master)

        def send(self, data):
            while data:
                data = data[os.write(self.master, data[:2000]) :]

        def wait_until_read(self):
            import fcntl
            import termios

            unread = b"...."
            while any(unread):
                time.sleep(0.02)
                unread = fcntl.ioctl(self.slave, termios.FIONREAD, bytes(4))

        def wait_until_opened(self):
            """By the source, which is in this process too."""
            name, opened = os.ttyname(self.slave), Path("/proc/self/fd")
            while sum(os.path.realpath(file) == name for file in opened.iterdir()) < 2:
                time.sleep(0.02)
            time.sleep(OPENED_S)

    made = Board()
    made.plug()
    yield made
    with contextlib.suppress(OSError):
        made.unplug()


def collect(uri, act, until, *, seconds=20):
    """Chunks of the source while `act` plays the board in a thread, until `until(chunks)`."""

    async def run():
        source = open_source(uri)
        chunks = []
        thread = threading.Timer(OPENED_S, act)  # opening a port drops what had come before
        thread.start()
        async with asyncio.timeout(seconds), source:
            async for chunk in source:
                chunks.append(chunk)
                if until(chunks):
                    break
        thread.join(5)
        return source, chunks

    return asyncio.run(run())


def samples(chunks):
    return sum(map(len, chunks))


def test_frames_of_a_port_come_whole_and_every_byte_is_kept(board, tmp_path):
    sent = coded(600)
    source, chunks = collect(
        f"csi:{board.path}?raw={tmp_path}/all.bin", lambda: board.send(sent), lambda c: samples(c) >= 600
    )
    assert np.concatenate([c.seq for c in chunks]).tolist() == list(range(600))
    assert np.concatenate([c.x for c in chunks])[:, 0].tolist() == [i % 100 for i in range(600)]
    assert (tmp_path / "all.bin").read_bytes() == sent
    assert source.counts == {"frames": 600}


def test_a_board_that_is_unplugged_comes_back_behind_a_gap(board):
    def act():
        board.send(coded(400))
        board.wait_until_read()
        time.sleep(0.1)  # for what was read to be taken in
        board.unplug()
        time.sleep(0.5)
        board.plug()
        board.wait_until_opened()
        board.send(coded(100, 450))

    source, chunks = collect(f"csi:{board.path}", act, lambda c: samples(c) >= 500)
    seq = np.concatenate([c.seq for c in chunks])
    flags = np.concatenate([c.flags for c in chunks])
    assert seq.tolist() == [*range(400), *range(450, 550)]
    assert np.flatnonzero(flags & Flag.GAP_BEFORE).tolist() == [400]
    assert source.counts[UNPLUGGED] == 1


def test_a_board_behind_tcp():
    server = socket.create_server(("127.0.0.1", 0))

    def act():
        peer, _ = server.accept()
        peer.sendall(coded(500))
        time.sleep(0.5)
        peer.close()
        server.close()

    port = server.getsockname()[1]
    _, chunks = collect(f"tcp:127.0.0.1:{port}?reopen_s=0.1", act, lambda c: samples(c) >= 500)
    assert samples(chunks) == 500


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "not one byte came"),
        (encode_hello(Hello(1, 0, "esp32s3", "1", "lab", csi=False)), "CSI switched off"),
        (STOPPED, "'lab' sends no frames"),
        (STOPPED + encode_model(BoardModel(1, 0, 5, 14)), "only the decisions of its own model"),
        (encode_hello(Hello(1, 0, "esp32s3", "1", "lab", channel=6)), "alive on channel 6 but receives no frame"),
        (encode_log(1, "wifi: no AP found"), "the last line was 'wifi: no AP found'"),
        (bytes(range(128, 250)) * 20, "is the baud rate right"),
    ],
)
def test_silence_is_explained(board, said, why):
    with pytest.raises(MissingError, match=why) as raised:
        collect(f"csi:{board.path}?patience_s=0.9", lambda: board.send(said), lambda _: True)
    assert raised.value.hint


def test_a_few_frames_settle_the_stream_when_patience_ends(board):
    _, chunks = collect(f"csi:{board.path}?patience_s=0.9", lambda: board.send(coded(3)), lambda c: samples(c) >= 3)
    assert samples(chunks) == 3


def test_losses_carry_their_place(board):
    beats = [
        encode_heartbeat(Heartbeat(1, 0, counters=Counters(next_seq=n, dropped_ring=d))) for n, d in ((0, 0), (300, 20))
    ]
    data = beats[0] + coded(250) + coded(20, 280) + beats[1] + coded(100, 300)
    source, _ = collect(f"csi:{board.path}", lambda: board.send(data), lambda c: samples(c) >= 370)
    assert source.counts["lost_ring"] == 20
    assert source.counts["lost_link"] == 10


@pytest.mark.parametrize(
    ("uri", "error", "why"),
    [
        ("csi:/dev/no-such-port", MissingError, "no such port"),
        ("csi:", UsageError, "names no port"),
        ("csi:auto?sender=xyz", UsageError, "is no hash"),
        ("csi:auto?speed=1", UsageError, "unknown key"),
        ("tcp:nowhere", UsageError, "is not HOST:PORT"),
    ],
)
def test_addresses_that_cannot_be(uri, error, why):
    with pytest.raises(error, match=why):
        collect(uri, lambda: None, lambda _: True)


def test_a_port_in_use_names_the_process(board):
    import subprocess
    import sys

    code = f"import time; f = open('{board.path}', 'rb', 0); print('open', flush=True); time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        try:
            with pytest.raises(EdgeHarError, match=f"in use by .*{holder.pid}"):
                collect(f"csi:{board.path}", lambda: None, lambda _: True)
        finally:
            holder.kill()
