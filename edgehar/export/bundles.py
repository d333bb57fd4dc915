"""`export_bundle`: one directory that holds a bundle's files for its targets, and says what they are."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgehar import __version__
from edgehar.archive import encode_json
from edgehar.boards.boards import Board
from edgehar.boards.boards import board as find_board
from edgehar.boards.fit import check_fit
from edgehar.bundle import Bundle, open_bundle
from edgehar.errors import InputError, Reason, UsageError
from edgehar.export.directory import SIDECAR, check_place, write_directory
from edgehar.export.targets import DYNAMIC, EMITTERS, FLOAT32, STEP, WINDOW, Emitted, Request, dtypes_of, forms_of
from edgehar.graph.graph import Graph
from edgehar.registry import resolve
from edgehar.runtimes.exported import model_digest
from edgehar.runtimes.lowered import graph_of

DTYPES = ("auto", "float32", "dynamic", "int8", "int8x16")
FORMS = ("both", "window", "step")
Report = Callable[[int, int], None]


def export_bundle(
    bundle: str | Path,
    out: str | Path,
    *,
    targets: Sequence[str] = (),
    board: str = "",
    dtype: str = "auto",
    form: str = "both",
    force: bool = False,
    progress: Report | None = None,
) -> dict[str, Any]:
    """Write a bundle's files for `targets` (none: all that the board runs) into `out`, whole or not at all.

    Beside them lie a copy of the bundle, which `edgehar run` needs, and `export.json`, whose content is returned.

    dtype   "auto": the integers of a quantised bundle where a target has them, else "dynamic"; float32 of a float one
    form    of TFLite and ONNX files: "window", "step", or "both" where the model has a step

    Raises UsageError for what does not exist or does not run on the board, EdgeHarError with the numbers for what does
    not fit it, MissingError for an absent package and where nothing can be written.
    """
    path, place = Path(bundle), Path(out)
    on = find_board(board) if board else None
    _check_choice("dtype", dtype, DTYPES)
    _check_choice("form", form, FORMS)
    wanted = _targets(targets, on)
    opened = open_bundle(path)
    check_place(place, force=force)
    graph = graph_of(opened)
    _check_scheme(opened, dtype, path)

    name = _stem(path)
    requests = []
    for target in wanted:
        chosen = _choose(target, graph, opened, on) if dtype == "auto" else dtype
        small = on is not None and on.flash_bytes is not None
        requests += [
            (target, Request(opened, graph, name, made, chosen, small)) for made in _forms(target, graph, form)
        ]
    files: dict[str, bytes] = {}
    exports: list[dict[str, Any]] = []
    for done, (target, request) in enumerate(requests):
        if progress is not None:
            progress(done, len(requests))
        emitted: Emitted = resolve("emitters", EMITTERS, target)(request)
        if on is not None:
            weights = emitted.weight_bytes(graph, request.dtype)
            check_fit(
                on,
                emitted.flash_bytes,
                emitted.ram_bytes,
                target,
                request.dtype,
                weight_bytes=weights,
                bundle=str(path),
            )
        files |= emitted.files
        exports.append(_export(target, request, emitted))
    if {"tflite", "onnx"} & set(wanted):
        files[f"{name}.edgehar"] = path.read_bytes()
    sidecar = encode_json(
        {
            **_about(opened, on),
            "exports": exports,
            "unsupported": _missing(wanted, graph, form),
            "files": {file: _measures(content) for file, content in sorted(files.items())},
        }
    )
    write_directory(place, {**files, SIDECAR: sidecar}, force=force)
    told: dict[str, Any] = json.loads(sidecar)
    return told


def _targets(targets: Sequence[str], on: Board | None) -> list[str]:
    """Once each, those of EMITTERS first and in its order."""
    for target in targets:
        resolve("emitters", EMITTERS, target)
        if on is not None and target not in on.formats:
            raise UsageError(
                f"{on.name} ({on.cpu}) does not run {target}",
                reason=Reason.VALUE,
                hint="it runs " + "; ".join(f"{name} {'/'.join(dtypes)}" for name, dtypes in on.formats.items()),
            )
    if not targets:
        return [name for name in EMITTERS if on is None or name in on.formats]
    return [*(name for name in EMITTERS if name in targets), *dict.fromkeys(n for n in targets if n not in EMITTERS)]


def _forms(target: str, graph: Graph, form: str) -> tuple[str, ...]:
    """What to write; a form that was asked for by name goes to the emitter even if it will refuse it."""
    there = forms_of(target, graph)
    return there if form == "both" or there[0] not in (WINDOW, STEP) else (form,)


def _choose(target: str, graph: Graph, bundle: Bundle, on: Board | None) -> str:
    """The bundle's scheme where the target, the family and the board have it, else the next best."""
    quant = bundle.manifest.quant
    there = [d for d in dtypes_of(target, graph) if on is None or d in on.formats[target]]
    wishes = (FLOAT32,) if quant is None else (str(quant["scheme"]), DYNAMIC, FLOAT32)
    return next((wish for wish in wishes if wish in there), FLOAT32)


