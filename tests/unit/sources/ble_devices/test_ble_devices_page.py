"""docs/ble-devices.md: it knows every kind, says where its layout is from, and its Python runs."""

import importlib
import re
from pathlib import Path

from edgehar.sources.ble_devices import BLE_DEVICES

PAGE = (Path(__file__).parents[4] / "docs" / "ble-devices.md").read_text()


def test_every_kind_has_a_row_and_a_source():
    rows = re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE)
    assert set(rows) == set(BLE_DEVICES) - {"edgehar-tag"}
    for name in rows:
        module = importlib.import_module(BLE_DEVICES[name])
        sources = re.findall(r"https?://[^\s,;)]+", module.__doc__)
        assert sources or name == "arduino", f"{name}: no source is cited"


def test_its_python_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert "acc_x" in capsys.readouterr().out
