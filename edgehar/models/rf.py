"""A random forest on window statistics: the baseline that a network must beat, or be seen not to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.windowset import WindowSet
from edgehar.errors import MissingError, Reason
from edgehar.models.features import window_features

TREES = 300


class RandomForest:
    """scikit-learn's forest with its defaults and `trees` trees; the seed decides everything."""

    def __init__(self, trees: int = TREES) -> None:
        self.trees = trees
        self._forest: Any = None
        self._classes = 0

    def fit(self, train: WindowSet, *, seed: int) -> RandomForest:
        """Train on windows in physical units; there is nothing to select."""
        try:
            from sklearn.ensemble import RandomForestClassifier
        except ImportError:
            raise MissingError(
                "the random forest needs scikit-learn",
                reason=Reason.NOT_INSTALLED,
                hint='pip install "edgehar[train]"',
            ) from None
        self._forest = RandomForestClassifier(self.trees, random_state=seed, n_jobs=1)
        self._forest.fit(window_features(train.x, train.channels), train.y)
        self._classes = len(train.labels)
        return self

    def probabilities(self, windows: WindowSet) -> NDArray[np.float64]:
        """Class probabilities [n, k]; 0 for a class that had no training window."""
        full = np.zeros((len(windows), self._classes))
        full[:, self._forest.classes_] = self._forest.predict_proba(window_features(windows.x, windows.channels))
        return full
