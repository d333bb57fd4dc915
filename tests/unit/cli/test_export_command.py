"""The command `edgehar export`: its table, its JSON, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgehar.cli.app import main
from edgehar.demo import BUNDLE

pytest.importorskip("onnx", reason="pip install 'edgehar[export]'")
pytest.importorskip("flatbuffers", reason="pip install 'edgehar[export]'")


def test_a_table_of_files_and_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["export", str(BUNDLE), "--board", "pi-4", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["FILE", "FORM", "DTYPE", "FLASH", "RAM", "INPUT"]
    names = ["demo.tflite", "demo.step.tflite", "demo.onnx", "demo.step.onnx", "c/"]
    assert [line.split()[0] for line in lines[1:6]] == names
    assert any("each fits pi-4" in line for line in lines)
    assert lines[-1].strip() == f"next: edgehar verify {BUNDLE} --export {out}"


def test_json_is_the_sidecar_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["export", str(BUNDLE), "--target", "onnx", "--dtype", "dynamic", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((out / "export.json").read_text())
    assert {(made["target"], made["dtype"]) for made in told["exports"]} == {("onnx", "dynamic")}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--board", "pi4"], 2, "pi-4"),
        (["--target", "onnxx"], 2, "onnx"),
        (["--form", "steps", "--target", "onnx"], 2, "window"),
        (["--board", "apollo3", "--target", "onnx"], 2, "does not run onnx"),
    ],
)
def test_refusals_name_the_remedy(
    arguments: list[str], code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(BUNDLE), "--out", str(tmp_path / "out"), *arguments]) == code
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_damaged_bundle_and_an_absent_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.edgehar").write_bytes(BUNDLE.read_bytes()[:-100])
    assert main(["export", str(tmp_path / "bad.edgehar"), "--out", str(tmp_path / "out")]) == 5
    assert main(["export", str(tmp_path / "none.edgehar"), "--out", str(tmp_path / "out")]) == 3
    assert "next:" in capsys.readouterr().err


def test_ctrl_c_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgehar.export.targets.onnx_files", interrupted)
    assert main(["export", str(BUNDLE), "--out", str(tmp_path / "out")]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
