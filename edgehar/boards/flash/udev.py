"""The udev rule that lets people open their boards, from the table of USB identities."""

from __future__ import annotations

from edgehar.sources.usb_ports import IDENTITIES, UDEV_RULE

_HEAD = f"""\
# Boards that edgehar flashes and records from: open to whoever sits at the machine (uaccess) and to the group dialout
# (people logged in from afar, services). ModemManager must not probe them: it would reset the board or eat its bytes.
#
#   edgehar flash --udev-rule | sudo tee {UDEV_RULE} && sudo udevadm control --reload
ACTION=="remove", GOTO="edgehar_end"
SUBSYSTEM!="tty", GOTO="edgehar_end"
"""
_TAIL = """\
ENV{ID_EDGEHAR}!="1", GOTO="edgehar_end"
MODE="0660", GROUP="dialout", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1", ENV{ID_MM_PORT_IGNORE}="1"
LABEL="edgehar_end"
"""


def udev_rule() -> str:
    """The text of the rule file; its number is below 73, where uaccess tags are turned into permissions."""
    rows = "".join(
        f"# {identity.title}\n"  # udev knows no comment after a rule
        f'SUBSYSTEMS=="usb", ATTRS{{idVendor}}=="{identity.vid:04x}", ATTRS{{idProduct}}=="{identity.pid:04x}", '
        'ENV{ID_EDGEHAR}="1"\n'
        for identity in IDENTITIES
    )
    return _HEAD + rows + _TAIL