def _check_scheme(bundle: Bundle, dtype: str, path: Path) -> None:
    """Integers are those of the bundle, on which its accuracy was measured."""
    scheme = None if bundle.manifest.quant is None else str(bundle.manifest.quant["scheme"])
    if dtype in ("auto", FLOAT32, DYNAMIC, scheme):
        return
    raise UsageError(
        f"the model {bundle.manifest.model_id} is not quantised to {dtype}" + (f" but to {scheme}" if scheme else ""),
        reason=Reason.VALUE,
        hint=f"quantise it first: edgehar compress {path} --dataset DIR --quant {dtype} --out OUT",
    )


def _check_choice(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(
            f"no {what} is called '{value}'", reason=Reason.UNKNOWN_NAME, hint=f"choose one of: {', '.join(allowed)}"
        )


def _stem(path: Path) -> str:
    """A name that is safe in every file system and in a CMake file."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem).strip("._")
    if not name:
        raise InputError(f"{path}: has no name to call its files by", reason=Reason.VALUE, hint="rename the bundle")
    return name


def _missing(targets: Sequence[str], graph: Graph, form: str) -> list[dict[str, str]]:
    """What "both" leaves out."""
    return [
        {"target": target, "form": STEP, "reason": f"a {graph.family} has no state between samples"}
        for target in targets
        if form == "both" and WINDOW in forms_of(target, graph) and STEP not in forms_of(target, graph)
    ]


def _measures(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _export(target: str, request: Request, emitted: Emitted) -> dict[str, Any]:
    """One model in one format: which files, what goes in, what it takes."""
    return {
        "target": target,
        "form": emitted.form,
        "dtype": request.dtype,
        "files": sorted(emitted.files),
        "channels": list(emitted.channels),
        "preprocess_inside": list(emitted.inside),
        "preprocess_outside": [dict(op) for op in emitted.outside],
        "unsupported": dict(emitted.not_in),
        "needs": {"flash_bytes": emitted.flash_bytes, "ram_bytes": emitted.ram_bytes},
    }


def _about(bundle: Bundle, on: Board | None) -> dict[str, Any]:
    """Whose files these are, and the stream that they want."""
    manifest = bundle.manifest
    return {
        "edgehar": __version__,
        "model_id": manifest.model_id,
        "family": manifest.model["family"],
        "bundle_sha256": bundle.sha256,
        "model_digest": model_digest(bundle),
        "board": None if on is None else on.name,
        "input": {**asdict(manifest.contract), "window": manifest.window, "hop": manifest.hop},
        "labels": list(manifest.labels),
        "decision": asdict(manifest.decision),
        "stamps": list(manifest.stamps),
    }
