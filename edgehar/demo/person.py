"""Whom the demo watches: the person held out from training, or, where those recordings are missing, a simulated one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edgehar.datasets.seglearn import open_seglearn
from edgehar.datasets.session import ImportOptions
from edgehar.datasets.store import write_dataset
from edgehar.errors import EdgeHarError, InputError, MissingError, Reason

SIMULATED_S = 300
# Codes as shipped; names from the paper (Burns et al., arXiv:1802.01489, table 1).
EXERCISES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "trapezius extension",
    "ROW": "upright row",
}


@dataclass(frozen=True, slots=True)
class Take:
    """One stream to play: its source's address, what to call it, how long it lasts in seconds."""

    address: str
    title: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Cast:
    """Everything the demo plays. `why_simulated` is None for real recordings, else the error that stood in the way."""

    subject: str
    origin: str
    takes: tuple[Take, ...]
    why_simulated: EdgeHarError | None = None


@contextmanager
def held_out(subject: str, path: Path) -> Iterator[Cast]:
    """The recordings of `subject` in the seglearn data at `path`, laid out as files for as long as the block runs."""
    opened = open_seglearn(path, ImportOptions())
    with tempfile.TemporaryDirectory(prefix="edgehar-demo-") as folder:
        mine = [session for session in opened.sessions if session.subject == subject]
        if not mine:
            raise InputError(
                f"the bundle was tested on subject '{subject}', whom the seglearn data does not have",
                reason=Reason.VALUE,
                hint="train the demo's bundle again: make demo-bundle",
            )
        dataset = write_dataset(replace(opened, sessions=mine, count=len(mine)), Path(folder) / "person")
        takes = []
        for reference, session in zip(dataset.recordings, sorted(mine, key=lambda s: s.name), strict=True):
            seconds = len(session.x) / session.spec.rate_hz
            label = session.labels[0].label
            title = f"{session.extra['side']} arm, {EXERCISES.get(label, label)}"
            takes.append(Take(f"replay:{_quoted(reference.path)}", title, seconds))
        yield Cast(f"person {subject}", opened.about.source, tuple(takes))


def simulated(why: EdgeHarError) -> Cast:
    """A virtual person, the same at every run."""
    take = Take(f"virtual:imu?seed=1&duration_s={SIMULATED_S}", "SIMULATED movements", float(SIMULATED_S))
    return Cast("a simulated person", "virtual:imu, SIMULATED", (take,), why)


@contextmanager
def cast(subject: str, path: Path) -> Iterator[Cast]:
    """The held-out person; where those recordings cannot be had, a simulated one that says why."""
    with ExitStack() as stack:
        try:
            people = stack.enter_context(held_out(subject, path))
        except (MissingError, InputError) as error:
            people = simulated(error)
        yield people


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3F")
