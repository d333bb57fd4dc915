"""The clock of a tag, of which samples tell the low 32 bits: they come round every 71.6 minutes."""

from __future__ import annotations

from edgehar.clock import RESTART_NS

WRAP_US = 1 << 32


class TagClock:
    """The low 32 bits of a tag's clock, as samples have them, in full.

    Hello and heartbeat tell it in full once a second, so that the host's clock, which stops while a laptop sleeps, is
    not asked. Before the first of these, the bits count from 0.
    """

    def __init__(self) -> None:
        self.newest_us: int | None = None  # of the newest samples
        self._told_us: int | None = None  # by the newest hello or heartbeat
        self._before_us = 0  # turns of the counter that the first samples did not know of

    def hear(self, t_us: int) -> None:
        """Hello or heartbeat say that it is `t_us`."""
        if self._told_us is None and self.newest_us is not None:
            self._before_us = round((t_us - self.newest_us) / WRAP_US) * WRAP_US
        self._told_us = t_us

    def fell(self, t_us: int) -> bool:
        """Whether that lies behind what was told before: the tag restarted."""
        return self._told_us is not None and t_us < self._told_us - RESTART_NS // 1000

    def full_us(self, t_us: int) -> int:
        """The time with these low bits that is nearest to the newest that is known."""
        told_us = None if self._told_us is None else self._told_us - self._before_us
        if told_us is None and self.newest_us is None:
            return t_us
        reference_us = max(told_us or 0, self.newest_us or 0)
        step_us = (t_us - reference_us) % WRAP_US
        nearest_us = reference_us + step_us - (WRAP_US if step_us >= WRAP_US // 2 else 0)
        return nearest_us if nearest_us >= 0 else nearest_us + WRAP_US
