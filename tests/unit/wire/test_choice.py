"""Which field a mixed capture becomes."""

import pytest

from edgehar.errors import InputError, UsageError
from edgehar.wire.canonical import csi_spec
from edgehar.wire.choice import choose_field, fits


@pytest.mark.parametrize(
    ("layouts", "wanted", "chosen"),
    [
        ({"classic-above-ht40": 9, "classic-above-lltf": 2}, "auto", ("classic-above-ht40", "htltf")),
        ({"classic-above-ht40": 2, "classic-above-lltf": 9}, "auto", ("classic-above-lltf", "lltf")),
        ({"classic-above-ht40": 9, "classic-above-lltf": 2}, "lltf", ("classic-above-ht40", "lltf")),
        ({"classic-above-ht40": 2, "classic-above-lltf": 9}, "htltf", ("classic-above-ht40", "htltf")),
        ({"c5-none-he20": 1}, "auto", ("c5-none-he20", "heltf")),
    ],
)
def test_the_commonest_layout_decides_and_ht_ltf_is_preferred(layouts, wanted, chosen):
    assert choose_field(layouts, wanted) == chosen


def test_a_field_that_no_frame_has_is_refused():
    with pytest.raises(InputError, match="no frame has the field htltf"):
        choose_field({"classic-none-lltf": 3}, "htltf")
    with pytest.raises(UsageError, match="no CSI field phase"):
        choose_field({"classic-none-lltf": 3}, "phase")
    with pytest.raises(InputError, match="none"):
        choose_field({})


def test_frames_fit_where_they_have_the_same_subcarriers():
    lltf, wide = csi_spec("classic-above-lltf", "lltf", 100.0), csi_spec("classic-above-ht40", "htltf", 100.0)
    assert fits("classic-above-ht40", "lltf", lltf)
    assert not fits("classic-above-lltf", "htltf", wide)
    assert not fits("classic-above-ht20", "htltf", wide)
    assert not fits("classic-above-ht40", "htltf", csi_spec("classic-above-ht20", "htltf", 100.0))
    first_word_lost = csi_spec("classic-none-lltf", "lltf", 100.0)
    assert fits("classic-none-lltf", "lltf", first_word_lost)
    assert fits("classic-below-lltf", "lltf", first_word_lost)
    assert not fits("cut-lltf", "lltf", lltf)
