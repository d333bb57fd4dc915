"""What a board reads from its host: lines to commands, as firmware/common/eh_command.c reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgehar.wire.messages import ReplyStatus
from edgehar.wire.schema import schema

_DECIMAL = re.compile(r"\d{1,5}")


@dataclass(frozen=True, slots=True)
class Asked:
    """One line: `text` as it was read, and what it asks for where `status` is DONE. `word` is the argument's."""

    text: str
    status: ReplyStatus
    id: int = 0
    name: str = ""
    number: int = 0
    word: str = ""


class CommandLines:
    """`push` bytes; a line ends with a line feed, and of one that is too long the beginning is kept.

    `device` names who reads it, as messages.toml does.
    """

    def __init__(self, device: str = "csi") -> None:
        self._device = device
        self._line = ""
        self._overlong = False

    def push(self, received: bytes) -> list[Asked]:
        """The lines that these bytes complete; empty ones are none."""
        asked = []
        for char in received.decode("latin-1"):
            if char == "\n":
                if self._line:
                    asked.append(parse_command(self._line, overlong=self._overlong, device=self._device))
                self._line, self._overlong = "", False
            elif len(self._line) == schema().max_command_bytes:
                self._overlong = True
            elif char not in "\r\0":
                self._line += char
        return asked


def parse_command(line: str, *, overlong: bool = False, device: str = "csi") -> Asked:
    """What the line asks for, or why it is no command.

    >>> parse_command("#7 channel 6 below")
    Asked(text='#7 channel 6 below', status=<ReplyStatus.DONE: 0>, id=7, name='channel', number=6, word='below')
    """
    words = [word for word in line.split(" ") if word]
    number_of = 0
    if words and words[0].startswith("#"):
        if not _DECIMAL.fullmatch(words[0][1:]) or int(words[0][1:]) > 0xFFFF:
            return Asked(line, ReplyStatus.BAD_ARGUMENT)
        number_of = int(words.pop(0)[1:])
    if overlong:
        return Asked(line, ReplyStatus.TOO_LONG, number_of)
    command = schema().commands.get(words[0]) if words else None
    if command is None or device not in command.devices:
        return Asked(line, ReplyStatus.UNKNOWN_COMMAND, number_of)
    arguments, number, refused = words[1:], 0, Asked(line, ReplyStatus.BAD_ARGUMENT, number_of)
    if command.number is not None:
        if not arguments or not _DECIMAL.fullmatch(arguments[0]) or not command.takes(int(arguments[0])):
            return refused
        number = int(arguments.pop(0))
    word = command.words[0] if command.words else ""
    if arguments and arguments[0] in command.words:
        word = arguments.pop(0)
    if arguments:
        return refused
    return Asked(line, ReplyStatus.DONE, number_of, command.name, number, word)
