"""How much later one sensor's times are than another's, from motion that both saw: taps, or comings and goings.

The two strengths are correlated over every lag that links can cause. A peak counts only if nothing else comes near it:
walking looks alike at every step, and an alignment that is one step off is worse than none. Where both are
accelerometers the taps are then timed one by one, by the centre of each one's strength.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgehar.align.motion import Float64, Motion
from edgehar.types import IntArray

STEP_NS = 2_000_000
MOST_LAG_NS = 500_000_000
SMOOTH_NS = 250_000_000  # how finely comings and goings can be told
STRETCH_NS = {True: 5_000_000_000, False: 15_000_000_000}  # of taps; of motion that has no shocks
LEAST_R = {True: 0.6, False: 0.5}
RIVAL = 0.75  # of the best, that no other lag may reach
SHOCK_G, CALM_G = 1.0, 0.25  # a tap is above; three quarters of the time must be below
APART_NS = 150_000_000  # between two taps
OVER_NS = 1_000_000_000  # nothing for so long: no further tap belongs to these
CENTRE = 2.2  # sampling periods on either side of a tap's peak that its centre is taken over
TIMED = 0.75  # of a sampling period: what the centre of one tap is off by at most (benchmarks/align.py)


@dataclass(frozen=True, slots=True)
class Tap:
    """The second sensor's times are `lag_ns` later than the first's, right to `within_ns`.

    r: correlation at that lag; rival: the best one elsewhere; taps: how many were timed, 0 where there are no shocks.
    """

    lag_ns: int
    within_ns: int
    r: float
    rival: float
    taps: int
    at_ns: int

    def describe(self) -> str:
        """For a terminal."""
        found = f"{self.taps} tap{'s' * (self.taps != 1)}" if self.taps else "common motion"
        return f"{self.lag_ns / 1e6:+.1f} ms, right to {self.within_ns / 1e6:.1f} ms ({found}, r {self.r:.2f})"


def find_tap(a: Motion, b: Motion) -> Tap | str:
    """What the newest stretch of both says, or why it says nothing.

    Shocks count once they are over: three taps are better than the first of them.
    """
    shocks = a.shocks and b.shocks
    end = min(int(m.t_ns[-1]) if len(m.t_ns) else 0 for m in (a, b))
    began = end - STRETCH_NS[shocks]
    a, b = a.between(began, end), b.between(began, end)
    if min(len(a.t_ns), len(b.t_ns)) < STRETCH_NS[shocks] // (2 * max(a.period_ns, b.period_ns)):
        return "too few samples"
    if shocks and (excuse := _not_a_tap(a) or _not_a_tap(b)):
        return excuse
    lags, c = correlate(a, b, smooth_ns=0 if shocks else SMOOTH_NS)
    best = int(c.argmax())
    near_ns = 3 * max(a.period_ns, b.period_ns) if shocks else SMOOTH_NS
    rival = _rival(c, best, near_ns // STEP_NS)
    if c[best] < LEAST_R[shocks]:
        return f"the sensors did not see the same (r {c[best]:.2f}, at least {LEAST_R[shocks]:g} is needed)"
    if best in (0, len(c) - 1) or rival > RIVAL * c[best]:
        at = f"{lags[best] / 1e6:.0f} ms (r {c[best]:.2f})"
        return f"ambiguous: {at}, but elsewhere r {rival:.2f}"
    r = float(c[best])
    if not shocks:
        near = np.flatnonzero(c >= 0.95 * r)
        return Tap(int(lags[best]), int(lags[near[-1]] - lags[near[0]]) // 2 + STEP_NS, r, rival, 0, end)
    return _timed(a, b, int(lags[best]), r, rival)


def correlate(a: Motion, b: Motion, smooth_ns: int = 0) -> tuple[IntArray, Float64]:
    """Lags [l] in ns of b behind a, and the correlation [l] of the two strengths, smoothed, at each."""
    points = np.arange(max(a.t_ns[0], b.t_ns[0]), min(a.t_ns[-1], b.t_ns[-1]), STEP_NS)
    one, other = (_prepared(np.interp(points, m.t_ns, m.strength), smooth_ns // STEP_NS) for m in (a, b))
    n = 1 << int(2 * len(points)).bit_length()
    c = np.fft.irfft(np.conj(np.fft.rfft(one, n)) * np.fft.rfft(other, n), n)
    most = min(MOST_LAG_NS // STEP_NS, len(points) - 1)
    lags = np.arange(-most, most + 1)
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    return lags * STEP_NS, c[lags] / scale if scale > 0 else np.zeros(len(lags))


def _prepared(values: Float64, width: int) -> Float64:
    """Means over `width` points where it is above 1; without their own mean."""
    smooth = np.convolve(values, np.ones(width) / width, mode="same") if 1 < width < len(values) else values
    return np.asarray(smooth - smooth.mean())


def _not_a_tap(m: Motion) -> str:
    """Why this stretch cannot be a tap in the hands of somebody who otherwise keeps still; empty if it can."""
    if m.strength.max() < SHOCK_G:
        return f"no tap: nothing above {SHOCK_G:g} g"
    if m.strength[m.t_ns > m.t_ns[-1] - OVER_NS].max() >= SHOCK_G:
        return "a tap that may not be the last"
    calm = float(np.percentile(m.strength, 75))
    return "" if calm < CALM_G else f"the sensors were moving otherwise, too ({calm:.2f} g)"


def _rival(c: Float64, best: int, within: int) -> float:
    """The highest correlation that does not belong to the best one's peak."""
    low = high = best
    while low > 0 and (c[low - 1] <= c[low] or best - low < within):
        low -= 1
    while high < len(c) - 1 and (c[high + 1] <= c[high] or high - best < within):
        high += 1
    rest = np.concatenate([c[:low], c[high + 1 :]])
    return float(rest.max()) if len(rest) else 0.0


