"""The command `edgehar export`: its table, its JSON, its exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from factories import random_bundle

from edgehar.bundle import save_bundle
from edgehar.cli.app import main
from edgehar.demo import BUNDLE
from edgehar.wire.layouts import layout_named

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


def test_a_csi_model_tells_the_firmware_how_to_feed_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = "classic-below-ht40"
    order = [n for n in layout_named(layout).subcarriers("htltf", first_word_invalid=False) if n > 0][:4]
    bundle = random_bundle("fastgrnn", channels=len(order), hop=4)
    channels = tuple(f"sc{number:+d}.amp" for number in order)
    contract = replace(bundle.manifest.contract, kind="csi", channels=channels, units=("frame_mean",) * len(channels))
    path = tmp_path / "csi.edgehar"
    save_bundle(replace(bundle, manifest=replace(bundle.manifest, contract=contract)), path)
    export = ["export", str(path), "--target", "c", "--out"]
    assert main([*export, str(tmp_path / "out"), "--csi-layout", layout]) == 0
    header = (tmp_path / "out" / "c" / "eh_csi_input.h").read_text()
    assert f"{layout}, htltf" in header
    assert main([*export, str(tmp_path / "nor"), "--csi-layout", "ht99"]) == 2
    assert main(["export", str(path), "--target", "onnx", "--out", str(tmp_path / "n"), "--csi-layout", layout]) == 2
    assert "--target c" in capsys.readouterr().err
