"""The runtime of an exported C module: it keeps the protocol in every family, and gives the reference's integers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cbuild import need
from factories import random_bundle
from quantised import quantised

from edgehar.bundle import Bundle, open_bundle, save_bundle
from edgehar.errors import InputError, MissingError
from edgehar.export.c.emit import emit_c
from edgehar.runtimes import make_runtime
from edgehar.runtimes.c import CRuntime
from edgehar.runtimes.shared_library import load_library
from edgehar.testing.runtime import check_runtime

SMALL = {"window": 24, "channels": 5, "classes": 3}
FAMILIES = {
    "fastgrnn": {"hop": 7, "hidden": 37},
    "gru": {"hop": 5, "hidden": 9},
    "cnn": {"hop": 6, "hidden": 13},
    "csieffnet": {"hop": 6, "hidden": 11},
    "dscnn": {"hop": 28, "hidden": 8},
    "fusion": {"hop": 6, "hidden": 13, "channels": 6},
    "l2mu": {"hop": 30, "hidden": 12},
}


@pytest.fixture(autouse=True)
def _compiler_and_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need("gcc", "gcc libc6-dev")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def made(bundle: Bundle, directory: Path) -> CRuntime:
    return CRuntime(bundle, emit_c(bundle, directory / "c").directory)


def stream_of(bundle: Bundle) -> np.ndarray:
    samples = 5 * bundle.manifest.window
    return np.random.default_rng(3).standard_normal((samples, bundle.manifest.model["inputs"])).astype(np.float32)


@pytest.mark.parametrize("scheme", ["float32", "int8", "int8x16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_keeps_the_protocol(family: str, scheme: str, tmp_path: Path) -> None:
    bundle = random_bundle(family, **{**SMALL, **FAMILIES[family]})
    bundle = bundle if scheme == "float32" else quantised(bundle, scheme)
    runtime = made(bundle, tmp_path)
    check_runtime(lambda _: runtime, bundle)
    if scheme != "float32":
        x = stream_of(bundle)
        runtime.reset()
        (ends, logits), (right_ends, right) = runtime.push(x), make_runtime("reference", bundle).push(x)
        np.testing.assert_array_equal(ends, right_ends)
        assert logits.tobytes() == right.tobytes()


def test_streams_share_nothing(tmp_path: Path) -> None:
    bundle = random_bundle("gru", hop=4, window=16)
    first, second = made(bundle, tmp_path), CRuntime(bundle, tmp_path / "c")
    x = stream_of(bundle)
    right = CRuntime(bundle, tmp_path / "c").push(x)[1]
    parts = []
    for sample in x:
        parts.append(first.push(sample[None])[1])
        second.push(-sample[None])
    assert np.concatenate(parts).tobytes() == right.tobytes()


def test_it_is_found_beside_the_bundle_and_missed_with_the_command_that_makes_it(tmp_path: Path) -> None:
    save_bundle(random_bundle("gru"), tmp_path / "walk.edgehar")
    bundle = open_bundle(tmp_path / "walk.edgehar")
    with pytest.raises(MissingError) as caught:
        make_runtime("c", bundle)
    assert f"edgehar export {bundle.path} --target c" in caught.value.hint
    emit_c(bundle, tmp_path / "c")
    found, named = make_runtime("c", bundle), make_runtime(f"c:{tmp_path}", bundle)
    x = bundle.golden["x"][0]
    np.testing.assert_allclose(found.window(x), bundle.golden["logits"][0], rtol=1e-5, atol=1e-5)
    assert named.window(x).tobytes() == found.window(x).tobytes()


@pytest.mark.parametrize("other", [{"seed": 3}, {"hop": 8}])
def test_another_models_module_is_refused(other: dict[str, int], tmp_path: Path) -> None:
    emit_c(random_bundle("gru"), tmp_path / "c")
    with pytest.raises(InputError, match="another model"):
        CRuntime(random_bundle("gru", **other), tmp_path / "c")


def test_no_compiler_is_said_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emit_c(random_bundle("gru"), tmp_path / "c")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="no C compiler") as caught:
        CRuntime(random_bundle("gru"), tmp_path / "c")
    assert "apt-get install gcc" in caught.value.hint


def test_a_module_that_does_not_compile_is_named(tmp_path: Path) -> None:
    emit_c(random_bundle("gru"), tmp_path / "c")
    (tmp_path / "c" / "eh_model.c").write_text("int main(")
    with pytest.raises(InputError, match=r"does not compile it: .*error") as caught:
        CRuntime(random_bundle("gru"), tmp_path / "c")
    assert str(tmp_path / "c") in str(caught.value)


def test_it_is_compiled_once_and_again_for_other_sources_or_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = emit_c(random_bundle("gru"), tmp_path / "c").directory
    first = load_library(directory)
    assert first.compile_s > 0
    assert first.path is not None
    assert first.path.parent == tmp_path / "state" / "edgehar" / "c"
    assert load_library(directory).compile_s == 0
    (directory / "eh_model.h").write_text((directory / "eh_model.h").read_text() + "\n")
    other = load_library(directory)
    assert other.compile_s > 0
    assert other.path is not None
    assert other.path != first.path
    # In another place, because this process has loaded the first one by its name.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "after-a-power-cut"))
    broken = tmp_path / "after-a-power-cut" / "edgehar" / "c" / other.path.name
    broken.parent.mkdir(parents=True, mode=0o700)
    broken.touch()
    assert load_library(directory).compile_s > 0
    assert broken.stat().st_size > 0


def test_two_processes_may_compile_at_once(tmp_path: Path) -> None:
    directory = emit_c(random_bundle("gru"), tmp_path / "c").directory
    script = (
        "import sys; from pathlib import Path; from edgehar.runtimes.shared_library import load_library;"
        "load_library(Path(sys.argv[1]))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(directory)]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    kept = list((tmp_path / "state" / "edgehar" / "c").iterdir())
    assert [path.suffix for path in kept] == [".so"]


def test_without_a_place_to_write_it_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgehar.runtimes.shared_library.state_places", lambda _: [])
    bundle = random_bundle("gru")
    runtime = made(bundle, tmp_path)
    assert runtime.library.path is None
    np.testing.assert_allclose(runtime.window(bundle.golden["x"][0]), bundle.golden["logits"][0], rtol=1e-5, atol=1e-5)
