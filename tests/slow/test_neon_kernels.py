"""The kernels as NEON code: cross-compiled for a Cortex-A76, run by qemu-aarch64, against the NumPy reference.

Not silicon: what is seen here is that the code is right and which instructions it is made of, never how long it takes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgehar.bundle import Bundle, save_bundle
from edgehar.runtimes import make_runtime
from tests.factories import random_bundle
from tests.quantised import quantised

HERE = Path(__file__).parent
CPU = "cortex-a76"
COMPILER, DUMP, EMULATOR = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-objdump", "qemu-aarch64-static"
SIZE = {"window": 64, "channels": 9, "classes": 5, "golden_windows": 6}


def with_empty_blocks(bundle: Bundle) -> Bundle:
    u = bundle.weights["U"].copy()
    u *= np.repeat(np.random.default_rng(2).random((-(-len(u) // 16), u.shape[1])) < 0.2, 16, axis=0)[: len(u)]
    return replace(bundle, weights={**bundle.weights, "U": u})


FLOAT = {
    "fastgrnn": random_bundle("fastgrnn", hidden=80, hop=8, **SIZE),
    "fastgrnn_alone": random_bundle("fastgrnn", hidden=37, hop=64, **SIZE),
    "fastgrnn_low_rank": random_bundle("fastgrnn", hidden=61, hop=10, rank_w=3, rank_u=17, **SIZE),
    "fastgrnn_blocks": with_empty_blocks(random_bundle("fastgrnn", hidden=61, hop=16, **SIZE)),
    "gru": random_bundle("gru", hidden=37, hop=16, **SIZE),
    "cnn": random_bundle("cnn", hidden=37, hop=16, **SIZE),
    "dscnn": random_bundle("dscnn", hidden=24, hop=16, **SIZE),
}
SPIKING = {"l2mu": random_bundle("l2mu", hidden=37, hop=16, neuron="leaky", encoder="plain", readout="count", **SIZE)}
INTEGER = {
    "fastgrnn_int8": quantised(random_bundle("fastgrnn", hidden=37, hop=16, **SIZE), "int8"),
    "cnn_int8": quantised(random_bundle("cnn", hidden=37, hop=16, **SIZE), "int8"),
    "l2mu_int8": quantised(random_bundle("l2mu", hidden=37, hop=16, neuron="leaky", encoder="plain", **SIZE), "int8"),
}
BUNDLES = FLOAT | SPIKING | INTEGER


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every bundle's object and calls."""
    missing = [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: apt-get install gcc-aarch64-linux-gnu qemu-user-static")
    binding = pytest.importorskip("llvmlite.binding", reason="pip install numba")
    binding.initialize_all_targets()
    try:
        binding.Target.from_triple("aarch64-linux-gnu")
    except RuntimeError:
        pytest.skip("this llvmlite has no AArch64 back end: pip install llvmlite")
    directory = tmp_path_factory.mktemp("neon")
    for name, bundle in BUNDLES.items():
        save_bundle(bundle, directory / f"{name}.edgehar")
    paths = [str(directory / f"{name}.edgehar") for name in BUNDLES]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(directory / "kernels")}
    subprocess.run([sys.executable, str(HERE / "cross_kernel.py"), CPU, *paths], env=environment, check=True)
    return directory


