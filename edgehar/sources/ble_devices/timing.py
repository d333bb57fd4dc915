"""When a sample was taken, and what is missing before it, by what its device tells: a number, a time, or nothing."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from edgehar.clock import CounterUnwrap
from edgehar.types import IntArray

S_NS = 1_000_000_000
FOLLOW = 1 / 16  # share of a packet's deviation by which the estimate of the sampling period follows
MOST_OFF = 0.1  # a device's true rate is this near to the one that it names
SLACK = 0.25  # of a packet: irregular times up to this are no loss
MEMORY_S = 0.64  # of the alpha-beta filter of arrival times: many connection events
MOST_ALPHA = 1 / 16
ARRIVAL_OFF = 0.25  # rates of devices without a clock are kept less well
SILENCE_NS = S_NS
SILENT_PERIODS = 10


class Placed(NamedTuple):
    """t_dev_ns [n], rising. missing: samples known to be lost before the first; gap: whether any may be.

    restarted: the device's clock began anew.
    """

    t_dev_ns: IntArray
    missing: int = 0
    gap: bool = False
    restarted: bool = False


class Timing(Protocol):
    """Places packets of samples, in order of arrival, on the device's time line."""

    tells_loss: bool

    def place(self, n: int, host_ns: int, ticks: int, number: int) -> Placed | None:
        """Place n samples that arrived at `host_ns`, with what their device tells; None where they came before."""


class PacketClock:
    """For packets that carry a time: of their first sample, or of their last.

    bits, tick_ns: the device's counter. number_bits: the width of the first sample's number, 0 where there is none. A
    time alone tells loss, too: what two packets' distance has room for and did not arrive.
    """

    tells_loss = True

    def __init__(self, rate_hz: float, *, bits: int, tick_ns: int, of_last: bool = False, number_bits: int = 0) -> None:
        self._nominal_ns = self._period_ns = S_NS / rate_hz
        self._unwrap = CounterUnwrap(bits, tick_ns)
        self._of_last = of_last
        self._numbers = 1 << number_bits
        self._before: tuple[int, int, int] | None = None  # the newest packet's time, number, and samples
        self._newest_ns = 0

    def place(self, n: int, host_ns: int, ticks: int, number: int) -> Placed | None:
        """See `Timing`."""
        times, anew = self._unwrap.push(np.array([ticks], np.uint64), np.array([host_ns], np.int64))
        t_ns, restarted, missing = int(times[0]), bool(anew[0]), 0
        if self._before is not None:
            step_ns = t_ns - self._before[0]
            restarted |= step_ns < 0  # the link keeps the order: time falls only where it began anew
            if not restarted:
                lost = self._missing(n, step_ns, number)
                if step_ns == 0 or lost is None:
                    return None
                missing = lost
        t_dev_ns = self._spread(n, t_ns)
        if self._before is not None and not restarted and t_dev_ns[0] <= self._newest_ns:
            room = int(t_dev_ns[-1]) - self._newest_ns
            if room < n:
                return None
            t_dev_ns = self._newest_ns + room * np.arange(1, n + 1, dtype=np.int64) // n
        self._before = t_ns, number, n
        self._newest_ns = int(t_dev_ns[-1])
        return Placed(t_dev_ns, missing, bool(missing), restarted)

    def _spread(self, n: int, t_ns: int) -> IntArray:
        """[n]: times of a packet's samples, a period apart."""
        first = 1 - n if self._of_last else 0
        return np.asarray(t_ns + np.rint(np.arange(first, first + n) * self._period_ns).astype(np.int64))

    def _missing(self, n: int, step_ns: int, number: int) -> int | None:
        """Samples lost since the packet before, `step_ns` ago; None where this one came before. Follows the period."""
        _, last_number, last_n = self._before or (0, 0, 0)
        due = n if self._of_last else last_n  # so many periods, if nothing was lost
        beyond = step_ns / self._period_ns - due
        if self._numbers > 1:
            missing = (number - last_number - last_n) % self._numbers
            missing += self._numbers * max(0, round((beyond - missing) / self._numbers))  # full turns nobody saw
            if missing >= self._numbers // 2 and beyond < missing / 2:
                return None  # a step back in numbers, not a leap
        else:
            missing = max(1, round(beyond)) if beyond > max(0.5, SLACK * due) else 0
        measured_ns = step_ns / due
        if not missing and abs(measured_ns / self._nominal_ns - 1) <= MOST_OFF:
            self._period_ns += FOLLOW * (measured_ns - self._period_ns)
        return missing


class ArrivalClock:
    """For devices that tell neither number nor time: arrivals, smoothed by an alpha-beta filter.

    It takes out the unevenness of connection events, not their mean delay. What a device loses before it sends cannot
    be known; a silence far longer than the period is a gap of unknown size.
    """

    tells_loss = False

    def __init__(self, rate_hz: float) -> None:
        self._nominal_ns = self._period_ns = S_NS / rate_hz
        self._alpha = min(1 / (MEMORY_S * rate_hz), MOST_ALPHA)
        # The steadiest for that alpha (Benedict and Bordner, IRE Trans. AC-7, 1962).
        self._beta = self._alpha**2 / (2 - self._alpha)
        self._base_ns = 0
        self._t_ns: float | None = None  # of the newest sample, since the base
        self._newest_ns = 0

    def place(self, n: int, host_ns: int, ticks: int, number: int) -> Placed | None:
        """See `Timing`."""
        del ticks, number
        gap = self._t_ns is not None and self._is_silence(host_ns)
        t_dev_ns = np.array([self._next(host_ns, anew=gap and i == 0) for i in range(n)], np.int64)
        return Placed(t_dev_ns, gap=gap)

    def _is_silence(self, host_ns: int) -> bool:
        waited_ns = host_ns - self._base_ns - (self._t_ns or 0.0)
        return waited_ns > max(SILENCE_NS, SILENT_PERIODS * self._period_ns)

    def _next(self, host_ns: int, *, anew: bool) -> int:
        if self._t_ns is None:
            self._base_ns, self._t_ns = host_ns, 0.0
            self._newest_ns = host_ns
            return host_ns
        arrived_ns = float(host_ns - self._base_ns)
        if anew:
            self._t_ns = max(arrived_ns, self._t_ns)
        else:
            late_ns = arrived_ns - self._t_ns - self._period_ns
            # A burst must not turn time back, nor stop it.
            self._t_ns += max(self._period_ns + self._alpha * late_ns, self._period_ns / 8)
            least, most = (self._nominal_ns * (1 + sign * ARRIVAL_OFF) for sign in (-1, 1))
            self._period_ns = min(max(self._period_ns + self._beta * late_ns, least), most)
        self._newest_ns = max(self._base_ns + round(self._t_ns), self._newest_ns + 1)
        return self._newest_ns
