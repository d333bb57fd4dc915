"""Where a walking person wears a sensor, and what wearing it on the other wrist costs: fit, measure, write rows.

    python benchmarks/placement.py DATA [--fit]

DATA holds the npz files of real recordings (docs/formats.md, `npz`): dsads, wisdm_watch, motionsense, uci_har (hapt)
and seglearn_watch. Placement: windows of walking; wrist: WISDM and both arms of DSADS; leg: MotionSense (pocket) and
both legs of DSADS (knee); trunk: HAPT (waist) and DSADS (chest). Each placement is thus known from two data sets, so
that a guess can be tested on a data set that it was not fitted on, beside people that it was not fitted on. --fit
puts a model fitted on everything where `edgehar calibrate --walk` looks for it on this machine.

Mirror: a random forest learns the seven exercises of seglearn on the right wrists of nine people and is tested on the
left wrist of the tenth, its axes as they are or mirrored along each axis in turn, and on that person's right wrist.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from resumable import resumable
from rows import RESULTS, Row, merge_rows

from edgehar.dsp.imu_mirror import mirror_signs
from edgehar.dsp.imu_placement import (
    FEATURES,
    SURE,
    WINDOW_S,
    PlacementModel,
    guess_placement,
    log_likelihoods,
    placement_file,
    walking_features,
)
from edgehar.errors import MissingError, Reason

Array = NDArray[np.float64]
G_MPS2 = 9.80665
PLACES = ("wrist", "leg", "trunk")
TOGETHER = 6  # windows that are judged together, as half a minute of walking gives
COMMAND = "python benchmarks/placement.py DATA"
USUAL_TEMPERATURE = 2.0  # where there is but one data set to fit on, and none to choose it by
TEMPERATURES = np.arange(1.0, 6.01, 0.25)
HEAD = """\
# Walking, as it shows in five features (edgehar/dsp/imu_placement.py): means of each placement, each data set of it
# weighed alike, and the covariance that all share. Written by python benchmarks/placement.py DATA --fit.
# Measured on people who walk: DSADS (8), WISDM 2019 (46), MotionSense (24), HAPT (30).
"""


@dataclass(frozen=True)
class Walk:
    """Features [n, 5] of one person's windows of walking, with the sensor in one place."""

    place: str
    dataset: str
    person: str
    x: Array


def main() -> int:
    """Read the recordings, fit, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fit", action="store_true")
    asked = parser.parse_args()

    def work() -> None:
        walks = list(read_walks(asked.data))
        rows = [*placement_rows(walks), *mirror_rows(asked.data)]
        for row in rows:
            print(f"{row.id}: {row.value:.1f} {row.unit} {dict(row.extras)}")
        merge_rows(RESULTS / "imu.jsonl", rows)
        if asked.fit:
            file = placement_file()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(toml_of(fit(walks, best_temperature(walks))), encoding="utf-8")
            print(file)

    return resumable("placement", work)


def read_walks(data: Path) -> Iterator[Walk]:
    """Every person's walking, one item a sensor."""
    motionsense = members(data / "motionsense" / "motionsense_devicemotion.npz")
    for person, label, x in sessions(motionsense):
        if label == "walking":
            yield walk("leg", "motionsense", person, x[:, :3] + x[:, 6:9], x[:, 3:6], 50.0)
    dsads = members(data / "dsads" / "dsads_acc_gyro.npz")
    for person, label, x in sessions(dsads):
        if label.startswith("walking"):
            for unit, place in enumerate(("trunk", "wrist", "wrist", "leg", "leg")):
                acc, gyro = x[:, 6 * unit : 6 * unit + 3], x[:, 6 * unit + 3 : 6 * unit + 6]
                yield walk(place, "dsads", person, acc / G_MPS2, gyro, 25.0)
    for person, label, x in sessions(members(data / "wisdm_watch" / "wisdm_watch.npz")):
        if label == "walking":
            yield walk("wrist", "wisdm", person, x[:, :3] / G_MPS2, x[:, 3:], 20.0)
    hapt = members(data / "uci_har" / "hapt_raw_50hz.npz")
    walking = hapt["label_names"].tolist().index("WALKING")
    for session, (person, _, x) in enumerate(sessions(hapt)):
        first = int(hapt["session_start"][session])
        is_walk = hapt["label"][first : first + len(x)] == walking
        edges = np.flatnonzero(np.diff(np.concatenate([[0], is_walk.astype(np.int8), [0]])))
        for start, end in edges.reshape(-1, 2).tolist():
            yield walk("trunk", "hapt", person, x[start:end, :3], x[start:end, 3:], 50.0)


