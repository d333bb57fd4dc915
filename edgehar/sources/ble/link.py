"""A connection to one sensor that is kept: found, set going, and found and set going again whenever it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import Counter
from dataclasses import dataclass, replace

from edgehar.errors import EdgeHarError, InputError, MissingError, Reason
from edgehar.sources.ble import bluez
from edgehar.sources.ble.choose import Candidate, Wanted
from edgehar.sources.ble.inbox import Inbox
from edgehar.sources.ble.kinds import Kind
from edgehar.sources.ble.radio import ATT_HEAD_BYTES, Connection
from edgehar.sources.ble.recovery import Recovery
from edgehar.sources.ble.scan import Scan
from edgehar.sources.ble.trouble import RadioError, Trouble
from edgehar.sources.ble_devices.base import ANSWER_S, BleDevice, Choice, Read, Subscribe, Write
from edgehar.types import Chunk

PATIENCE_S = 15.0
CONNECT_S = 10.0
STEP_S = 5.0  # for one read, write or subscription
END_S = 3.0
SILENT_S = 10.0
RECENT_S = 10.0
MTU_S = 1.0  # some devices ask for more a moment after they were connected
NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long to look for the device at first; for how long again when it was lost (None: for ever); when it is silent
    for so long although it is connected, it is connected anew.
    """

    patience_s: float = PATIENCE_S
    reopen_s: float | None = None
    silent_s: float = SILENT_S


