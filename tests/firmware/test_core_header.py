"""The generated header is the schema's, and every constant that C repeats by hand is, too."""

import re

from edgehar.wire.c_gatt import c_gatt
from edgehar.wire.c_header import c_header
from edgehar.wire.messages import ReplyStatus
from tests.firmware.core_cases import COMMON, CORE


def test_the_header_in_the_tree_is_what_the_schema_gives():
    now = (COMMON / "eh_wire_layout.h").read_text()
    assert now == c_header(), "python -m edgehar.wire.c_header > firmware/common/eh_wire_layout.h"


def test_the_gatt_header_in_the_tree_is_what_the_profile_gives():
    now = (COMMON / "eh_gatt.h").read_text()
    assert now == c_gatt(), "python -m edgehar.wire.c_gatt > firmware/common/eh_gatt.h"


def test_reply_statuses_are_those_of_python():
    found = dict(re.findall(r"EH_REPLY_(\w+) = (\d+)", (COMMON / "eh_command.h").read_text()))
    assert {name: int(value) for name, value in found.items()} == dict(ReplyStatus.__members__)


def test_the_core_needs_no_library():
    for source in CORE:
        assert not re.findall(r"#include <(?!std(?:int|def)\.h)", source.read_text()), source