def _timed(a: Motion, b: Motion, lag_ns: int, r: float, rival: float) -> Tap | str:
    """Every tap of a against the one of b that lies `lag_ns` later."""
    slack_ns = 2 * max(a.period_ns, b.period_ns)
    found = []
    for at_ns in _shocks(a):
        twins = [t for t in _shocks(b) if abs(t - at_ns - lag_ns) <= slack_ns]
        if len(twins) == 1:
            found.append((at_ns, _centre(b, twins[0]) - _centre(a, at_ns)))
    if not found:
        return "no tap that both sensors saw"
    lags = np.array([lag for _, lag in found])
    if lags.max() - lags.min() > 2 * slack_ns:
        return f"the taps disagree by {(lags.max() - lags.min()) / 1e6:.0f} ms"
    within = TIMED * max(a.period_ns, b.period_ns) / np.sqrt(len(lags))
    return Tap(round(float(lags.mean())), round(within), r, rival, len(lags), found[-1][0])


def _shocks(m: Motion) -> list[int]:
    """Times of the peaks above what a tap needs, strongest first found, none near another."""
    least = max(SHOCK_G, 0.4 * float(m.strength.max()))
    strength = m.strength.copy()
    found = []
    while len(strength) and strength.max() >= least:
        at_ns = int(m.t_ns[strength.argmax()])
        found.append(at_ns)
        strength[np.abs(m.t_ns - at_ns) < APART_NS] = 0.0
    return sorted(found)


def _centre(m: Motion, peak_ns: int) -> float:
    """Where the strength around a peak is centred; finer than the samples: sensors smooth before they sample."""
    half_ns = round(CENTRE * m.period_ns)
    near = m.between(peak_ns - half_ns, peak_ns + half_ns + 1)
    return float((near.strength * (near.t_ns - peak_ns)).sum() / near.strength.sum()) + peak_ns
