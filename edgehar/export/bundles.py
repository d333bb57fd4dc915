"""`export_bundle`: one directory that holds a bundle's files for its targets, and says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgehar import __version__
from edgehar.archive import encode_json
from edgehar.boards.boards import Board
from edgehar.boards.boards import board as find_board
from edgehar.boards.firmware_model import INPUT_HEADER
from edgehar.boards.fit import check_fit
from edgehar.bundle import Bundle, open_bundle
from edgehar.contract import contract_to_json
from edgehar.errors import EdgeHarError, Reason, UsageError
from edgehar.export.c.csi_input import csi_input_header
from edgehar.export.choice import AUTO, BOTH, check_choices, requests_for, stem_of, without_step
from edgehar.export.directory import SIDECAR, check_place, write_directory
from edgehar.export.memory import exact_bytes
from edgehar.export.targets import EMITTERS, EXACT, Emitted, Request
from edgehar.registry import resolve
from edgehar.runtimes.exported import model_digest
from edgehar.runtimes.lowered import graph_of
from edgehar.wire.choice import choose_field

Progress = Callable[[int, int], None]
Made = tuple[Request, Emitted]
Gap = dict[str, str]


def export_bundle(
    bundle: str | Path,
    out: str | Path,
    *,
    targets: Sequence[str] = (),
    board: str = "",
    dtype: str = AUTO,
    form: str = BOTH,
    rounding: str = AUTO,
    csi_layout: str = "",
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a bundle's files for `targets` (none: all that the board runs) into `out`, whole or not at all.

    Beside them lie a copy of the bundle, which `edgehar run` needs, and `export.json`, whose content is returned.

    dtype   "auto": the integers of a quantised bundle where a target has them, else "dynamic"; float32 of a float one
    form    of TFLite and ONNX files: "window", "step", or "both": those that the model has and the board has room for
    rounding    of the integers in an int8 TFLite file: "exact" as in the bundle, "tflite" as TFLite's own operators do;
            "auto": tflite for a microcontroller, else exact
    csi_layout  "LAYOUT" or "LAYOUT:FIELD" of the frames that a receiver hears (docs/csi.md): c/eh_csi_input.h then
            tells the firmware how to feed them into the C module

    Raises UsageError for what does not exist or does not run on the board, EdgeHarError with the numbers for what does
    not fit it, MissingError for an absent package and where nothing can be written.
    """
    path, place = Path(bundle), Path(out)
    on = find_board(board) if board else None
    wanted = check_choices(targets, on, dtype, form, rounding)
    opened = open_bundle(path)
    check_place(place, force=force)
    made, gaps = _emit(requests_for(opened, path, wanted, on, dtype, form, rounding), on, path, progress)

    files = {name: content for _, emitted in made for name, content in emitted.files.items()}
    files[f"{stem_of(path)}.edgehar"] = path.read_bytes()
    if csi_layout:
        files |= _csi_input(opened, files, csi_layout, path)
    sidecar = encode_json(
        {
            **_about(opened, on),
            "exports": [_export(*one) for one in made],
            "unsupported": [*without_step(wanted, graph_of(opened), form), *gaps],
            "files": {name: _measures(content) for name, content in sorted(files.items())},
        }
    )
    write_directory(place, {**files, SIDECAR: sidecar}, force=force)
    told: dict[str, Any] = json.loads(sidecar)
    return told


def _csi_input(bundle: Bundle, files: Mapping[str, bytes], csi_layout: str, path: Path) -> dict[str, bytes]:
    if not any(name.startswith("c/") for name in files):
        raise UsageError(
            f"--csi-layout {csi_layout} without a C module",
            reason=Reason.VALUE,
            hint=f"edgehar export {path} --target c --csi-layout {csi_layout} --out DIR",
        )
    layout, _, field = csi_layout.partition(":")
    field = field or choose_field({layout: 1})[1]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {f"c/{INPUT_HEADER}": csi_input_header(bundle, digest, layout, field).encode()}


def _emit(
    requests: Sequence[Request], on: Board | None, path: Path, progress: Progress | None
) -> tuple[list[Made], list[Gap]]:
    """Every file that fits. A form that does not fit is a gap where another form of its target does."""
    made: list[Made] = []
    refused: list[tuple[Request, EdgeHarError]] = []
    for done, request in enumerate(requests):
        if progress is not None:
            progress(done, len(requests))
        emitted: Emitted = resolve("emitters", EMITTERS, request.target)(request)
        try:
            _check_fit(request, emitted, on, path)
        except EdgeHarError as error:
            refused.append((request, error))
        else:
            made.append((request, emitted))
    for request, refusal in refused:
        if request.target not in {one.target for one, _ in made}:
            raise refusal
    return made, [{"target": r.target, "form": r.form, "reason": str(refusal)} for r, refusal in refused]


def _check_fit(request: Request, emitted: Emitted, on: Board | None, path: Path) -> None:
    if on is None:
        return
    flash, ram = emitted.flash_bytes, emitted.ram_bytes
    weights = emitted.weight_bytes(request.graph, request.dtype)

    def check(ram_bytes: int) -> None:
        check_fit(on, flash, ram_bytes, request.target, request.dtype, weight_bytes=weights, bundle=str(path))

    try:
        check(ram)
    except EdgeHarError as error:
        if not (request.has_rounding and request.rounding == EXACT):
            raise
        less = ram - exact_bytes(request.graph)
        check(less)  # refuses with advice for the smaller file where that is too large as well
        raise EdgeHarError(
            str(error), reason=error.reason, hint=f"give --rounding tflite, which takes {less} bytes of RAM"
        ) from None


def _measures(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _export(request: Request, emitted: Emitted) -> dict[str, Any]:
    """One model in one format: which files, what goes in, what it takes."""
    return {
        "target": request.target,
        "form": emitted.form,
        "dtype": request.dtype,
        **({"rounding": request.rounding} if request.has_rounding else {}),
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
        "input": {**contract_to_json(manifest.contract), "window": manifest.window, "hop": manifest.hop},
        "labels": list(manifest.labels),
        "decision": asdict(manifest.decision),
        "stamps": list(manifest.stamps),
    }
