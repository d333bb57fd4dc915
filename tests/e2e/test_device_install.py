"""`edgehar run` needs nothing of the desk: no torch, onnx, tensorflow, and none of their companions."""

import json

import pytest
from commands import edgehar
from factories import random_bundle

from edgehar.bundle import save_bundle
from edgehar.recording import Recording

DESK = (
    "torch", "onnx", "onnxruntime", "onnxscript", "tensorflow", "tflite_runtime", "ai_edge_litert", "sklearn", "scipy",
    "snntorch", "pooch", "matplotlib", "pandas", "pyarrow", "jax",
)  # fmt: skip
# A device has rich, for a terminal. (pydantic is not here: newer versions of typer import it themselves.)
LAZY = ("rich",)

WITHOUT_DESK = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {DESK}:
            raise ModuleNotFoundError(f"No module named '{{name}}' (a device install has none)", name=name)
        return None

sys.meta_path.insert(0, Absent())
from edgehar.cli.app import main
code = main(sys.argv[1:])
loaded = sorted({{name.partition(".")[0] for name in sys.modules}} & set({DESK + LAZY}))
print(*loaded, sep=",", file=sys.stderr)
raise SystemExit(code)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "small.edgehar"
    save_bundle(random_bundle("fastgrnn", window=50, hop=25), path)
    return path


def without_desk(*arguments):
    return edgehar(*arguments, python=("-c", WITHOUT_DESK))


def test_run_and_record_work_without_the_desk_side(bundle, tmp_path):
    copy = tmp_path / "copy.mcap"
    live = ("--source", "virtual:imu?seed=1&duration_s=10", "--speed", "0")
    done = without_desk("run", bundle, *live, "--json", "--record", copy)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["summary"]["decisions"] == 19
    assert done.stderr.splitlines()[-1] == "", "loaded what a device does not have or need"

    again = without_desk("run", bundle, "--source", f"replay:{copy}", "--speed", "0", "--runtime", "reference")
    assert again.returncode == 0, again.stderr
    assert len(again.stdout.splitlines()) == 20
    assert again.stderr.splitlines()[-1] == ""

    record = without_desk("record", *live, "--out", tmp_path / "new.mcap")
    assert record.returncode == 0, record.stderr
    assert record.stderr.splitlines()[-1] == ""
    assert len(Recording.open(tmp_path / "new.mcap").read()) == 500


def test_the_hook_that_hides_packages_works():
    done = edgehar(python=("-c", WITHOUT_DESK.replace("from edgehar.cli.app import main", "import torch")))
    assert done.returncode != 0
    assert "a device install has none" in done.stderr


def test_the_live_loop_imports_neither_rich_nor_pydantic():
    code = "import sys, edgehar.live, edgehar.sinks.console; print('rich' in sys.modules, 'pydantic' in sys.modules)"
    done = edgehar(python=("-c", code))
    assert done.stdout.split() == ["False", "False"], done.stderr
