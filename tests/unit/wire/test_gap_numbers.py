"""How many frames on a running number is: shared by live streams and files."""

import numpy as np
import pytest

from edgehar.wire.frames import UNKNOWN_SEQ
from edgehar.wire.gaps import FORWARD, frames_on, least_step


@pytest.mark.parametrize(
    ("number", "step"),
    [
        ([10, 12, 14, 20], 2),
        ([5, UNKNOWN_SEQ, 8, 9], 1),
        ([9, 3, 6], 3),  # it began anew
        ([1, 1 + FORWARD], 1),
        ([UNKNOWN_SEQ, UNKNOWN_SEQ], 1),
        ([7], 1),
        ([], 1),
    ],
)
def test_the_least_step_is_one_frame(number, step):
    assert least_step(np.array(number, np.int64)) == step


def test_a_jump_is_frames_and_what_cannot_be_told_is_one():
    number = np.array([12, 18, 20, UNKNOWN_SEQ, 30, 2, 4 + 2 * FORWARD])
    assert frames_on(number, 10, 2).tolist() == [1, 3, 1, 1, 1, 1, 1]
    assert frames_on(number[:2], UNKNOWN_SEQ).tolist() == [1, 6]
