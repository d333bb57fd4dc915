"""Runs inside the virtual machine: the tags, in a process of their own as they are a device of their own.

argv: a recording for the tag "replayed", and where its truth goes. Standard input, a line each: "drop NAME SECONDS",
"truth"; standard output: one JSON object when the tags are there, one when a tag is back, one with the truth.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from pathlib import Path

from edgehar.boards.virtual_tag import TagSettings, VirtualTag
from edgehar.boards.virtual_tag_ble import on_air
from edgehar.boards.virtual_tag_motion import open_motion
from edgehar.boards.virtual_tag_truth import TruthRecorder


def say(**told):
    print(json.dumps(told), flush=True)


def told_if_ended(life):
    """The life of a tag ends by itself only with an error, which would leave the host waiting for ever."""
    if not life.cancelled() and (error := life.exception()) is not None:
        traceback.print_exception(error)


async def commands():
    """Lines from standard input; the last one is empty."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()


async def serve(recording, truth):
    def tag(name, motion, on_samples=None, rate_hz=100):
        return VirtualTag(TagSettings(name, rate_hz=rate_hz, waits=True, queue_samples=2048), motion, on_samples)

    with TruthRecorder(truth, name="replayed") as recorder:
        tags = [
            tag("wrist", open_motion(seed=1)),
            tag("leg", open_motion(seed=2)),
            tag("replayed", open_motion(recording), recorder.push, rate_hz=0),
        ]
        async with on_air(tags, "vhci") as served:
            for one in served:
                one.life.add_done_callback(told_if_ended)
            by_name = {one.tag.settings.name: one for one in served}
            say(tags={name: one.address for name, one in by_name.items()})
            async for command in commands():
                if command[0] == "drop":
                    one, before_s = by_name[command[1]], by_name[command[1]].appeared_s
                    one.drop(float(command[2]))
                    while one.appeared_s == before_s:  # noqa: ASYNC110  a clock, not an event
                        await asyncio.sleep(0.01)
                    say(appeared_s=one.appeared_s)
                elif command[0] == "truth":
                    say(truth={name: one.truth() for name, one in by_name.items()})
    say(ended=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
