"""Who may import whom: the rooms in their order, the desk apart from the device, pickle in one place."""

import ast
import sys
from pathlib import Path

import pytest

import edgehar

ROOT = Path(edgehar.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))

# Each rank may import itself and those before it.
RANKS = (
    {"types", "errors", "registry", "kernel_cache", "machine_code", "state_directory"},
    {"wire", "dsp", "clock", "graph"},
    {
        "runtimes",
        "bundle",
        "manifest",
        "manifest_fields",
        "contract",
        "archive",
        "decide",
        "calibration",
        "calibration_guide",
    },
    {"pipeline", "many", "config", "align"},
    {"sources", "sinks", "recording"},
    {"tee", "tally", "live", "label_keys", "capture", "testing", "boards", "bench", "warmup"},
    {"demo"},
    {"cli"},
)
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}
DESK = {"datasets", "models", "train", "compress", "evaluate", "export", "verify"}
DEVICE_PACKAGES = {"numpy", "numba", "llvmlite", "mcap", "lz4", "safetensors"}  # lz4 comes with mcap
# Optional packages, each in one place, imported where it is used.
EXCEPTIONS = {
    ("sinks/live_table.py", "rich"),
    ("bundle.py", "cryptography"),
    ("bench/meters/ppk2.py", "serial"),
    ("sources/usb_ports.py", "serial"),
    ("sources/serial_port.py", "serial"),
    ("sources/ble/radio.py", "bleak"),
    ("sources/ble/bluez.py", "dbus_fast"),
    ("boards/flash/partitions.py", "esp_idf_defs"),
    ("boards/virtual_air.py", "bumble"),
    ("boards/virtual_tag_ble.py", "bumble"),
    ("boards/virtual_tag_ble.py", "usb1"),  # comes with bumble
}
# A Bluetooth stack of coroutines, and a device at the other end of the first room.
LIKE_SOURCES = {"boards/virtual_air.py", "boards/virtual_tag_ble.py"}


def imports(path):
    """(module, whether at the top level) of every import in `path`; TYPE_CHECKING blocks do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "edgehar":
                yield from ((f"edgehar.{alias.name}", id(node) in top) for alias in node.names)
            else:
                yield node.module, id(node) in top


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def inner(path):
    """First parts of the edgehar modules that `path` imports."""
    for module, _ in imports(path):
        if module.startswith("edgehar."):
            yield module.split(".")[1]


DEVICE_FILES = [path for path in FILES if room(path) in RANK and room(path) not in ("cli", "demo")]
IDS = [str(path.relative_to(ROOT)) for path in DEVICE_FILES]


def test_every_module_has_a_place_in_the_order():
    known = set(RANK) | DESK | {"__init__", "__main__"}
    assert {room(path) for path in FILES} <= known


@pytest.mark.parametrize("path", DEVICE_FILES, ids=IDS)
def test_a_room_imports_only_rooms_before_it(path):
    # The golden check is a part of opening a bundle that runs a runtime; both are of one rank.
    later = {name for name in inner(path) if name in RANK and RANK[name] > RANK[room(path)]}
    assert not later
    assert not set(inner(path)) & DESK, "the device side imports the desk side"


@pytest.mark.parametrize("path", DEVICE_FILES, ids=IDS)
def test_the_device_side_needs_only_its_few_packages(path):
    name = str(path.relative_to(ROOT))
    foreign = {module.split(".")[0] for module, _ in imports(path)} - set(sys.stdlib_module_names) - {"edgehar"}
    excused = {package for file, package in EXCEPTIONS if file == name}
    assert foreign - DEVICE_PACKAGES - excused - ({"pydantic"} if room(path) == "config" else set()) == set()


def test_a_command_imports_heavy_packages_only_when_it_runs():
    for path in (ROOT / "cli").glob("*.py"):
        at_top = {module.split(".")[0] for module, top in imports(path) if top}
        assert at_top <= set(sys.stdlib_module_names) | {"edgehar", "typer"}, path


def test_the_desk_side_does_not_import_the_command_line():
    for path in FILES:
        if room(path) in DESK:
            assert not set(inner(path)) & {"cli", "demo"}, path


def test_datasets_and_evaluation_open_without_the_training_packages():
    for path in FILES:
        if room(path) in ("datasets", "evaluate"):
            at_top = {module.split(".")[0] for module, top in imports(path) if top}
            assert not at_top & {"torch", "sklearn", "scipy", "pandas", "matplotlib", "snntorch", "pooch"}, path


def test_pickle_is_read_in_one_place_only():
    readers = {"pickle", "_pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
    found = {
        str(path.relative_to(ROOT)) for path in FILES for module, _ in imports(path) if module.split(".")[0] in readers
    }
    assert found <= {"datasets/seglearn.py"}
    for path in FILES:
        assert "allow_pickle=True" not in path.read_text(encoding="utf-8"), path


def test_asyncio_lives_in_the_first_and_the_last_room():
    others = [path for path in FILES if str(path.relative_to(ROOT)) not in LIKE_SOURCES]
    rooms = {room(path) for path in others for module, _ in imports(path) if module.split(".")[0] == "asyncio"}
    assert rooms <= {"sources", "sinks", "live", "label_keys", "capture", "testing", "cli", "demo"}


def test_nothing_is_asserted_outside_tests():
    for path in FILES:
        asserts = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Assert)
        ]
        assert not asserts, f"{path}: assert at lines {asserts}"
