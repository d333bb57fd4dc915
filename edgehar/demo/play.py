"""Plays the cast through the live pipeline, one recording after another, and keeps the score."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

from edgehar.demo.person import Cast
from edgehar.demo.score import Score
from edgehar.live import run_live, stopped_by_signals
from edgehar.pipeline import Pipeline
from edgehar.sinks.base import Sink
from edgehar.sources import SourceUri, open_source
from edgehar.tally import DecisionTally, StreamTally
from edgehar.types import Activity

Screen = Callable[[Score, "Now"], Sink]


class Now:
    """Where the demo stands; the screen's title and footer read it."""

    def __init__(self) -> None:
        self.title = ""
        self._before_s = 0.0
        self._stream = StreamTally()

    def begin(self, title: str) -> StreamTally:
        """The next recording starts; returns what counts its samples."""
        self._before_s = self.played_s
        self.title, self._stream = title, StreamTally()
        return self._stream

    @property
    def played_s(self) -> float:
        """Seconds of stream so far."""
        return self._before_s + self._stream.duration_s


class _Scorer:
    """A sink that keeps the score."""

    def __init__(self, score: Score) -> None:
        self._score = score

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def emit(self, activity: Activity) -> None:
        self._score.add(activity)


async def play(pipeline: Pipeline, cast: Cast, *, speed: float, screen: Screen | None) -> tuple[Score, float, bool]:
    """The score, the seconds of stream that were played, and whether Ctrl-C ended it early."""
    decisions, now = DecisionTally(), Now()
    score = Score(pipeline, decisions)
    sinks: list[Sink] = [_Scorer(score)]
    if screen is not None:
        sinks.append(screen(score, now))
    with stopped_by_signals() as stop:
        async with contextlib.AsyncExitStack() as stack:
            for sink in sinks:
                await stack.enter_async_context(sink)
            for take in cast.takes:
                if stop.event.is_set():
                    break
                stream = now.begin(take.title)
                async with open_source(SourceUri.parse(take.address).having(speed=repr(speed))) as source:
                    score.watch(source)
                    await run_live(source, pipeline, sinks, stop=stop, stream=stream, decisions=decisions)
    return score, now.played_s, stop.interrupted
