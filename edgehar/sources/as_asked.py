"""A motion sensor in the units and with the channels that a bundle asks for, where they are but another way to say it.

A device has units of its own; which ones does not change what was measured. A channel that the bundle does not know is
left out. Everything else is left to the contract's check, which says what differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np

from edgehar.calibration import UNIT_OF
from edgehar.dsp.imu_still import Float64
from edgehar.sources.base import Source
from edgehar.types import Chunk, IntArray, StreamSpec

_KIND_OF = {"g": "acceleration", "mps2": "acceleration", "radps": "turn rate", "dps": "turn rate"}


class AsAsked:
    """`source`, seen as `expected` says where that can be done by choosing and scaling channels; else as it is."""

    def __init__(self, source: Source, expected: StreamSpec) -> None:
        self.source = source
        self._expected = expected
        self._columns: IntArray | None = None
        self._factors: Float64 | None = None
        self._spec: StreamSpec | None = None

    @property
    def spec(self) -> StreamSpec:
        """The source's, with the expected channels and units; known once it is open."""
        return self.source.spec if self._spec is None else self._spec

    @property
    def counts(self) -> Counter[str]:
        """The source's."""
        return Counter(getattr(self.source, "counts", ()))

    @property
    def least_delay(self) -> object:
        """What the source knows of its link; None where it does not say."""
        return getattr(self.source, "least_delay", None)

    async def __aenter__(self) -> Self:
        """Open the source."""
        await self.source.__aenter__()
        found = conversion(self.source.spec, self._expected)
        if found is not None:
            self._columns, self._factors = found
            self._spec = replace(self.source.spec, channels=self._expected.channels, units=self._expected.units)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.source.__aexit__(kind, error, trace)

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Its chunks."""
        async for chunk in self.source:
            if self._columns is None or self._factors is None:
                yield chunk
            else:
                x = (chunk.x[:, self._columns] * self._factors).astype(np.float32)
                yield replace(chunk, spec=self.spec, x=x)

    def label_at(self, t_dev_ns: int) -> str:
        """The source's."""
        return self.source.label_at(t_dev_ns)


def conversion(spec: StreamSpec, expected: StreamSpec) -> tuple[IntArray, Float64] | None:
    """Columns of `spec` for each expected channel, and what to multiply them with; None: nothing, or it cannot be."""
    if (spec.channels, spec.units) == (expected.channels, expected.units):
        return None
    unit_of = dict(zip(spec.channels, spec.units, strict=True))
    factors = []
    for channel, unit in zip(expected.channels, expected.units, strict=True):
        given = unit_of.get(channel, "")
        if not given or (given != unit and _KIND_OF.get(given) != _KIND_OF.get(unit, unit)):
            return None
        factors.append(1.0 if given == unit else UNIT_OF[unit] / UNIT_OF[given])
    return np.array([spec.channels.index(channel) for channel in expected.channels], np.int64), np.array(factors)
