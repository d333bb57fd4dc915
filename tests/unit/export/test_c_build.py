"""Emitted C compiles without a warning wherever it may go; what cannot be emitted is refused by name."""

from __future__ import annotations

import errno
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgehar.boards.targets import TARGETS
from edgehar.bundle import Bundle
from edgehar.errors import MissingError, Reason, UsageError
from edgehar.export.c.emit import CExport, emit_c
from edgehar.export.c.emitter import Emitter
from edgehar.export.c.harness import MAIN
from edgehar.export.c.integer import IntEmitter
from edgehar.export.c.model import check_in_place, min_real, render
from edgehar.export.c.preprocess import emit_preprocess
from edgehar.export.c.products import Options
from edgehar.export.c.unit import Unit
from edgehar.graph.ops import GatedUpdate
from edgehar.runtimes.lowered import graph_of
from tests.cbuild import compile_c, need, run_core
from tests.factories import random_bundle
from tests.quantised import quantised

SPIKING = {"hidden": 21, "golden_windows": 3}
FILTERED = (
    {"op": "median3"},
    {"op": "sos", "sos": [[0.1, 0.2, 0.1, 1.0, -1.1, 0.4]]},
    {"op": "compand", "gain": [3.0] * 6},
    {"op": "normalize", "mean": [0.1] * 6, "std": [2.0] * 6},
)


def filtered(family: str, **options: object) -> Bundle:
    return random_bundle(family, preprocess=FILTERED, delay_samples=1, **options)


SLOWER = [pytest.param(level, marks=pytest.mark.slow) for level in ("-O2", "-Os")]


@pytest.mark.parametrize("level", ["-O0", "-O3", *SLOWER])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compilers_have_nothing_to_say(compiler: str, level: str, tmp_path: Path) -> None:
    for name, bundle in (("l2mu", quantised(filtered("l2mu", **SPIKING))), ("cnn", filtered("cnn"))):
        export = emit_c(bundle, tmp_path / name)
        compile_c(export, export.directory / "main.c", level, compiler=compiler)
        compile_c(export, MAIN, level, "-DEH_TRACE", "-pedantic", compiler=compiler)


@pytest.mark.parametrize("family", ["gru", "l2mu", "dscnn"])
def test_sanitizers_have_nothing_to_say(family: str, tmp_path: Path) -> None:
    bundle = quantised(random_bundle(family, hidden=13, golden_windows=3), "int8")
    flags = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

    checked = run_core(emit_c(bundle, tmp_path / "module"), bundle.golden["x"], *flags, traced=1)

    plain = run_core(emit_c(bundle, tmp_path / "plain"), bundle.golden["x"])
    np.testing.assert_array_equal(checked.logits, plain.logits)


