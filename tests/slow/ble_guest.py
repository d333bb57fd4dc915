"""Runs inside the virtual machine: the host of the tags, through edgehar's own source, bleak, BlueZ and the kernel.

argv: bundle, recording, seconds at 100 Hz. Prints one JSON object per act on a line that begins with ACT.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgehar.cli.app import main
from edgehar.dsp.kernel import compile_kernels
from edgehar.sources import open_source

ADAPTER = ("busctl", "set-property", "org.bluez", "/org/bluez/hci0", "org.bluez.Adapter1", "Powered", "b", "true")
REFERENCE = ("--runtime", "reference", "--json")
PATIENCE = "patience_s=120"
STUCK_S = 180.0  # beyond what is listened to: what takes longer never ends


def act(name, **told):
    print("ACT", json.dumps({"act": name, **told}), flush=True)


class Tags:
    """The other process."""

    def __init__(self, recording, truth):
        command = [sys.executable, "-m", "tests.slow.ble_tags", recording, str(truth)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addresses = self.told()["tags"]

    def told(self):
        line = self._process.stdout.readline()
        return json.loads(line)

    def ask(self, command):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def end(self):
        self._process.stdin.close()
        self.told()
        self._process.wait()


def power_on():
    """The adapter is there as soon as bluetoothd has seen it."""
    while subprocess.run(ADAPTER, capture_output=True, check=False).returncode:
        time.sleep(0.2)


class Heard:
    """What came of one source: samples, gaps, and when."""

    def __init__(self):
        self.samples = self.missing = 0
        self.first_ns = self.last_ns = 0
        self.newest_s = 0.0
        self._next = None

    def add(self, chunk):
        seq = chunk.seq.tolist()
        self.missing += seq[0] - (seq[0] if self._next is None else self._next) + seq[-1] - seq[0] + 1 - len(seq)
        self._next = seq[-1] + 1
        self.samples += len(seq)
        self.first_ns = self.first_ns or int(chunk.t_dev_ns[0])
        self.last_ns = int(chunk.t_dev_ns[-1])
        self.newest_s = time.monotonic()

    def told(self, source):
        stream_s = (self.last_ns - self.first_ns) / 1e9
        counts = {str(cause): n for cause, n in source.counts.items()}
        return {"samples": self.samples, "missing": self.missing, "stream_s": stream_s, "counts": counts}


async def listen(address, seconds, heard, **settings):
    """The samples of one tag for so many seconds of its own time."""
    query = "&".join([PATIENCE, *(f"{key}={value}" for key, value in settings.items())])
    async with open_source(f"ble:{address}?{query}") as source:
        async for chunk in source:
            heard.add(chunk)
            if heard.last_ns - heard.first_ns >= seconds * 1e9:
                break
        return heard.told(source)


async def drop_and_return(tags):
    """Seconds from the tag's return to the first sample after it."""
    heard, back = Heard(), []

    async def drop():
        while heard.samples < 100:  # noqa: ASYNC110  counted by another task
            await asyncio.sleep(0.05)
        tags.ask("drop wrist 2")
        back.append((await asyncio.to_thread(tags.told))["appeared_s"])

    dropping = asyncio.ensure_future(drop())
    async with open_source(f"ble:{tags.addresses['wrist']}?{PATIENCE}") as source:
        after_s = 0.0
        async for chunk in source:
            heard.add(chunk)
            if back and heard.newest_s > back[0]:
                after_s = after_s or heard.newest_s
                if heard.newest_s > after_s + 2:
                    break
        told = heard.told(source)
    await dropping
    return {**told, "reconnect_s": after_s - back[0]}


async def within(seconds, work):
    async with asyncio.timeout(seconds + STUCK_S):
        return await work


async def both(tags):
    heard = {name: Heard() for name in ("wrist", "leg")}
    told = await asyncio.gather(*(listen(tags.addresses[name], 10, heard[name], rate_hz=100) for name in heard))
    return dict(zip(heard, told, strict=True))


def decisions(path):
    """Lines of a JSONL sink without what depends on the host's clock."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("t_ns", "meta")} for line in lines]


def run_bundle(bundle, tags, directory, truth):
    live, again = directory / "live.jsonl", directory / "again.jsonl"
    source = f"ble:{tags.addresses['replayed']}?{PATIENCE}"
    code = main(["run", bundle, "--source", source, "--sink", f"jsonl:{live}", "--duration", "19", *REFERENCE])
    tags.ask("truth")
    told = tags.told()["truth"]
    tags.end()
    replayed = main(["run", bundle, "--source", f"replay:{truth}?speed=0", "--sink", f"jsonl:{again}", *REFERENCE])
    found, wanted = decisions(live), decisions(again)
    differ = [i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b]
    act(
        "run", codes=[code, replayed], live=len(found), replayed=len(wanted), differ=differ, first=found[:1], truth=told
    )


def guest(bundle, recording, seconds):
    compile_kernels(wanted=False)  # the compiler would take minutes in an emulator; the bits are the same
    with tempfile.TemporaryDirectory() as name:
        truth = Path(name) / "truth.mcap"
        tags = Tags(recording, truth)
        power_on()
        act("stream", **asyncio.run(within(seconds, listen(tags.addresses["wrist"], seconds, Heard(), rate_hz=100))))
        act("drop", **asyncio.run(within(5, drop_and_return(tags))))
        act("both", **asyncio.run(within(10, both(tags))))
        act("fast", **asyncio.run(within(5, listen(tags.addresses["wrist"], 5, Heard(), rate_hz=200))))
        run_bundle(bundle, tags, Path(name), truth)


if __name__ == "__main__":
    guest(sys.argv[1], sys.argv[2], float(sys.argv[3]))
