"""`edgehar virtual csi`: says where it is, that it is simulated, and the truth at the end."""

from __future__ import annotations

import json

import pytest

from edgehar.cli.app import main


def test_it_prints_the_port_and_the_truth(tmp_path, capsys):
    link = tmp_path / "board"
    arguments = ["--port-link", str(link), "--duration", "0.5", "--speed", "20", "--fault", "loss=0.5", "--json"]
    assert main(["virtual", "csi", "--layout", "classic-none-lltf", *arguments]) == 0
    port, truth = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert port == {"port": str(link), "source": f"csi:{link}", "simulated": True}
    assert truth["starts"] == 1
    assert truth["lost_radio"] > 0
    assert not link.exists()


def test_people_are_told_what_to_type_next(capsys):
    assert main(["virtual", "csi", "--tcp", "0", "--duration", "0.01"]) == 0
    out = capsys.readouterr().out
    assert "SIMULATED board at 127.0.0.1:" in out
    assert "next: edgehar record --source tcp:127.0.0.1:" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["imu"],
        ["csi", "--rate", "0"],
        ["csi", "--speed", "0"],
        ["csi", "--fault", "flood=1"],
        ["csi", "--layout", "nonsense"],
        ["csi", "--tcp", "0", "--port-link", "x"],
    ],
)
def test_what_makes_no_sense_is_refused(arguments, capsys):
    assert main(["virtual", *arguments]) == 2
    assert "next:" in capsys.readouterr().err
