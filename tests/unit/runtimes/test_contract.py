"""Every runtime of the bundle itself keeps the protocol for every family, at sizes that no vector width divides."""

from __future__ import annotations

import pytest
from factories import conv, random_bundle

from edgehar.errors import UsageError
from edgehar.runtimes import EXPORTED, RUNTIMES, make_runtime
from edgehar.testing.runtime import check_runtime

SMALL = {"window": 24, "channels": 5, "classes": 3}
GROUPED = [
    conv("a", 12, 3),
    conv("b", 8, 2, 2, groups=4),
    conv("c", 8, 3, groups=8, relu=False),
    {"op": "residual", "body": [conv("d", 8, 1), conv("e", 8, 3, groups=8), conv("f", 8, 3, relu=False)]},
    {"op": "mean"},
    {"op": "linear", "name": "head"},
]
CASES = {
    "fastgrnn": ("fastgrnn", {"hop": 7, "hidden": 37}),
    "fastgrnn-low-rank": ("fastgrnn", {"hop": 8, "hidden": 61, "rank_w": 3, "rank_u": 9}),
    "fastgrnn-low-rank-u": ("fastgrnn", {"hop": 30, "hidden": 8, "rank_u": 2}),
    "gru": ("gru", {"hop": 5, "hidden": 37}),
    "cnn": ("cnn", {"hop": 6, "hidden": 13}),
    "csieffnet": ("csieffnet", {"hop": 6, "hidden": 11}),
    "dscnn": ("dscnn", {"hop": 4, "hidden": 11}),
    "grouped": ("cnn", {"hop": 2, "layers": GROUPED}),
    "hop-over-window": ("cnn", {"hop": 28, "hidden": 4}),
    "l2mu-stacked": ("l2mu", {"hop": 8, "hidden": 37}),
    "l2mu-single-count": ("l2mu", {"hop": 9, "encoder": "single", "readout": "count", "memory": 1, "order": 18}),
    "l2mu-plain-synaptic": ("l2mu", {"hop": 8, "encoder": "plain", "neuron": "synaptic"}),
}


@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name not in EXPORTED])
@pytest.mark.parametrize("case", CASES)
def test_runtime_keeps_its_protocol(runtime: str, case: str) -> None:
    family, options = CASES[case]
    check_runtime(lambda bundle: make_runtime(runtime, bundle), random_bundle(family, **{**SMALL, **options}))


def test_unknown_runtime_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        make_runtime("nunba", random_bundle("gru", golden_windows=1))
    assert "nunba" in str(caught.value)
    assert "numba" in caught.value.hint
