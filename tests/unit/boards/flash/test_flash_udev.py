"""The rule file is the table's, and holds nothing that udev would not read."""

from __future__ import annotations

import re
from pathlib import Path

from edgehar.boards.flash.udev import udev_rule
from edgehar.sources.usb_ports import IDENTITIES

RULE = Path(__file__).parents[4] / "deploy" / "udev" / "60-edgehar.rules"


def test_the_file_is_current():
    assert RULE.read_text() == udev_rule(), "edgehar flash --udev-rule > deploy/udev/60-edgehar.rules"


def test_every_identity_has_a_rule():
    pairs = set(re.findall(r'idVendor\}=="(\w{4})", ATTRS\{idProduct\}=="(\w{4})"', udev_rule()))
    assert pairs == {(f"{identity.vid:04x}", f"{identity.pid:04x}") for identity in IDENTITIES}


def test_every_line_is_a_comment_or_keys_with_operators():
    key = r'[A-Z_]+(\{\w+\})?(==|!=|\+=|=)"[^"]*"'
    for line in udev_rule().splitlines():
        assert line.startswith("# ") or line == "#" or re.fullmatch(rf"{key}(, {key})*", line), line
