"""Lines that a host sends to a board."""

from __future__ import annotations

from edgehar.errors import Reason, UsageError
from edgehar.wire.schema import schema


def encode_command(name: str, *arguments: int | str, id: int = 0) -> bytes:  # noqa: A002  the field's name
    r"""The line for a command of messages.toml; UsageError where the board would refuse it.

    >>> encode_command("channel", 6, "below", id=7)
    b'#7 channel 6 below\n'
    """
    known = schema().commands
    if name not in known:
        raise UsageError(
            f"boards know no command '{name}'", reason=Reason.UNKNOWN_NAME, hint=f"choose one of: {', '.join(known)}"
        )
    command, given = known[name], list(arguments)
    if command.number is not None:
        number = given.pop(0) if given else None
        if not isinstance(number, int) or not command.takes(number):
            among = ", ".join(map(str, command.among))
            wanted = f"one of {among}" if among else "a number from {} to {}".format(*command.number)
            raise UsageError(f"{name} {number}", reason=Reason.VALUE, hint=f"give {wanted}")
    if given and given[0] in command.words:
        del given[0]
    if given:
        words = f"one of {', '.join(command.words)}" if command.words else "nothing more"
        raise UsageError(f"{name} takes {words}, not '{given[0]}'", reason=Reason.VALUE, hint="see docs/wire.md")
    text = " ".join([*([f"#{id}"] if id else []), name, *map(str, arguments)])
    return text.encode("ascii") + b"\n"
