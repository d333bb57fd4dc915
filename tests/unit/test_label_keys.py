"""Keys become labels of the moment; what makes no sense is refused before anything is recorded."""

import asyncio
import os

import pytest

from edgehar.errors import UsageError
from edgehar.label_keys import TypedLabels, typing


def test_a_key_begins_and_ends_its_activity():
    typed = TypedLabels.parse("w=walking, s=sitting")
    seen = []
    for key in "wwsw x":
        typed.type(key)
        seen.append(typed.current)
    assert seen == ["walking", "", "sitting", "walking", "", ""]


def test_labels_alone_take_numbers():
    assert TypedLabels.parse("walking,lying down").keys == {"1": "walking", "2": "lying down"}


@pytest.mark.parametrize("text", ["ww=walking", "w=walking,w=waving", "w=", " =nothing"])
def test_keys_that_cannot_be_are_refused(text):
    with pytest.raises(UsageError, match="KEY=LABEL"):
        TypedLabels.parse(text)


def test_keys_are_taken_from_a_pipe_as_they_come():
    inner, outer = os.pipe()
    typed = TypedLabels.parse("w=walking")

    async def run():
        with os.fdopen(inner) as stream, typing(typed, stream):
            os.write(outer, b"w")
            while not typed.current:  # noqa: ASYNC110
                await asyncio.sleep(0)
            os.close(outer)
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert typed.current == "walking"


def test_keys_need_no_enter_on_a_terminal():
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    import termios

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    typed = TypedLabels.parse("w=walking")

    async def run():
        with os.fdopen(slave, closefd=False) as stream, typing(typed, stream):
            os.write(master, b"w")
            while not typed.current:  # noqa: ASYNC110
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