def run_there(objects: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(ends, logits) of the windows that the emulated kernel ended."""
    manifest = BUNDLES[name].manifest
    program, out = objects / name, objects / f"{name}.out"
    sources = [str(HERE / "cross_kernel.c"), str(objects / f"{name}.o")]
    subprocess.run([COMPILER, "-O1", "-Wall", "-Werror", "-static", "-o", str(program), *sources, "-lm"], check=True)
    command = [EMULATOR, "-cpu", CPU, str(program), str(objects / f"{name}.calls"), str(out)]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(HERE))
    from cross_kernel import pushes

    from edgehar.runtimes.kernel_stream import outer_arguments

    _, ends, logits = outer_arguments(manifest)
    each = out.read_bytes()
    size = ends.nbytes + logits.nbytes
    window, hop = manifest.window, manifest.hop
    x = BUNDLES[name].golden["x"].reshape(-1, manifest.model["inputs"])
    kept_ends, kept = [], []
    for i, (t, some) in enumerate(pushes(x)):
        count = max(0, (t + len(some) - window) // hop + 1) - max(0, (t - window) // hop + 1)
        at = i * size
        kept_ends.append(np.frombuffer(each, np.int64, ends.size, at)[:count])
        shape = logits.shape
        found = np.frombuffer(each, np.float32, logits.size, at + ends.nbytes).reshape(shape)
        kept.append(found[:count])
    assert (i + 1) * size == len(each)
    return np.concatenate(kept_ends), np.concatenate(kept)


def reference(name: str) -> tuple[np.ndarray, np.ndarray]:
    bundle = BUNDLES[name]
    x = bundle.golden["x"].reshape(-1, bundle.manifest.model["inputs"]).astype(np.float32)
    return make_runtime("reference", bundle).push(x)


@pytest.mark.parametrize("name", FLOAT)
def test_a_stream_gives_the_references_logits(objects: Path, name: str) -> None:
    (ends, logits), (wanted_ends, wanted) = run_there(objects, name), reference(name)
    assert ends.tolist() == wanted_ends.tolist()
    assert len(ends) >= 6
    assert (np.abs(logits - wanted) <= 1e-5 * np.maximum(1, np.abs(wanted))).all()


@pytest.mark.parametrize("name", SPIKING)
def test_spiking_models_give_the_references_labels(objects: Path, name: str) -> None:
    (ends, logits), (wanted_ends, wanted) = run_there(objects, name), reference(name)
    assert ends.tolist() == wanted_ends.tolist()
    assert (logits.argmax(axis=1) == wanted.argmax(axis=1)).mean() >= 0.995


@pytest.mark.parametrize("name", INTEGER)
def test_integers_have_the_references_bits(objects: Path, name: str) -> None:
    (ends, logits), (wanted_ends, wanted) = run_there(objects, name), reference(name)
    assert ends.tolist() == wanted_ends.tolist()
    assert np.array_equal(logits, wanted)


def inner_loops(objects: Path, name: str) -> dict[str, list[str]]:
    """Instructions of the longest loop without a loop in it of every tile."""
    if shutil.which(DUMP) is None:
        pytest.skip(f"{DUMP} missing: apt-get install binutils-aarch64-linux-gnu")
    command = [DUMP, "-d", "--no-show-raw-insn", str(objects / f"{name}.o")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    for title, body in re.findall(r"^[0-9a-f]+ <(eh_(?!entry)\w+)>:\n((?:.+\n)+)", text, re.MULTILINE):
        lines = re.findall(r"^ *([0-9a-f]+):\t(.+)$", body, re.MULTILINE)
        places = {address: i for i, (address, _) in enumerate(lines)}
        loops = []
        for i, (_, line) in enumerate(lines):
            back = re.match(r"(?:b\.|cb|tb)\S+\s.*?\b([0-9a-f]+) <", line)
            if back and places.get(back[1], i) < i:
                loops.append([text for _, text in lines[places[back[1]] : i + 1]])
        if loops:
            found[title] = max(loops, key=len)
    return found


@pytest.mark.parametrize("name", ["fastgrnn", "cnn"])
def test_tiles_keep_all_their_sums_in_registers(objects: Path, name: str) -> None:
    for tile, loop in inner_loops(objects, name).items():
        assert not [line for line in loop if "[sp" in line], tile


def test_a_tall_tile_is_made_of_vector_multiply_adds(objects: Path) -> None:
    """Eight rows of three registers of four values; whatever else is in the loop is less than they are."""
    loop = inner_loops(objects, "fastgrnn")["eh_dense_8x3"]
    vector = [line for line in loop if line.startswith("fmla") and ".4s" in line]
    assert vector
    assert len(vector) % 24 == 0
    assert len(loop) < 2 * len(vector)
