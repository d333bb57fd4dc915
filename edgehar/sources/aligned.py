"""Several sources as one: their chunks in order of arrival, through an `Aligner`, onto one grid."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Self

from edgehar.align.aligner import WAIT_NS, Aligner
from edgehar.align.delay import LeastDelay, least_delay
from edgehar.align.tap import Tap
from edgehar.align.tap_search import TapSearch
from edgehar.contract import Contract
from edgehar.errors import Reason, UsageError
from edgehar.sources.arrivals import live, merged
from edgehar.sources.base import Source
from edgehar.types import Chunk, StreamSpec


class AlignedSource:
    """Sources by sensor name, on the time line and the grid that `contract` asks for.

    speed None: the sources are live and come at their own pace; else they are read as fast as they give (recordings,
    simulations), merged by their times of arrival and played at so many stream seconds a second, 0 as fast as it goes.
    bases: least delays of the links; by default what a source knows of its own. tap: hold everything until a tap that
    all sensors saw has put them on one line. on_chunk sees every raw chunk before it is aligned, to record it.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        contract: Contract,
        *,
        bases: Mapping[str, LeastDelay] | None = None,
        wait_ns: int = WAIT_NS,
        speed: float | None = None,
        tap: bool = False,
        on_chunk: Callable[[str, Chunk], None] | None = None,
    ) -> None:
        self.sources = dict(sources)
        self.taps: dict[str, Tap] = {}
        self.on_chunk = on_chunk
        self._contract = contract
        self._bases = dict(bases or {})
        self._wait_ns = wait_ns
        self._speed = speed
        self._tap = tap
        self._open = contextlib.AsyncExitStack()
        self._aligner: Aligner | None = None
        self._opened_s: float | None = None

    @property
    def aligner(self) -> Aligner:
        """What is known of the clocks; there once the source is open."""
        if self._aligner is None:
            raise UsageError("the sensors are not open", reason=Reason.VALUE, hint="use it in an 'async with' block")
        return self._aligner

    @property
    def spec(self) -> StreamSpec:
        """All channels of the contract."""
        return self.aligner.spec

    @property
    def counts(self) -> Counter[str]:
        """What each source counted, and its samples that found no place on the time line, as `NAME cause`."""
        found: Counter[str] = Counter()
        for name, source in self.sources.items():
            told = Counter(getattr(source, "counts", ())) + self.aligner.tracks[name].counts
            found.update({f"{name} {cause}": n for cause, n in told.items()})
        return found

    async def __aenter__(self) -> Self:
        """Open the sources, and check that their streams are what the contract asks for."""
        self._opened_s = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            for source in self.sources.values():
                await stack.enter_async_context(source)
            told = {name: least_delay(source) for name, source in self.sources.items()}
            specs = {name: source.spec for name, source in self.sources.items()}
            self._aligner = Aligner(specs, self._contract, bases={**told, **self._bases}, wait_ns=self._wait_ns)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the sources."""
        await self._open.aclose()

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Aligned rows, until the last source ends."""
        arrivals = live(self.sources, self._opened_s) if self._speed is None else merged(self.sources, self._speed)
        search = TapSearch(self.aligner) if self._tap else None
        async with contextlib.aclosing(arrivals):
            async for name, part in arrivals:
                if self.on_chunk is not None:
                    self.on_chunk(name, part)
                for whose, held in [(name, part)] if search is None else search.push(name, part):
                    for rows in self.aligner.push(whose, held):
                        yield rows
                if search is not None and search.taps:
                    self.taps, search = search.taps, None
        if search is not None:
            search.give_up()
        for rows in self.aligner.flush():
            yield rows

    def label_at(self, t_dev_ns: int) -> str:
        """What the first source that knows says was true at a time of the shared line."""
        for name, source in self.sources.items():
            label = source.label_at(self.aligner.tracks[name].time.device_ns(t_dev_ns))
            if label:
                return label
        return ""
