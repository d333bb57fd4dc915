"""Preprocessing graphs: each operation against NumPy or SciPy, delay and flush, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, medfilt, sosfilt

from edgehar.dsp.graph import Preprocess
from edgehar.errors import InputError

XYZ = ("x", "y", "z")
LOWPASS = butter(3, 4.0, fs=50.0, output="sos")
SOS = {"op": "sos", "sos": LOWPASS.tolist()}
MINUS = {"op": "minus_lowpass", "sos": LOWPASS.tolist()}


def signal(n: int = 120, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((n, channels)).astype(np.float32)


def run(ops, x: np.ndarray, edges=()) -> np.ndarray:
    graph = Preprocess(ops, XYZ)
    y = np.concatenate([*(graph.push(part) for part in np.split(x, edges)), graph.flush()])
    assert y.dtype == np.float32
    assert y.shape == (len(x), len(graph.channels_out))
    return y


def test_nothing_is_the_identity():
    x = signal()
    np.testing.assert_array_equal(run([], x), x)
    assert Preprocess([], XYZ).channels_out == XYZ


def test_select_reorders():
    x = signal()
    np.testing.assert_array_equal(run([{"op": "select", "channels": ["z", "x"]}], x), x[:, [2, 0]])
    np.testing.assert_array_equal(run([{"op": "select", "channels": ["y", "z"]}], x), x[:, 1:])


def test_scale_and_normalize():
    x = signal()
    wide = x.astype(np.float64)
    np.testing.assert_array_equal(
        run([{"op": "scale", "factors": [2.0, 1.0, 9.81]}], x), (wide * [2, 1, 9.81]).astype(np.float32)
    )
    ops = [{"op": "normalize", "mean": [1.0, 0.0, 2.0], "std": [3.0, 1.0, 0.3]}]
    np.testing.assert_array_equal(run(ops, x), ((wide - [1, 0, 2]) / [3, 1, 0.3]).astype(np.float32))


def test_filters_start_from_zero():
    x = signal()
    low = sosfilt(LOWPASS, x.astype(np.float64), axis=0)
    np.testing.assert_allclose(run([SOS], x), low, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(run([MINUS], x), x - low, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 50])
@pytest.mark.filterwarnings("ignore:kernel_size exceeds")
def test_median_is_one_late_and_flushed(n):
    x = signal(n)
    np.testing.assert_array_equal(run([{"op": "median3"}], x), medfilt(x, (3, 1)))
    assert Preprocess([{"op": "median3"}], XYZ).delay == 1


def test_delays_add_up_and_the_tail_passes_the_rest_of_the_chain():
    x = signal()
    ops = [{"op": "median3"}, SOS, {"op": "median3"}, {"op": "scale", "factors": [1.0, 2.0, 3.0]}]
    graph = Preprocess(ops, XYZ)
    assert graph.delay == 2
    assert [len(graph.push(x[i : i + 1])) for i in range(4)] == [0, 0, 1, 1]
    inner = sosfilt(LOWPASS, medfilt(x.astype(np.float64), (3, 1)), axis=0)
    np.testing.assert_allclose(run(ops, x), medfilt(inner, (3, 1)) * [1, 2, 3], rtol=1e-6, atol=1e-6)


def test_flush_of_an_empty_stream_is_empty():
    assert Preprocess([{"op": "median3"}, SOS], XYZ).flush().shape == (0, 3)


def test_concat_joins_what_its_parts_make_of_the_same_input():
    x = signal()
    ops = [{"op": "concat", "parts": [[{"op": "select", "channels": ["z"]}], [{"op": "median3"}][:0], [MINUS]]}]
    y = run(ops, x)
    np.testing.assert_array_equal(y[:, 0], x[:, 2])
    np.testing.assert_array_equal(y[:, 1:4], x)
    np.testing.assert_array_equal(y[:, 4:], run([MINUS], x))
    assert Preprocess(ops, XYZ).channels_out == ("z", "x", "y", "z.2", "x.2", "y.2", "z.3")


def test_magnitude_gives_the_norms_of_its_groups_only():
    x = signal()
    ops = [{"op": "concat", "parts": [[], [{"op": "magnitude", "groups": [["x", "y", "z"], ["z", "x"]]}]]}]
    y = run(ops, x)
    np.testing.assert_array_equal(y[:, :3], x)
    np.testing.assert_allclose(y[:, 3], np.linalg.norm(x, axis=1), rtol=1e-6)
    np.testing.assert_allclose(y[:, 4], np.hypot(x[:, 0], x[:, 2]), rtol=1e-6)
    assert Preprocess(ops, XYZ).channels_out == (*XYZ, "|x,y,z|", "|z,x|")
    assert run(ops, x, range(1, 120)).tobytes() == y.tobytes()


def test_any_chunking_and_reset_give_the_same_bits():
    x = signal()
    ops = [{"op": "concat", "parts": [[{"op": "median3"}, SOS], [MINUS, {"op": "median3"}]]}, MINUS]
    whole = run(ops, x)
    assert run(ops, x, range(1, 120)).tobytes() == whole.tobytes()
    assert run(ops, x, [3, 3, 50]).tobytes() == whole.tobytes()
    graph = Preprocess(ops, XYZ)
    graph.push(x[:17])
    graph.reset()
    assert np.concatenate([graph.push(x), graph.flush()]).tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("op", "says"),
    [
        ({"op": "fft"}, "op is fft"),
        ({"op": "select", "channels": ["w"]}, "some of x, y, z"),
        ({"op": "select", "channels": []}, "some of x, y, z"),
        ({"op": "select"}, "given channels"),
        ({"op": "magnitude", "groups": [["x", "w"]]}, r"preprocess\[0\]: groups .* groups of x, y, z"),
        ({"op": "magnitude", "groups": [[]]}, "one or more groups of x, y, z"),
        ({"op": "magnitude", "groups": []}, "one or more groups of x, y, z"),
        ({"op": "magnitude"}, "given groups"),
        ({"op": "median3", "size": 5}, "given nothing"),
        ({"op": "scale", "factors": [1.0]}, "3 finite numbers"),
        ({"op": "normalize", "mean": [0.0] * 3, "std": [1.0, 0.0, 1.0]}, "above 0"),
        ({"op": "normalize", "mean": [0.0] * 3}, "given mean and std"),
        ({"op": "sos", "sos": [[1.0, 0.0, 0.0]]}, "rows of six"),
        ({"op": "sos", "sos": [[1.0, 0.0, 0.0, 2.0, 0.0, 0.0]]}, "rows of six"),
        ({"op": "concat", "parts": [[{"op": "median3"}], []]}, "equal delay"),
        ({"op": "concat", "parts": []}, "equal delay"),
        ({"op": "concat", "parts": [[{"op": "fft"}]]}, r"preprocess\[0\].parts\[0\]\[0\]"),
    ],
)
def test_refuses_what_it_does_not_understand(op, says):
    with pytest.raises(InputError, match=says):
        Preprocess([op], XYZ)
