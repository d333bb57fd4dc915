"""Labels typed while recording: a key starts its activity, the same key or the space bar ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TextIO

from edgehar.errors import Reason, UsageError

NOTHING = " "


class TypedLabels:
    """`keys`: character -> label. `current` is the label of this moment, "" between activities."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = dict(keys)
        self.current = ""

    @classmethod
    def parse(cls, text: str) -> TypedLabels:
        """`w=walking,s=sitting`, or labels alone: `walking,sitting` take the keys 1, 2, ....

        Raises UsageError for a key that is not one character, or that has two meanings.
        """
        keys: dict[str, str] = {}
        for number, part in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
            key, equals, label = part.partition("=")
            key, label = (key, label) if equals else (str(number), part)
            if len(key) != 1 or key == NOTHING or not label or key in keys:
                raise UsageError(
                    f"--label-keys: '{part}' is not KEY=LABEL with a key of its own",
                    reason=Reason.FORMAT,
                    hint="write --label-keys 'w=walking,s=sitting', one character a key; space ends an activity",
                )
            keys[key] = label
        return cls(keys)

    def type(self, character: str) -> None:
        """A key was pressed; one without a meaning changes nothing."""
        if character == NOTHING:
            self.current = ""
        elif character in self.keys:
            label = self.keys[character]
            self.current = "" if label == self.current else label

    def describe(self) -> str:
        """The keys, for the line on the terminal."""
        return "  ".join(f"[{key}] {label}" for key, label in self.keys.items()) + "  [space] nothing"


@contextlib.contextmanager
def typing(labels: TypedLabels, stream: TextIO | None = None) -> Iterator[None]:
    """Take keys from standard input as they are pressed, without Enter, while the block runs; needs an event loop."""
    stream = sys.stdin if stream is None else stream
    number = stream.fileno()
    loop = asyncio.get_running_loop()

    def read() -> None:
        pressed = os.read(number, 64)
        if not pressed:  # a pipe that has ended
            loop.remove_reader(number)
        for character in pressed.decode(errors="replace"):
            labels.type(character)

    with _single_keys(number) if stream.isatty() else contextlib.nullcontext():
        try:
            loop.add_reader(number, read)
        except (NotImplementedError, PermissionError):
            raise UsageError(
                "--label-keys needs a terminal or a pipe as standard input",
                reason=Reason.VALUE,
                hint="type the labels in a terminal, or give one --label for the whole recording",
            ) from None
        try:
            yield
        finally:
            loop.remove_reader(number)


@contextlib.contextmanager
def _single_keys(number: int) -> Iterator[None]:
    """Keys one by one and without echo; Ctrl-C stays what it is."""
    import termios
    import tty

    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