def members(path: Path) -> dict[str, Any]:
    """All members of an npz file."""
    if not path.exists():
        raise MissingError(f"{path}: no such file", reason=Reason.NOT_FOUND, hint="name the directory of the data sets")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def sessions(stored: dict[str, Any]) -> Iterator[tuple[str, str, Array]]:
    """(person, label or "", x [n, c]) of each session."""
    for i, (start, length) in enumerate(zip(stored["session_start"], stored["session_length"], strict=True)):
        label = str(stored["label_names"][stored["session_label"][i]]) if "session_label" in stored else ""
        x = (stored["signal"][:, start : start + length] * stored["scale"][:, None]).T
        yield str(stored["session_subject"][i]), label, np.asarray(x, np.float64)


def walk(place: str, dataset: str, person: str, acc_g: Array, gyro_radps: Array, rate_hz: float) -> Walk:
    """Features of the windows that have walking in them."""
    n = round(WINDOW_S * rate_hz)
    starts = range(0, len(acc_g) - n + 1, n)
    found = [walking_features(acc_g[i : i + n], gyro_radps[i : i + n], rate_hz) for i in starts]
    x = np.array([features for features in found if features is not None]).reshape(-1, len(FEATURES))
    return Walk(place, dataset, f"{dataset}.{person}", x)


def fit(walks: list[Walk], temperature: float = 1.0) -> PlacementModel:
    """Means and pooled covariance; the data sets of a placement weigh alike, and so do the placements."""
    means, covariance = [], np.zeros((len(FEATURES), len(FEATURES)))
    for place in PLACES:
        sets = [np.concatenate([w.x for w in walks if (w.place, w.dataset) == (place, dataset)])
                for dataset in sorted({w.dataset for w in walks if w.place == place})]  # fmt: skip
        mean = np.mean([x.mean(axis=0) for x in sets], axis=0)
        means.append(mean)
        for x in sets:
            covariance += (x - mean).T @ (x - mean) / len(x) / len(sets) / len(PLACES)
    return PlacementModel(PLACES, np.array(means), covariance, temperature)


def best_temperature(walks: list[Walk]) -> float:
    """That makes the probabilities of single windows truest on data sets that the model was not fitted on."""
    found = []
    for train, test in across(walks):
        model = fit(train)
        x = [log_likelihoods(w.x, model) for w in test]
        truth = [PLACES.index(w.place) for w in test]
        for temperature in TEMPERATURES:
            cost = 0.0
            for scores, place in zip(x, truth, strict=True):
                z = scores / temperature
                z -= z.max(axis=1, keepdims=True)
                cost -= float((z[:, place] - np.log(np.exp(z).sum(axis=1))).sum())
            found.append((temperature, cost / sum(map(len, x))))
    costs = {t: sum(cost for other, cost in found if other == t) for t in TEMPERATURES}
    return float(min(costs, key=lambda t: costs[t]))


def across(walks: list[Walk]) -> list[tuple[list[Walk], list[Walk]]]:
    """Fitted on DSADS and tested on the others, and the other way round."""
    dsads = [w for w in walks if w.dataset == "dsads"]
    others = [w for w in walks if w.dataset != "dsads"]
    return [(dsads, others), (others, dsads)]


