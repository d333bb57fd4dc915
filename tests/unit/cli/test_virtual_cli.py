"""`edgehar virtual`: says where it is, that it is simulated, and the truth at the end."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys

import numpy as np
import pytest

from edgehar.cli.app import main
from edgehar.recording import Recording


def test_it_prints_the_port_and_the_truth(tmp_path, capsys):
    link = tmp_path / "board"
    arguments = ["--port-link", str(link), "--duration", "0.5", "--speed", "20", "--fault", "loss=0.5", "--json"]
    assert main(["virtual", "csi", "--layout", "classic-none-lltf", *arguments]) == 0
    port, truth = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert port == {"port": str(link), "source": f"csi:{link}", "simulated": True}
    assert truth["starts"] == 1
    assert truth["lost_radio"] > 0
    assert not link.exists()


def test_a_background_job_that_is_ended_leaves_no_link(tmp_path):
    link = tmp_path / "board"
    typed = [sys.executable, "-m", "edgehar", "virtual", "csi", "--port-link", str(link), "--duration", "60", "--json"]
    with subprocess.Popen(typed, stdout=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["simulated"]
        assert link.is_symlink()
        process.terminate()
        truth = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert "sent" in truth
    assert not link.is_symlink()


def test_a_tag_on_a_cable_tells_what_it_measured(tmp_path, capsys):
    link, truth = tmp_path / "tag", tmp_path / "truth.mcap"
    arguments = ["--port-link", str(link), "--duration", "0.5", "--speed", "20", "--rate", "100", "--truth", str(truth)]
    assert main(["virtual", "imu", "--id", "wrist", *arguments, "--json"]) == 0
    port, told = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert port == {"port": str(link), "source": f"imu:{link}", "simulated": True}
    recording = Recording.open(truth)
    measured = recording.read()
    assert (measured.spec.rate_hz, measured.spec.session_id, measured.spec.simulated) == (100.0, "wrist", True)
    assert len(measured) == told["samples"] > 300
    assert np.array_equal(measured.seq, np.arange(len(measured)))
    assert main(["virtual", "imu", *arguments]) == 2
    assert "truth.mcap exists" in capsys.readouterr().err


def test_a_tag_on_the_air_over_a_transport(tmp_path, capsys):
    pytest.importorskip("bumble", reason="needs pip install 'edgehar[virtual]'")
    from bumble.controller import Controller
    from bumble.link import LocalLink
    from bumble.transport import open_transport

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = ["virtual", "imu-ble", "--transport", f"tcp-client:127.0.0.1:{port}", "--duration", "0.5", "--json"]

    async def act():
        async with await open_transport(f"tcp-server:127.0.0.1:{port}") as radio:
            controller = Controller("radio", host_source=radio.source, host_sink=radio.sink, link=LocalLink())
            code = await asyncio.to_thread(main, command)
            del controller
            return code

    assert asyncio.run(act()) == 0
    told, truth = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    (tag,) = told["tags"]
    assert told["simulated"]
    assert (tag["name"], tag["source"]) == ("virtual-tag", f"ble:{tag['address']}")
    assert truth["tags"][0]["address"] == tag["address"]
    assert truth["tags"][0]["samples"] == 0  # nobody listened


def test_people_are_told_what_to_type_next(capsys):
    assert main(["virtual", "csi", "--tcp", "0", "--duration", "0.01"]) == 0
    out = capsys.readouterr().out
    assert "SIMULATED board at 127.0.0.1:" in out
    assert "next: edgehar record --source tcp:127.0.0.1:" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["gps"],
        ["csi", "--rate", "0"],
        ["csi", "--id", "a", "--id", "b"],
        ["imu", "--rate", "0"],
        ["imu", "--rate", "50.5"],
        ["imu", "--fault", "bit_errors=1e-4"],
        ["imu", "--tcp", "0"],
        ["imu", "--person", "nobody"],
        ["imu-ble", "--id", "a", "--id", "a"],
        ["imu-ble", "--id", "a", "--id", "b", "--truth", "x.mcap"],
        ["imu-ble", "--id", "a", "--id", "b", "--transport", "usb:0"],
        ["imu-ble", "--transport", "nonsense"],
        ["csi", "--speed", "0"],
        ["csi", "--fault", "flood=1"],
        ["csi", "--layout", "nonsense"],
        ["csi", "--tcp", "0", "--port-link", "x"],
        ["csi", "--tcp", "99999"],
        ["csi", "--duration=-1"],
        ["csi", "--duration", "nan"],
        ["csi", "--speed", "nan"],
    ],
)
def test_what_makes_no_sense_is_refused(arguments, capsys):
    assert main(["virtual", *arguments]) == 2
    assert "next:" in capsys.readouterr().err
