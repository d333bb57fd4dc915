"""Kernels as object code: the same bits as under Numba, found again, made again where they are damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle
from numba import njit

from edgehar.bundle import save_bundle
from edgehar.machine_code import bind as binding
from edgehar.machine_code.bind import bind
from edgehar.machine_code.block import Call, kind_of
from edgehar.machine_code.emit import emit
from edgehar.machine_code.store import read_code


def blend(out, matrix, weight, offset, shift, flip, n):
    for i in range(n):
        row = matrix[i].reshape(2, matrix.shape[1] // 2)
        total = row[0, 0] * weight + row[1, row.shape[1] - 1] + offset + shift
        out[i] = -total if flip else total


def arguments(rows: int = 5):
    matrix = np.arange(rows * 6, dtype=np.float32).reshape(rows, 6)
    return np.zeros(rows), matrix, np.float32(1.25), -0.75, 7, True, rows


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(binding, "code_directory", lambda: tmp_path)
    monkeypatch.setattr(binding._Loaded, "files", {})
    return tmp_path


def compiled():
    return njit(blend)


def never():
    raise AssertionError("compiled again")


def expected(given):
    out = given[0].copy()
    blend(out, *given[1:])
    return out


def test_the_entry_computes_what_the_function_does_for_every_kind_of_argument(place):
    given = arguments()
    call = bind("blend", given, compiled)
    assert call.run() == 0
    np.testing.assert_array_equal(given[0], expected(given))


def test_no_references_are_counted_to_arrays_that_the_caller_owns(place):
    assert b"NRT_incref" not in emit(compiled(), tuple(map(kind_of, arguments()))).code


def test_a_word_of_the_block_changes_an_argument(place):
    given = arguments()
    call = bind("blend", given, compiled)
    call.words[call.place[6]] = 2
    call.words[call.place[4]] = -3
    call.run()
    wanted = np.zeros(5)
    blend(wanted, *given[1:4], -3, True, 2)
    np.testing.assert_array_equal(given[0], wanted)
    assert not given[0][2:].any()


def test_kept_code_is_found_without_the_compiler_and_by_its_types_only(place, monkeypatch):
    bind("blend", arguments(), compiled)
    monkeypatch.setattr(binding._Loaded, "files", {})
    given = arguments(3)
    call = bind("blend", given, never)
    call.run()
    np.testing.assert_array_equal(given[0], expected(given))
    other = list(arguments())
    other[1] = other[1].astype(np.float64)
    with pytest.raises(AssertionError, match="compiled again"):
        bind("blend", other, never)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b"", lambda b: b"{}"]
)
def test_damaged_code_is_not_loaded_but_made_again(place, monkeypatch, damage):
    bind("blend", arguments(), compiled)
    (file,) = place.glob("*.o")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert read_code(file) is None
    monkeypatch.setattr(binding._Loaded, "files", {})
    assert bind("blend", arguments(), compiled).run() == 0
    assert read_code(file) is not None


def test_code_that_needs_what_this_process_lacks_is_not_loaded(place):
    bind("blend", arguments(), compiled)
    (file,) = place.glob("*.o")
    head, _, code = file.read_bytes().partition(b"\n")
    told = json.loads(head)
    file.write_bytes(json.dumps({**told, "needs": ["eh_no_such_symbol"]}).encode() + b"\n" + code)
    assert read_code(file) is None


def test_an_error_in_a_kernel_is_a_status(place):
    def assign(out, values):
        out[:] = values

    call = bind("assign", (np.zeros(3), np.ones(2)), lambda: njit(assign))
    assert call.run() != 0


def test_without_a_place_or_a_compiler_there_is_no_call(place, monkeypatch):
    def other_numba():
        raise AttributeError("moved")

    assert bind("blend", arguments(), other_numba) is None
    monkeypatch.setattr(binding, "code_directory", lambda: None)
    assert bind("blend", arguments(), compiled) is None


def test_arrays_with_holes_are_refused():
    with pytest.raises(TypeError, match="holes"):
        kind_of(np.zeros((4, 4))[:, :2])


def test_a_call_keeps_its_arrays_alive():
    assert Call(lambda _: 0, (np.zeros(3), 1)).arguments[0].shape == (3,)


WARM = """
import sys
import numpy as np
from edgehar.bundle import open_bundle
from edgehar.pipeline import Pipeline
from edgehar.live import warm_up
pipeline = Pipeline(open_bundle(sys.argv[1]))
warm_up(pipeline)
logits = []
rng = np.random.default_rng(0)
x = rng.standard_normal((300, pipeline.manifest.model["inputs"])).astype(np.float32)
for i in range(0, 300, 7):
    logits.append(pipeline.runtime.push(x[i:i + 7])[1])
print(np.concatenate(logits).tobytes().hex(), "numba" in sys.modules, "llvmlite" in sys.modules)
"""


def test_the_second_run_of_a_bundle_has_the_same_bits_and_imports_no_numba(tmp_path: Path):
    bundle = tmp_path / "small.edgehar"
    save_bundle(random_bundle("gru", window=32, hop=8, channels=3, hidden=11), bundle)
    told = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", WARM, str(bundle)], capture_output=True, text=True, check=True, env=dict(os.environ)
        )
        told.append(ran.stdout.split())
    assert told[0][0] == told[1][0]
    assert told[1][1:] == ["False", "True"]
