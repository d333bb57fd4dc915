"""Write benchmarks/splits/*.json from imported datasets; run again, it writes the same bytes.

    python benchmarks/make_splits.py --datasets DIR [--check]

DIR holds the imported datasets as uci_har, wisdm, motionsense, dsads, seglearn, fition6, tvat7 and uabc4; those that
are absent are skipped.
--check compares instead of writing and exits with 1 where a committed split would change.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.splits import GroupFold, Split, hold_out, make_split, save_split

SPLITS = Path(__file__).parent / "splits"
SEEDS = (0, 1, 2)
DEMO_PERSON = "01"  # the first one: chosen before any model was trained


def splits_of(dataset: Dataset) -> Iterator[tuple[str, Split]]:
    """(file name, split) of everything that is measured on `dataset`."""
    match dataset.name:
        case "uci_har":
            yield "uci_har.json", make_split(dataset, "official")
            for seed in SEEDS:
                # Recipes are chosen on these folds of the 21 training people; the 9 test people are in none of them.
                yield f"uci_har.recipe5.seed{seed}.json", make_split(dataset, "official-kfold", k=5, seed=seed)
        case "wisdm":
            for seed in SEEDS:
                yield f"wisdm.subject5.seed{seed}.json", make_split(dataset, "subject", k=5, seed=seed)
                yield f"wisdm.mixed3.seed{seed}.json", make_split(dataset, "mixed", k=3, seed=seed)
        case "motionsense":
            for seed in SEEDS:
                yield f"motionsense.subject5.seed{seed}.json", make_split(dataset, "subject", k=5, seed=seed)
        case "fition6":
            yield "fition6.person.json", make_split(dataset, "loso")
            yield "fition6.room.json", make_split(dataset, "environment")
        case "tvat7":
            yield "tvat7.session.json", make_split(dataset, "session", k=6)
        case "uabc4":
            yield "uabc4.crossdate.json", _later(make_split(dataset, "environment"))
        case "dsads" | "seglearn":
            for seed in SEEDS:
                yield f"{dataset.name}.loso.seed{seed}.json", make_split(dataset, "loso", seed=seed)
            if dataset.name == "seglearn":
                yield "seglearn.demo.json", replace(hold_out(dataset, [DEMO_PERSON]), name="seglearn.demo")


def _later(split: Split) -> Split:
    """Only the fold that tests on what was recorded last: nobody trains on the future."""
    folds = [fold for fold in split.folds if isinstance(fold, GroupFold)]
    return replace(split, name=f"{split.dataset}.crossdate", folds=(max(folds, key=lambda fold: fold.test[-1]),))


def main() -> int:
    """Write or compare; the exit code says whether anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, required=True, help="directory of imported datasets")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    given = parser.parse_args()
    changed = 0
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) if given.check else SPLITS
        for directory in sorted(path.parent for path in given.datasets.glob("*/dataset.toml")):
            for name, split in splits_of(Dataset.open(directory)):
                save_split(split, target / name)
                differs = given.check and (target / name).read_bytes() != (SPLITS / name).read_bytes()
                changed += differs
                print(f"{name}: {len(split.folds)} folds{', DIFFERS' if differs else ''}")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