@pytest.mark.parametrize("name", ["cortex-m4f", "cortex-m55", "rv32imc", "aarch64-a53", "armhf"])
@pytest.mark.parametrize("extra", [(), pytest.param(("-DEH_SCALAR",), marks=pytest.mark.slow)])
def test_cross_compilers_have_nothing_to_say(name: str, extra: tuple[str, ...], tmp_path: Path) -> None:
    target = TARGETS[name]
    if target.missing() is not None:
        pytest.skip(f"tools for {name} are missing: {target.missing()}")
    export = emit_c(quantised(filtered("l2mu", **SPIKING)), tmp_path / "module")
    for source in export.sources:
        command = [target.compiler, *target.flags, *extra, "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
        command += ["-ffp-contract=off", "-c", str(source), "-o", str(tmp_path / "object.o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_firmware_in_cpp_may_include_the_header(tmp_path: Path) -> None:
    need("g++", "g++")
    export = emit_c(quantised(filtered("gru")), tmp_path / "module")
    (tmp_path / "main.cpp").write_text(
        '#include "eh_labels.h"\nstatic EhModel model;\n'
        "int main() { eh_init(&model); return eh_push_sample(&model, 0) == EH_ERROR && eh_labels[0] ? 0 : 1; }\n"
    )
    objects = [tmp_path / f"{source.stem}.o" for source in export.sources]
    for source, made in zip(export.sources, objects, strict=True):
        subprocess.run(["gcc", "-std=c99", "-ffp-contract=off", "-c", source, "-o", made], check=True)
    command = ["g++", "-Wall", "-Wextra", "-Werror", f"-I{export.directory}", tmp_path / "main.cpp", *objects, "-lm"]
    built = subprocess.run([*command, "-o", tmp_path / "program"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr

    assert subprocess.run([tmp_path / "program"], check=False).returncode == 0


def test_cmake_builds_the_example(tmp_path: Path) -> None:
    need("cmake", "cmake")
    export = emit_c(random_bundle("fastgrnn"), tmp_path / "module")
    build = tmp_path / "build"

    subprocess.run(["cmake", "-S", export.directory, "-B", build], capture_output=True, check=True)
    subprocess.run(["cmake", "--build", build], capture_output=True, check=True)

    samples = "\n".join("0.1,0.2,0.3,0.4,0.5,0.6" for _ in range(48))
    done = subprocess.run([build / "eh_example"], input=samples, capture_output=True, text=True, check=True)
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["32", "48"]


def test_nothing_is_allocated_and_no_label_is_in_the_model(tmp_path: Path) -> None:
    need("nm", "binutils")
    export = emit_c(quantised(random_bundle("fastgrnn")), tmp_path / "module")
    program = compile_c(export, export.directory / "main.c", "-O2")
    model = tmp_path / "model.o"
    compiled = ["gcc", "-std=c99", "-O2", "-ffp-contract=off", "-c", str(export.sources[0]), "-o", str(model)]
    subprocess.run(compiled, check=True)

    symbols = subprocess.run(["nm", "-u", model], capture_output=True, text=True, check=True).stdout

    assert b"class_0" in program.read_bytes()
    assert b"class_0" not in model.read_bytes()
    assert set(symbols.split()) - {"U"} <= {"memset", "memcpy", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}


def test_constants_are_all_that_the_model_puts_into_flash(tmp_path: Path) -> None:
    from edgehar.boards.elf import section_sizes

    bundle = quantised(filtered("fastgrnn", hidden=40))
    export = emit_c(bundle, tmp_path / "module")
    model = tmp_path / "model.o"
    compiled = ["gcc", "-std=c99", "-O2", "-ffp-contract=off", "-c", str(export.sources[0]), "-o", str(model)]
    subprocess.run(compiled, check=True)

    # Scalars become immediate operands; the compiler aligns arrays and may keep vector constants of its own.
    assert abs(section_sizes(model).rodata - export.module.constant_bytes) < 200


def test_equal_bundles_give_equal_text() -> None:
    modules = [render(quantised(random_bundle("l2mu", **SPIKING)), Options()) for _ in range(2)]

    assert modules[0].files == modules[1].files


def test_names_from_a_bundle_cannot_leave_their_comment_or_string(tmp_path: Path) -> None:
    bundle = random_bundle("gru")
    manifest = replace(bundle.manifest, model_id="*/ int x; /*\n\\", labels=('a"b', "\\n", "Gehen (über)", "??/"))
    export = emit_c(replace(bundle, manifest=manifest), tmp_path / "module")

    program = compile_c(export, export.directory / "main.c")

    assert "Gehen (über)".encode() in program.read_bytes()


@dataclass(frozen=True)
class Novel:
    """An operation that no emitter has."""

    out: str


def test_an_unknown_operation_is_refused_by_name() -> None:
    bundle = quantised(random_bundle("gru"))
    from edgehar.runtimes.lowered import int_graph_of

    emitter: Emitter = IntEmitter(Unit(), int_graph_of(bundle), Options())
    with pytest.raises(UsageError, match=r"Novel.*'y'"):
        emitter.emit(Novel("y"))


def test_an_unknown_preprocessing_operation_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'wavelet'"):
        emit_preprocess(Unit(), [{"op": "wavelet"}], ["acc_x"])


def test_a_state_that_is_read_late_is_refused() -> None:
    graph = graph_of(random_bundle("fastgrnn"))
    update = next(op for op in graph.step if isinstance(op, GatedUpdate))
    with pytest.raises(UsageError, match="reads 'h' late"):
        check_in_place(replace(graph, step=(*graph.step, replace(update, out="again"))))


def test_an_existing_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(UsageError) as refused:
        emit_c(random_bundle("gru"), tmp_path)
    assert refused.value.reason is Reason.EXISTS
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "eh_stream.c":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MissingError) as refused:
        emit_c(random_bundle("gru"), tmp_path / "module")
    assert refused.value.reason is Reason.DISK_FULL
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("coverage", "window"), [(0.8, 40), (0.0, 7), (1.0, 7), (0.3, 10), (0.29, 100), (0.7, 10)])
def test_coverage_is_counted_as_the_decider_compares_it(coverage: float, window: int) -> None:
    least = min_real(coverage, window)

    assert least / window >= coverage
    assert least == 0 or (least - 1) / window < coverage


def test_the_module_needs_nothing_but_its_own_directory(tmp_path: Path) -> None:
    made = emit_c(quantised(random_bundle("dscnn")), tmp_path / "module")
    moved = tmp_path / "elsewhere"
    shutil.move(made.directory, moved)
    export = CExport(moved, tuple(moved / source.name for source in made.sources), made.module)

    compile_c(export, moved / "main.c")


def test_equal_filters_are_stored_once() -> None:
    sos = {"op": "sos", "sos": [[0.1, 0.2, 0.1, 1.0, -1.1, 0.4]]}
    twice = {"op": "concat", "parts": [[sos, {"op": "rectify"}], [sos]]}
    scaled = {"op": "scale", "factors": [2.0] * 12}
    bundle = random_bundle("gru", preprocess=(twice, scaled), inputs=12)

    constants = render(bundle, Options()).constants

    assert sum(len(raw) for name, raw in constants.items() if name.endswith(".sos")) == 5 * 4
    assert [len(raw) for name, raw in constants.items() if name.endswith(".factors")] == [4]
