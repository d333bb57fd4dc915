"""Fit the virtual sensor's motion model to real recordings, and say how real its output is.

    python benchmarks/fit_virtual_imu.py --dataset DIR [--out edgehar/sources/virtual_imu.npz] [--check]

DIR is an imported data set (`edgehar import seglearn WHEEL --out DIR`). For every recording: the tempo f0 from
the harmonic sum of the spectrum; the phase from the analytic signal of the strongest direction around f0; the cycle by
least squares of x on the phase's harmonics; what remains by a second-order vector autoregression (Yule-Walker by least
squares). `--check` trains a random forest on real windows and tests it on generated ones, and the other way round.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.dataset import Dataset
from edgehar.sources.cyclic import CyclicModel, Motion, Style, save_model

Array = NDArray[np.float64]
HARMONICS = 4
NOTICE = (
    "Parameters estimated from the smartwatch recordings in the seglearn package (BSD-3-Clause, "
    "Copyright (c) 2018 David M. Burns); Burns et al., arXiv:1802.01489, 2018."
)


@dataclass(frozen=True)
class Take:
    """One recording: who and which side, doing what, x [n, c]."""

    person: str
    label: str
    x: Array


def analytic(x: Array) -> NDArray[np.complex128]:
    """Analytic signal of x [n] by zeroing the negative frequencies."""
    n = len(x)
    gain = np.zeros(n)
    gain[0] = 1
    gain[1 : (n + 1) // 2] = 2
    if n % 2 == 0:
        gain[n // 2] = 1
    return np.fft.ifft(np.fft.fft(x) * gain)


def tempo_of(x: Array, rate_hz: float) -> float:
    """Frequency in Hz, 0.2 to 1.5, whose first three harmonics hold the most power. x [n, c], centred and scaled."""
    size = 1 << 14
    power = (np.abs(np.fft.rfft(x * np.hanning(len(x))[:, None], size, axis=0)) ** 2).sum(1)
    candidates = np.arange(0.2, 1.5, 0.005)
    bins = np.rint(np.outer(candidates, [1, 2, 3]) * size / rate_hz).astype(int)
    # The fundamental counts double: otherwise half the true tempo scores as well as the tempo itself.
    return float(candidates[(power[bins] * [2, 1, 1]).sum(1).argmax()])


def wander_of(y: Array, rate_hz: float) -> tuple[float, float]:
    """Standard deviation and time constant in s (first crossing of 1/e by the autocorrelation) of y [n]."""
    centred = y - y.mean()
    deviation = float(centred.std())
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(y))) ** 2
    correlation = np.fft.irfft(spectrum)[: len(y)]
    below = np.flatnonzero(correlation < correlation[0] / np.e)
    return deviation, float((below[0] if len(below) else len(y)) / rate_hz)


def fit_style(x: Array, rate_hz: float) -> Style:
    """All parameters of one recording x [n, c]."""
    mean = x.mean(0)
    scaled = (x - mean) / x.std(0)
    f0 = tempo_of(scaled, rate_hz)
    frequency = np.fft.rfftfreq(len(x), 1 / rate_hz)
    band = np.fft.rfft(scaled, axis=0) * ((frequency > 0.5 * f0) & (frequency < 1.6 * f0))[:, None]
    direction = np.linalg.svd(np.concatenate([band.real, band.imag]), full_matrices=False)[2][0]
    wave = analytic(np.fft.irfft(band @ direction, len(x)))
    edge = round(rate_hz)  # the band-pass rings at both ends
    phase = np.unwrap(np.angle(wave))
    speed = np.gradient(np.convolve(phase, np.ones(25) / 25, "same")) * rate_hz / (2 * np.pi)
    tempo = np.log(np.clip(speed[edge:-edge], 0.3 * f0, 3 * f0))
    size = np.log(np.maximum(np.abs(wave[edge:-edge]), 0.2 * np.median(np.abs(wave))))

    turns = np.outer(phase, np.arange(1, HARMONICS + 1))
    basis = np.concatenate([np.ones((len(x), 1)), np.cos(turns), np.sin(turns)], axis=1)
    weights = np.linalg.lstsq(basis, x, rcond=None)[0]
    rest = (x - basis @ weights)[edge:-edge]
    past = np.concatenate([rest[1:-1], rest[:-2]], axis=1)
    ar = np.linalg.lstsq(past, rest[2:], rcond=None)[0]
    innovations = rest[2:] - past @ ar
    c = x.shape[1]
    return Style(
        tempo=np.array([np.exp(tempo.mean()), *wander_of(tempo, rate_hz)]),
        size=np.array(wander_of(size, rate_hz)),
        mean=weights[0],
        cos=weights[1 : 1 + HARMONICS],
        sin=weights[1 + HARMONICS :],
        ar=stable(np.stack([ar[:c].T, ar[c:].T])),
        chol=np.asarray(np.linalg.cholesky(np.cov(innovations.T) + 1e-9 * np.eye(c)), np.float64),
    )


def stable(ar: Array) -> Array:
    """Shrink the lag matrices until every pole lies within 0.995, with room for the float16 rounding."""
    c = ar.shape[1]
    companion = np.zeros((2 * c, 2 * c))
    companion[:c, :c], companion[:c, c:], companion[c:, :c] = ar[0], ar[1], np.eye(c)
    shrink = min(1.0, 0.995 / np.abs(np.linalg.eigvals(companion)).max())
    return np.asarray(ar * np.array([shrink, shrink**2])[:, None, None])


def load(directory: Path) -> tuple[list[Take], CyclicModel]:
    """All recordings with one label each, and an empty model that describes their sensor."""
    dataset = Dataset.open(directory)
    takes = []
    for reference in dataset.recordings:
        recording = reference.open()
        chunk = recording.read()
        person = "-".join(filter(None, [reference.subject, reference.extra.get("side", "")]))
        takes.append(Take(person, recording.labels[0].label, chunk.x.astype(np.float64)))
    spec = chunk.spec
    people = tuple(sorted({take.person for take in takes}))
    empty = CyclicModel(
        spec.channels, spec.units, spec.rate_hz, tuple(dataset.labels), spec.placement, NOTICE, people, {}
    )
    return takes, empty


def features(x: Array) -> Array:
    """Mean, deviation, extremes and step size of each channel of windows [n, w, c]."""
    return np.concatenate([x.mean(1), x.std(1), x.min(1), x.max(1), np.abs(np.diff(x, axis=1)).mean(1)], axis=1)


def cut(x: Array, window: int) -> Array:
    """Non-overlapping windows [n, w, c] of x [m, c]."""
    return x[: len(x) // window * window].reshape(-1, window, x.shape[1])


def table(rows: list[tuple[str, str, Array]]) -> tuple[Array, NDArray[np.str_]]:
    """Features and labels of all windows of (person, label, windows) rows."""
    return features(np.concatenate([x for *_, x in rows])), np.repeat(
        [y for _, y, _ in rows], [len(x) for *_, x in rows]
    )


def check(takes: list[Take], model: CyclicModel) -> dict[str, float]:
    """Accuracy in percent of a random forest, by where it learned and where it was tested; people are held apart."""
    from sklearn.ensemble import RandomForestClassifier

    window = round(2 * model.rate_hz)
    rng = np.random.default_rng(0)
    real = [(t.person, t.label, cut(t.x, window)) for t in takes]
    made = [
        (p, label, cut(Motion(style, model.rate_hz, rng).push(window * 15), window))
        for (p, label), style in model.styles.items()
    ]

    def forest(learn: list[tuple[str, str, Array]], test: list[tuple[str, str, Array]]) -> float:
        right = total = 0
        people = sorted({person.split("-")[0] for person, _, _ in learn})
        for fold in range(5):
            held = set(people[fold::5])
            xa, ya = table([row for row in learn if row[0].split("-")[0] not in held])
            xb, yb = table([row for row in test if row[0].split("-")[0] in held])
            guess = RandomForestClassifier(200, random_state=0).fit(xa, ya).predict(xb)
            right, total = right + int((guess == yb).sum()), total + len(yb)
        return 100 * right / total

    return {
        "real -> real": forest(real, real),
        "real -> generated": forest(real, made),
        "generated -> real": forest(made, real),
        "generated -> generated": forest(made, made),
    }


def main() -> None:
    """Fit, write, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True, help="imported data set directory")
    parser.add_argument("--out", type=Path, default=Path("edgehar/sources/virtual_imu.npz"))
    parser.add_argument("--check", action="store_true", help="train on real, test on generated, and back")
    given = parser.parse_args()
    takes, model = load(given.dataset)
    for take in takes:
        model.styles[take.person, take.label] = fit_style(take.x, model.rate_hz)
    save_model(model, given.out)
    print(f"{given.out}: {len(model.styles)} styles, {given.out.stat().st_size} bytes")
    if given.check:
        for pair, accuracy in check(takes, model).items():
            print(f"random forest, 2 s windows, held-out people, {pair}: {accuracy:.1f} %")


if __name__ == "__main__":
    main()
