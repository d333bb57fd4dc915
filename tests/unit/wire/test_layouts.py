"""The layout table: what it claims about lengths and orders, and that a frame's metadata picks the right row."""

import pytest

from edgehar.errors import InputError, UsageError
from edgehar.wire.layouts import layout_named, layout_numbered, layout_of, load_layouts, parse_layouts

LAYOUTS = list(load_layouts().values())


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_row_adds_up_to_its_length(layout):
    assert sum(len(field.order) for field in layout.fields.values()) * 2 == layout.values
    assert layout_named(layout.name) is layout
    assert layout_numbered(layout.id) is layout


@pytest.mark.parametrize(
    ("name", "field", "pairs"),
    [
        # The pair indices that design notes and recordings name, beside the subcarriers that we derive them from.
        ("classic-none-lltf", "lltf", [*range(38, 64), *range(1, 27)]),
        ("classic-below-lltf", "lltf", [*range(6, 32), *range(33, 59)]),
        ("classic-none-ht20", "htltf", [64 + b for b in (*range(36, 64), *range(1, 29))]),
        ("classic-below-ht20", "htltf", [64 + b for b in (*range(4, 32), *range(33, 61))]),
        ("classic-below-ht40", "htltf", [*range(134, 191), *range(66, 123)]),
        ("classic-above-ht20-stbc", "htltf", [*range(66, 94), *range(95, 123)]),
        ("classic-above-ht40-stbc", "stbc", [*range(248, 305), *range(187, 244)]),
        ("c5-below-ht40", "htltf", [*range(57), *range(60, 117)]),
        ("c6-ht40", "htltf", [*range(6, 63), *range(66, 123)]),
    ],
)
def test_valid_subcarriers_stand_where_recordings_have_them(name, field, pairs):
    found = layout_named(name).field(field)
    assert [found.first_pair + found.order.index(number) for number in found.valid] == pairs


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"values": 128, "secondary": 0, "sig_mode": 0, "bandwidth": 0, "stbc": 0}, "classic-none-lltf"),
        # Only LLTF collected: an HT frame of 40 MHz with STBC still leaves 128 values.
        ({"values": 128, "secondary": 2, "sig_mode": 1, "bandwidth": 1, "stbc": 1}, "classic-below-lltf"),
        ({"values": 384, "secondary": 2, "sig_mode": 1, "bandwidth": 1, "stbc": 0}, "classic-below-ht40"),
        ({"values": 384, "secondary": 0, "sig_mode": 1, "bandwidth": 0, "stbc": 1}, "classic-none-ht20-stbc"),
        ({"values": 376, "secondary": 1, "sig_mode": 1, "bandwidth": 0, "stbc": 1}, "classic-above-ht20-stbc"),
        ({"values": 256, "secondary": 1, "sig_mode": 1, "bandwidth": 0, "stbc": 0}, "classic-above-ht20"),
        ({"values": 256, "secondary": 1, "sig_mode": 1, "bandwidth": 1, "stbc": 0}, "classic-above-htltf40"),
        ({"values": 612, "secondary": 1}, "classic-above-ht40-stbc"),
    ],
)
def test_metadata_picks_the_row(said, name):
    assert layout_of("classic", **said).name == name


@pytest.mark.parametrize(
    "said",
    [
        {"values": 130, "secondary": 0},
        {"values": 384, "secondary": 0, "sig_mode": 1, "bandwidth": 1, "stbc": 0},  # 40 MHz without a second channel
        {"values": 256, "secondary": 0, "sig_mode": 0, "bandwidth": 0, "stbc": 0},  # non-HT has LLTF only
        {"values": 128, "secondary": 3},
    ],
)
def test_what_no_row_fits_is_not_guessed(said):
    assert layout_of("classic", **said) is None


def test_an_invalid_first_word_takes_subcarrier_1_where_it_stands_there():
    fft_order, ascending = layout_named("classic-none-lltf"), layout_named("classic-below-lltf")
    assert len(fft_order.subcarriers("lltf", first_word_invalid=False)) == 52
    assert 1 not in fft_order.subcarriers("lltf", first_word_invalid=True)
    assert len(fft_order.subcarriers("lltf", first_word_invalid=True)) == 51
    assert len(ascending.subcarriers("lltf", first_word_invalid=True)) == 52


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="no CSI layout"):
        layout_named("classic")
    with pytest.raises(UsageError, match="it has lltf"):
        layout_named("classic-none-lltf").field("htltf")
    assert layout_numbered(0) is None


TABLE = """
[[layout]]
id = 1
name = "a"
chips = "c"
secondary = "none"
signal = "any"
bandwidth_mhz = 20
stbc = false
values = {values}
evidence = "made up"
fields.lltf = {{ first_pair = {first}, order = "{order}", valid = "{valid}" }}
"""


@pytest.mark.parametrize(
    ("values", "first", "order", "valid", "problem"),
    [
        (8, 0, "0..2", "1..2", "hold 6 values, not 8"),
        (6, 1, "0..2", "1..2", "does not begin"),
        (6, 0, "0..2", "1..3", "not among"),
        (6, 0, "0..2", "2,1", "not ascending"),
        (8, 0, "0..2,0", "1..2", "repeats"),
    ],
)
def test_a_row_that_does_not_add_up_is_refused(values, first, order, valid, problem):
    with pytest.raises(InputError, match=problem):
        parse_layouts(TABLE.format(values=values, first=first, order=order, valid=valid), "made.toml")


def test_two_rows_do_not_share_a_number():
    row = TABLE.format(values=6, first=0, order="0..2", valid="1..2")
    with pytest.raises(InputError, match="taken"):
        parse_layouts(row + row.replace('"a"', '"b"'), "made.toml")
