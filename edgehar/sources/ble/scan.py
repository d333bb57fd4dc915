"""One scan for all who look for a device: a second one of the same program is what BlueZ answers with InProgress.

It runs while somebody looks, rests while a connection is being made (many adapters cannot do both), and is begun anew
for whoever joins late and every RENEW_S: adapters report a device once a scan.

The kernel ends a scan by itself after 10.24 s. A stop that crosses that on its way is what leaves BlueZ before 5.88
deaf for good (github.com/bluez/bluez/issues/807): no scan here becomes so old, and an adapter that is stuck all the
same is switched off and on, unless something is connected through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import Counter
from collections.abc import AsyncIterator

from edgehar.errors import Reason, UsageError
from edgehar.sources.ble import bluez
from edgehar.sources.ble.choose import Candidate, Wanted
from edgehar.sources.ble.radio import Radio, Sighting
from edgehar.sources.ble.trouble import LASTING, RadioError, Trouble

SETTLE_S = 2.0  # from the first device of a name to the decision that it is the only one
RENEW_S = 7.0
JOIN_S = 0.5  # a scan that has run for longer is begun anew for a newcomer
STARTS = 5  # attempts to begin a scan
WAIT_S = 0.3  # between them, times 1, 2, 3, ...
KEPT_S = 60.0
NS_PER_S = 1e9


class Scan:
    """`find` gives the device that is wanted, `around` all; `resting` keeps the air free for a connection.

    `taken`: addresses that sources of this program use already; a name or "auto" means others.
    """

    def __init__(self, radio: Radio) -> None:
        self.radio = radio
        self.taken: set[str] = set()
        self._ear = radio.ear(self._heard)
        self._seen: dict[str, Sighting] = {}
        self._lookers: set[asyncio.Event] = set()
        self._began_s: float | None = None
        self._resting = 0
        self._stuck = False
        self._turn = asyncio.Lock()
        self._connecting = asyncio.Lock()

    async def find(
        self, wanted: Wanted, patience_s: float | None, counts: Counter[str], *, recent_s: float = 0.0
    ) -> Candidate:
        """The device, once it is heard; patience_s None: for ever. recent_s: having been heard so lately is enough.

        Raises MissingError where it is not heard in time, UsageError where two are meant or another source has it,
        RadioError where nothing can be heard at all.
        """
        if wanted.text.lower() in {address.lower() for address in self.taken}:
            raise UsageError(
                f"ble:{wanted.text} is used by another source of this program",
                reason=Reason.VALUE,
                hint="name each sensor once; edgehar doctor ble lists what is in range",
            )
        began_s = time.monotonic()
        ends_s = None if patience_s is None else began_s + patience_s
        decides_s: float | None = None
        async with self._looking(counts) as news:
            # What the scan that is joined has heard, it may not tell again.
            since_s = min(began_s - recent_s, self._began_s or began_s)
            while True:
                now_s = time.monotonic()
                found = [one for one in wanted.among(self._since(since_s)) if one.address not in self.taken]
                if found and decides_s is None:
                    decides_s = now_s if wanted.is_address else now_s + SETTLE_S
                is_over = ends_s is not None and now_s >= ends_s
                if found and (is_over or (decides_s is not None and now_s >= decides_s)):
                    return wanted.only(found)
                if is_over:
                    raise wanted.missing(self._since(since_s), patience_s or 0.0)
                await self._renew(counts, RENEW_S)
                waits_s = min(s - now_s for s in (decides_s, ends_s, now_s + self._patience_s()) if s is not None)
                news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), max(waits_s, 0.0))

    async def around(self, seconds: float, counts: Counter[str]) -> list[Sighting]:
        """Everything that is heard in so long. Raises RadioError where nothing can be heard."""
        began_s = time.monotonic()
        async with self._looking(counts):
            await asyncio.sleep(seconds)
            return self._since(began_s)

    @contextlib.asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """No scan, and nobody else connects, for as long as the block runs."""
        async with self._connecting:
            self._resting += 1
            try:
                async with self._turn:
                    await self._stop()
                yield
            finally:
                self._resting -= 1
                if self._lookers:
                    async with self._turn:
                        with contextlib.suppress(RadioError):  # those who look find out by themselves
                            await self._start()

    @contextlib.asynccontextmanager
    async def _looking(self, counts: Counter[str]) -> AsyncIterator[asyncio.Event]:
        news = asyncio.Event()
        self._lookers.add(news)
        try:
            await self._renew(counts, JOIN_S)
            for sighting in await self.radio.connected():
                self._heard(sighting)
            yield news
        finally:
            self._lookers.discard(news)
            if not self._lookers:
                async with self._turn:
                    await self._stop()

    async def _renew(self, counts: Counter[str], age_s: float) -> None:
        """Begin the scan, anew where it is older. Raises RadioError where it cannot be begun."""
        async with self._turn:
            if self._resting or self._age_s() <= age_s:
                return
            kept = self._since(time.monotonic() - KEPT_S)
            self._seen = {sighting.advertised.address: sighting for sighting in kept}
            await self._stop()
            if self._stuck:
                await self._unstick(counts)
            for attempt in range(1, STARTS + 1):
                try:
                    await self._start()
                except RadioError as error:
                    counts[f"scan_{error.trouble}"] += 1
                    if error.trouble in LASTING or attempt == STARTS:
                        raise
                    await asyncio.sleep(WAIT_S * attempt)
                else:
                    return

    async def _start(self) -> None:
        if self._began_s is None:
            await self._ear.start()
            self._began_s = time.monotonic()

    async def _stop(self) -> None:
        """A scan that cannot be stopped is over as far as anybody here can tell."""
        if self._began_s is not None:
            self._began_s = None
            try:
                await self._ear.stop()
            except RadioError as error:
                self._stuck |= error.trouble is Trouble.IN_PROGRESS

    async def _unstick(self, counts: Counter[str]) -> None:
        self._stuck = False
        with contextlib.suppress(RadioError):
            if self.radio.is_bluez and await bluez.cycle_power(self.radio.adapter):
                counts["adapter_cycled"] += 1

    def _age_s(self) -> float:
        """How long the scan has been running; infinite where it does not."""
        return float("inf") if self._began_s is None else time.monotonic() - self._began_s

    def _patience_s(self) -> float:
        """Until somebody who hears nothing looks what the scan is doing."""
        return WAIT_S if self._began_s is None else max(RENEW_S - self._age_s(), 0.0) + 0.001

    def _since(self, began_s: float) -> list[Sighting]:
        return [sighting for sighting in self._seen.values() if sighting.host_ns >= began_s * NS_PER_S]

    def _heard(self, sighting: Sighting) -> None:
        self._seen[sighting.advertised.address] = sighting
        for news in self._lookers:
            news.set()


@functools.lru_cache(maxsize=4)
def _scan_of(loop: asyncio.AbstractEventLoop, radio: Radio) -> Scan:
    del loop  # a scan belongs to one
    return Scan(radio)


def shared_scan(radio: Radio) -> Scan:
    """The one of the running event loop, for every source that uses the same adapter."""
    return _scan_of(asyncio.get_running_loop(), radio)