def placement_rows(walks: list[Walk]) -> Iterator[Row]:
    """Guesses about people, and about data sets, that the model was not fitted on; and how often it dares one."""
    people = sorted({w.person for w in walks})
    by_person = [([w for w in walks if w.person != p], [w for w in walks if w.person == p]) for p in people]
    yield row("placement.walk.person", by_person, "a person at a time")
    for name, split in zip(("dsads_to_others", "others_to_dsads"), across(walks), strict=True):
        yield row(f"placement.walk.{name}", [split], "one data set against the others")


def row(name: str, splits: list[tuple[list[Walk], list[Walk]]], how: str) -> Row:
    """value: right among the guesses that were dared, half a minute of walking each, in percent."""
    right = dared = total = 0
    places = {place: [0, 0] for place in PLACES}
    for train, test in splits:
        several = all(side for side, _ in across(train))
        model = fit(train, best_temperature(train) if several else USUAL_TEMPERATURE)
        for w in test:
            for start in range(0, len(w.x), TOGETHER):
                guess = guess_placement(w.x[start : start + TOGETHER], model)
                total += 1
                dared += guess.why == ""
                right += guess.place == w.place
                likeliest = max(guess.probabilities, key=lambda place: guess.probabilities[place])
                places[w.place][0] += likeliest == w.place
                places[w.place][1] += 1
    extras = {
        "dared_percent": round(100 * dared / total, 1),
        "likeliest_percent": round(100 * sum(p[0] for p in places.values()) / total, 1),
        **{f"{place}_percent": round(100 * hits / max(of, 1), 1) for place, (hits, of) in places.items()},
        "guesses": total,
        "sure": SURE,
    }
    return Row(name, 100 * right / max(dared, 1), "%", 0.0, len(splits), COMMAND, split=how, extras=extras)


def mirror_rows(data: Path) -> Iterator[Row]:
    """The left wrist by what was learned on the right one, as it is and mirrored along each axis."""
    from sklearn.ensemble import RandomForestClassifier

    stored = members(data / "seglearn_watch" / "seglearn_watch.npz")
    windows = [
        (person, label, int(stored["session_side"][i]), x[at : at + 100])
        for i, (person, label, x) in enumerate(sessions(stored))
        for at in range(0, len(x) - 99, 100)
    ]
    people = sorted({person for person, *_ in windows})
    for name, side_tested, signs in (
        ("same", 1, np.ones(6)),
        ("none", 0, np.ones(6)),
        *((axis, 0, mirror_signs(axis)) for axis in "xyz"),
    ):
        shares = []
        for person in people:
            train = [(x, label) for who, label, side, x in windows if who != person and side == 1]
            test = [(x * signs, label) for who, label, side, x in windows if who == person and side == side_tested]
            forest = RandomForestClassifier(200, random_state=0, n_jobs=1)
            forest.fit([statistics(x) for x, _ in train], [label for _, label in train])
            said = forest.predict([statistics(x) for x, _ in test])
            shares.append(100 * float(np.mean(said == np.array([label for _, label in test]))))
        std, split = float(np.std(shares, ddof=1)), "right wrists of the others"
        yield Row(f"mirror.seglearn.{name}", float(np.mean(shares)), "%", std, len(people), COMMAND, split=split)


def statistics(x: Array) -> Array:
    """Of a window [n, 6]: means, spreads, extremes and how channels go together."""
    together = np.asarray(np.corrcoef(x.T))[np.triu_indices(6, 1)]
    return np.concatenate([x.mean(0), x.std(0), x.min(0), x.max(0), np.abs(np.diff(x, axis=0)).mean(0), together])


def toml_of(model: PlacementModel) -> str:
    """The file that the package ships."""
    lines = [HEAD, f"temperature = {model.temperature:g}", "covariance = ["]
    lines += [f"    [{', '.join(f'{value:.4f}' for value in covariance)}]," for covariance in model.covariance]
    lines.append("]")
    for place, mean in zip(model.places, model.means, strict=True):
        lines += [
            "",
            f"[means.{place}]",
            *(f'"{name}" = {value:.3f}' for name, value in zip(FEATURES, mean, strict=True)),
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