class Link:
    """`open` it, then `await chunks()`. `counts`: reconnects, overflow, and every trouble that was met on the way.

    `device` is known once it is open; `mtu` is None where the system does not tell.
    """

    def __init__(
        self, scan: Scan, wanted: Wanted, choice: Choice | None = None, persistence: Persistence | None = None
    ) -> None:
        self.device: BleDevice | None = None
        self.candidate: Candidate | None = None
        self.mtu: int | None = None
        self.inbox = Inbox()
        self._scan = scan
        self._wanted = wanted
        self._choice = choice or Choice()
        self._persistence = persistence or Persistence()
        self._counts: Counter[str] = Counter()
        self._recovery = Recovery(self._counts)
        self._connection: Connection | None = None
        self._lost = asyncio.Event()
        self._awaited = ""  # the characteristic that an answer comes from
        self._answered = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._ready: list[Chunk] = []

    @property
    def name(self) -> str:
        """As in messages: the address, and the name where it has one."""
        if self.candidate is None:
            return f"ble:{self._wanted.text}"
        told = self.candidate.sighting.advertised
        return f"ble:{told.address}{f' ({told.name})' if told.name else ''}"

    @property
    def address(self) -> str:
        """What to type for this device and no other."""
        return f"ble:{self._wanted.text if self.candidate is None else self.candidate.address}"

    @property
    def counts(self) -> Counter[str]:
        """Only what happened."""
        return +Counter({**self._counts, "overflow": self.inbox.overflow})

    async def open(self) -> None:
        """Find, connect, set going. Raises MissingError, InputError or UsageError that says what is in the way."""
        await self._connect(self._persistence.patience_s, opening=True)
        self._keeper = asyncio.create_task(self._keep())
        self._keeper.add_done_callback(self._kept)

    async def chunks(self) -> list[Chunk]:
        """What has come, at least one value, perhaps no sample. Raises what ended the stream."""
        if not self._ready:
            await self.inbox.wait()
            self._drain()
        found, self._ready = self._ready, []
        return found

    async def read(self, uuid: str) -> bytes | None:
        """A characteristic of the connected device; None where it has none such, or does not answer."""
        if self._connection is None:
            return None
        try:
            async with asyncio.timeout(STEP_S):
                return await self._connection.read(uuid) if self._connection.has(uuid) else None
        except (RadioError, TimeoutError):
            return None

    async def close(self) -> None:
        """Disconnect; harmless when repeated."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        await self._end()

    async def _keep(self) -> None:
        """Connect again, as often as the connection is lost."""
        while True:
            await self._until_lost()
            self.inbox.interrupt(time.monotonic_ns())
            await self._end()
            await self._connect(self._persistence.reopen_s, opening=False)
            self._counts["reconnects"] += 1

    def _kept(self, keeper: asyncio.Task[None]) -> None:
        """Whatever ended it, the reader is told."""
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            self.inbox.end(error)

    async def _until_lost(self) -> None:
        """Until the system says so, or the device has been silent for too long."""
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), self._persistence.silent_s / 4)
            silent_s = time.monotonic() - self.inbox.newest_ns / NS_PER_S
            if not self._lost.is_set() and silent_s > self._persistence.silent_s:
                before_ns = self.inbox.newest_ns
                await asyncio.sleep(0)  # a loop that stood still has values to deliver first
                await asyncio.sleep(self._persistence.silent_s / 20)
                if self.inbox.newest_ns == before_ns:
                    self._counts["silent"] += 1
                    return

    async def _connect(self, patience_s: float | None, *, opening: bool) -> None:
        """Try until it is set going or the patience is over. Raises what was wrong at last."""
        ends_s = None if patience_s is None else time.monotonic() + patience_s
        trouble: RadioError | None = None
        recent_s = RECENT_S if opening else 0.0  # the scan of another source may have heard it
        while True:
            left_s = None if ends_s is None else max(ends_s - time.monotonic(), 0.0)
            candidate = None
            try:
                candidate = await self._scan.find(self._wanted, left_s, self._counts, recent_s=recent_s)
                await self._attempt(candidate)
            except RadioError as error:
                trouble = error
                if candidate is None:
                    self._recovery.deaf()
                elif self._recovery.after(error.trouble):
                    await self._forget(candidate.address)
                if self._recovery.is_final(error.trouble, opening=opening):
                    raise self._named(error) from None
            except MissingError as missing:
                raise self._given_up(trouble or missing, opening=opening, patience_s=patience_s) from None
            else:
                self._recovery.worked()
                return
            if ends_s is not None and time.monotonic() + self._recovery.wait_s >= ends_s:
                raise self._given_up(trouble, opening=opening, patience_s=patience_s) from None
            await asyncio.sleep(self._recovery.wait_s)
            recent_s = 0.0

    async def _attempt(self, candidate: Candidate) -> None:
        """One connection, from nothing to a device that sends."""
        kind = candidate.kind
        if kind is None:  # Wanted.only does not give such
            raise RadioError(Trouble.OTHER, f"{candidate} is of no known kind")
        self.candidate = candidate
        # From now on it is this device, whatever else has its name.
        self._wanted = replace(self._wanted, text=candidate.address, kind=kind)
        if self.device is None:
            self.device = kind.make(self._choice)
        async with self._scan.resting():
            lost = asyncio.Event()
            connection = self._scan.radio.connection(candidate.sighting, lost.set, timeout_s=CONNECT_S)
            try:
                async with asyncio.timeout(2 * CONNECT_S):
                    await connection.make()
                self.mtu = await self._checked_mtu(connection, kind)
                await self._set_going(connection, self.device)
            except TimeoutError:
                await _hang_up(connection)
                raise RadioError(Trouble.TIMED_OUT) from None
            except (EdgeHarError, asyncio.CancelledError):
                await _hang_up(connection)
                raise
        self._connection, self._lost = connection, lost
        self._scan.taken.add(candidate.address)
        self.inbox.newest_ns = time.monotonic_ns()

    async def _set_going(self, connection: Connection, device: BleDevice) -> None:
        """The device's steps; what was read is taken at once, since a later step may hang on it."""
        for step in device.steps():
            async with asyncio.timeout(STEP_S):
                if isinstance(step, Subscribe):
                    await connection.subscribe(step.uuid, functools.partial(self._notified, step.uuid))
                elif isinstance(step, Read):
                    if not step.optional or connection.has(step.uuid):
                        self._notified(step.uuid, await connection.read(step.uuid))
                else:
                    await self._ask(connection, step)
            self._drain()

    async def _ask(self, connection: Connection, step: Write) -> None:
        """Write, and wait for the answer where one is to come."""
        self._awaited = step.answer
        self._answered.clear()
        await connection.write(step.uuid, step.value, response=step.response)
        if step.answer:
            try:
                await asyncio.wait_for(self._answered.wait(), ANSWER_S)
            except TimeoutError:
                self._counts["unanswered"] += 1

    async def _checked_mtu(self, connection: Connection, kind: Kind) -> int | None:
        """Raises InputError where a notification cannot hold one sample."""
        given_up_s = time.monotonic() + MTU_S
        while (mtu := connection.mtu) is not None and mtu < kind.least_mtu:
            if time.monotonic() >= given_up_s:
                raise InputError(
                    f"{self.name}: the connection carries notifications of {mtu - ATT_HEAD_BYTES} bytes (MTU {mtu}), "
                    f"{kind.name} needs {kind.least_mtu - ATT_HEAD_BYTES} (MTU {kind.least_mtu})",
                    reason=Reason.VALUE,
                    hint="let BlueZ ask for more: ExchangeMTU = 517 under [GATT] in /etc/bluetooth/main.conf",
                )
            await asyncio.sleep(MTU_S / 10)
        return mtu

    def _notified(self, uuid: str, value: bytes) -> None:
        self.inbox.put(uuid, value, time.monotonic_ns())
        if uuid == self._awaited:
            self._answered.set()

    def _drain(self) -> None:
        """Hand everything that waits to the device."""
        if self.device is None:
            return
        for value in self.inbox.all():
            if value.uuid:
                self._ready += self.device.take(value.uuid, value.value, value.host_ns)
            else:
                self.device.interrupt()

    async def _forget(self, address: str) -> None:
        if not self._scan.radio.is_bluez:
            return
        try:
            if await bluez.forget(address):
                self._counts["forgotten"] += 1
        except RadioError as error:
            self._counts[f"forget_{error.trouble}"] += 1

    async def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _hang_up(connection)
        if self.candidate is not None:
            self._scan.taken.discard(self.candidate.address)

    def _named(self, error: RadioError) -> RadioError:
        """The same, saying of which device."""
        named = RadioError(error.trouble, error.said, of=self.name)
        if self.candidate is not None:
            named.hint = named.hint.replace("ADDRESS", self.candidate.address)
        return named

    def _given_up(self, last: MissingError | None, *, opening: bool, patience_s: float | None) -> MissingError:
        """The error at the end of all patience."""
        if opening and isinstance(last, RadioError):
            return self._named(last)
        if opening and last is not None:
            return last
        return MissingError(
            f"{self.name} was lost and has not come back within {patience_s or 0:g} s",
            reason=Reason.NOT_FOUND,
            hint="bring it nearer, charge it; ?reopen_s=0 waits for ever" if last is None else last.hint,
        )


async def _hang_up(connection: Connection) -> None:
    """Whatever the system says to that."""
    with contextlib.suppress(RadioError, TimeoutError):
        async with asyncio.timeout(END_S):
            await connection.end()
