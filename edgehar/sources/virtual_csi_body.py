"""A simulated person, as points that scatter radio waves: where each of them is at any time, and what it is doing.

Everything is a closed form of time, so that frames may be taken at any instants: a script of activities gives posture
and place, breathing and sway are added to it. It moves plausibly; it is no model of anybody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

# Torso, head, left and right hand, left and right foot: [6, 3] forward, left, up from the place on the floor, m.
POSTURES: Mapping[str, Float64] = MappingProxyType(
    {
        "standing": np.array(
            [[0, 0, 1.15], [0, 0, 1.65], [0, 0.28, 0.9], [0, -0.28, 0.9], [0, 0.1, 0.1], [0, -0.1, 0.1]]
        ),
        "sitting": np.array(
            [[0, 0, 0.75], [0, 0, 1.25], [0.3, 0.2, 0.65], [0.3, -0.2, 0.65], [0.45, 0.1, 0.1], [0.45, -0.1, 0.1]]
        ),
        "lying": np.array(
            [[0.4, 0, 0.2], [1.0, 0, 0.2], [0.6, 0.4, 0.1], [0.5, -0.4, 0.1], [-0.6, 0.1, 0.1], [-0.6, -0.2, 0.1]]
        ),
    }
)
SIGMA_M2 = np.array([0.6, 0.15, 0.03, 0.03, 0.05, 0.05])  # radar cross-section of each point at 2.4 GHz, its order only
SWAY_M: Mapping[str, float] = MappingProxyType({"standing": 0.006, "sitting": 0.003, "lying": 0.0015})
EMPTY = "empty"
SHORTEST_S = 3.0
BREATH_M = 0.006
RAMP_S = 0.6  # to set off, and to stop
MARGIN_M = 0.6  # to the walls


@dataclass(frozen=True, slots=True)
class Act:
    """From one posture to another in `lasts_s` (0: stays in it), then one of `then`. fall: ever faster to the end."""

    begin: str
    end: str
    then: tuple[str, ...]
    lasts_s: float = 0.0
    fall: bool = False


ACTS: Mapping[str, Act] = MappingProxyType(
    {
        "still": Act("standing", "standing", ("walking", "sitting_down")),
        "walking": Act("standing", "standing", ("still", "falling")),
        "sitting_down": Act("standing", "sitting", ("sitting",), 1.8),
        "sitting": Act("sitting", "sitting", ("standing_up",)),
        "standing_up": Act("sitting", "standing", ("still", "walking"), 1.6),
        "falling": Act("standing", "lying", ("lying",), 0.9, fall=True),
        "lying": Act("lying", "lying", ("getting_up",)),
        "getting_up": Act("lying", "standing", ("still",), 3.5),
    }
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """One activity from begin_s to end_s. path [k, 2]: the way on the floor, m; heading: at its begin, rad."""

    label: str
    begin_s: float
    end_s: float
    path: Float64
    heading: float
    speed_mps: float


class Person:
    """`points(t_s)` and `label_at(t_s)`. Times of `points` must not fall; the script grows as they rise.

    activity: do only that (one that lasts), or EMPTY: nobody is there. floor_m: size of the room, x and y.
    """

    def __init__(self, floor_m: Float64, dwell_s: float, rng: np.random.Generator, activity: str = "") -> None:
        self._floor_m = floor_m
        self._dwell_s = dwell_s
        self._rng = rng
        self._only = activity
        self._stretches: list[Stretch] = []
        self._begins_s: list[float] = []
        self._breath_hz = rng.uniform(0.2, 0.3)
        self._stride_hz = rng.uniform(0.8, 1.0)
        self._sway_hz = rng.uniform(0.1, 1.2, (3, 6, 3))
        self._sway_at = rng.uniform(0, 2 * np.pi, (3, 6, 3))
        self._place = rng.uniform(MARGIN_M, floor_m - MARGIN_M)
        self._heading = rng.uniform(-np.pi, np.pi)
        self._reached_s = 0.0

    def label_at(self, t_s: float) -> str:
        """What is being done at `t_s`; "" before the start and beyond what has been asked for."""
        if not 0 <= t_s <= self._reached_s:
            return ""
        return self._stretches[bisect_right(self._begins_s, t_s) - 1].label

    def points(self, t_s: Float64) -> Float64:
        """Where the points are at times [n], ascending: [n, 6, 3] in m, x and y on the floor, z up."""
        self._reached_s = max(self._reached_s, float(t_s[-1]))
        while not self._stretches or self._stretches[-1].end_s <= t_s[-1]:
            self._append()
        at = np.searchsorted(self._begins_s, t_s, side="right") - 1
        out = np.empty((len(t_s), 6, 3))
        for i in np.unique(at).tolist():
            rows = at == i
            out[rows] = self._during(self._stretches[i], t_s[rows])
        return out

    def _append(self) -> None:
        begin_s, label = (self._stretches[-1].end_s, self._next()) if self._stretches else (0.0, self._first())
        act = ACTS.get(label)
        lasts_s = SHORTEST_S + self._rng.exponential(max(self._dwell_s - SHORTEST_S, 0.0))
        if act is not None and act.lasts_s:
            lasts_s = act.lasts_s * self._rng.uniform(0.85, 1.2)
        speed_mps, path = 0.0, self._place[None]
        if label == "walking":
            speed_mps = self._rng.uniform(0.8, 1.3)
            path = self._way(_covered(np.array([lasts_s]), lasts_s)[0] * speed_mps)
        self._stretches.append(Stretch(label, begin_s, begin_s + lasts_s, path, self._heading, speed_mps))
        self._begins_s.append(begin_s)
        if label == "walking":
            self._place, self._heading = path[-1], float(np.arctan2(*(path[-1] - path[-2])[::-1]))

    def _first(self) -> str:
        return self._only or ("still", "walking", "sitting")[int(self._rng.integers(3))]

    def _next(self) -> str:
        if self._only:
            return self._only
        then = ACTS[self._stretches[-1].label].then
        return then[int(self._rng.integers(len(then)))]

    def _way(self, length_m: float) -> Float64:
        """From the present place through random others, `length_m` long."""
        path = [self._place]
        while length_m > 0:
            leg = self._rng.uniform(MARGIN_M, self._floor_m - MARGIN_M) - path[-1]
            leg_m = float(np.hypot(*leg))
            path.append(path[-1] + leg * min(1.0, length_m / leg_m))
            length_m -= leg_m
        return np.array(path)

    def _during(self, stretch: Stretch, t_s: Float64) -> Float64:
        act = ACTS.get(stretch.label, ACTS["still"])
        done = (t_s - stretch.begin_s) / (stretch.end_s - stretch.begin_s)
        share = (done**2 if act.fall else done**2 * (3 - 2 * done))[:, None, None]
        body = (1 - share) * POSTURES[act.begin] + share * POSTURES[act.end]
        sway_m = (1 - share) * SWAY_M[act.begin] + share * SWAY_M[act.end]
        body = body + sway_m * self._sway(t_s)
        body[:, 0, 0] += BREATH_M * np.sin(2 * np.pi * self._breath_hz * t_s)
        place, heading = np.broadcast_to(stretch.path[0], (len(t_s), 2)), np.full(len(t_s), stretch.heading)
        if stretch.speed_mps:
            place, heading = self._walk(stretch, t_s, body)
        cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
        x = place[:, :1] + body[:, :, 0] * cos - body[:, :, 1] * sin
        y = place[:, 1:] + body[:, :, 0] * sin + body[:, :, 1] * cos
        return np.stack([x, y, body[:, :, 2]], axis=2)

    def _sway(self, t_s: Float64) -> Float64:
        turns = 2 * np.pi * self._sway_hz * t_s[:, None, None, None] + self._sway_at
        mean: Float64 = np.sin(turns).mean(axis=1)
        return mean

    def _walk(self, stretch: Stretch, t_s: Float64, body: Float64) -> tuple[Float64, Float64]:
        """Place [n, 2] and heading [n]; arms and legs are swung in `body`."""
        since_s, lasts_s = t_s - stretch.begin_s, stretch.end_s - stretch.begin_s
        swing = np.clip(np.minimum(since_s, lasts_s - since_s) / RAMP_S, 0, 1)
        step = swing * np.sin(2 * np.pi * self._stride_hz * since_s)
        body[:, 2:, 0] += step[:, None] * np.array([0.25, -0.25, -0.35, 0.35])
        body[:, 4:, 2] += 0.08 * np.maximum(step[:, None] * np.array([-1, 1]), 0)
        body[:, :2, 2] += (0.02 * swing * np.cos(4 * np.pi * self._stride_hz * since_s))[:, None]
        gone_m = _covered(since_s, lasts_s) * stretch.speed_mps
        place_at = _along(stretch.path)
        ahead = place_at(gone_m + 0.3) - place_at(gone_m - 0.3)
        heading = np.arctan2(ahead[:, 1], ahead[:, 0])
        turned = np.clip(since_s / RAMP_S, 0, 1)
        heading = stretch.heading + turned * ((heading - stretch.heading + np.pi) % (2 * np.pi) - np.pi)
        return place_at(gone_m), heading


def _covered(since_s: Float64, lasts_s: float) -> Float64:
    """Seconds' worth of full speed after `since_s` of `lasts_s`: speed rises and falls evenly over RAMP_S."""
    left_s = lasts_s - since_s
    return np.where(
        since_s < RAMP_S,
        since_s**2 / (2 * RAMP_S),
        np.where(left_s < RAMP_S, lasts_s - RAMP_S - left_s**2 / (2 * RAMP_S), since_s - RAMP_S / 2),
    )


def _along(path: Float64) -> Callable[[Float64], Float64]:
    """Place [n, 2] after so many metres [n] of a way; its ends beyond them."""
    legs_m = np.hypot(*np.diff(path, axis=0).T)
    reached_m = np.concatenate([[0.0], np.cumsum(legs_m)])
    return lambda gone_m: np.stack([np.interp(gone_m, reached_m, path[:, axis]) for axis in (0, 1)], axis=1)
