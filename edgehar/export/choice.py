"""What an export is to hold: the formats, forms and dtypes that a bundle and a board have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from edgehar.boards.boards import Board
from edgehar.boards.fit import check_fit
from edgehar.bundle import Bundle
from edgehar.errors import InputError, Reason, UsageError
from edgehar.export.stream import plan_stream
from edgehar.export.targets import DYNAMIC, EMITTERS, EXACT, FLOAT32, STEP, TFLITE, WINDOW, Request, dtypes_of, forms_of
from edgehar.graph.graph import Graph
from edgehar.registry import resolve
from edgehar.runtimes.lowered import graph_of

AUTO, BOTH = "auto", "both"
DTYPES = (AUTO, "float32", "dynamic", "int8", "int8x16")
FORMS = (BOTH, WINDOW, STEP)
ROUNDINGS = (AUTO, EXACT, TFLITE)


def check_choices(targets: Sequence[str], on: Board | None, dtype: str, form: str, rounding: str = AUTO) -> list[str]:
    """The formats to write, those of EMITTERS first and in its order. Raises UsageError for an unknown name.

    Without `targets`: all that the board runs, or all there are.
    """
    for what, value, allowed in (("dtype", dtype, DTYPES), ("form", form, FORMS), ("rounding", rounding, ROUNDINGS)):
        if value not in allowed:
            raise UsageError(
                f"no {what} is called '{value}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"choose one of: {', '.join(allowed)}",
            )
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


def requests_for(
    bundle: Bundle, path: Path, targets: Sequence[str], on: Board | None, dtype: str, form: str, rounding: str = AUTO
) -> list[Request]:
    """One request for every file to write, in order. Raises UsageError for integers and roundings that it has not.

    A chip gets TFLite's own rounding: tflite-micro would keep the weights that exact rounding unpacks in RAM.
    """
    graph = graph_of(bundle)
    _check_scheme(bundle, dtype, path)
    small = on is not None and on.flash_bytes is not None
    requests = []
    for target in targets:
        chosen = _auto(target, graph, bundle, on) if dtype == AUTO else dtype
        if on is not None:
            check_fit(on, 0, 0, target, chosen)  # the board's dtypes, before anything is made
        there = forms_of(target, graph)
        # A form that was asked for by name goes to the emitter, which refuses it by name.
        forms = there if form == BOTH or WINDOW not in there else (form,)
        how = rounding if rounding != AUTO else TFLITE if small else EXACT
        requests += [Request(target, bundle, graph, stem_of(path), made, chosen, small, how) for made in forms]
    if rounding != AUTO and not any(request.has_rounding for request in requests):
        raise UsageError(
            f"no file of this export can be rounded '{rounding}': only int8 TFLite ones of gated and residual models",
            reason=Reason.VALUE,
            hint="leave --rounding out; or give --target tflite, and a bundle that was quantised to int8",
        )
    return requests


def stem_of(path: Path) -> str:
    """A name that is safe in every file system and in a CMake file."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem).strip("._")
    if not name:
        raise InputError(f"{path}: has no name to call its files by", reason=Reason.VALUE, hint="rename the bundle")
    return name


def without_step(targets: Sequence[str], graph: Graph, form: str) -> list[dict[str, str]]:
    """What "both" leaves out because the model has no such form."""
    lacking = [target for target in targets if form == BOTH and forms_of(target, graph) == (WINDOW,)]
    if not lacking:
        return []
    try:
        plan_stream(graph)
    except UsageError as error:
        return [{"target": target, "form": STEP, "reason": str(error)} for target in lacking]
    return []


def _auto(target: str, graph: Graph, bundle: Bundle, on: Board | None) -> str:
    """The bundle's scheme where the target, the family and the board have it, else the next best."""
    quant = bundle.manifest.quant
    there = [d for d in dtypes_of(target, graph) if on is None or d in on.formats[target]]
    wishes = (FLOAT32,) if quant is None else (str(quant["scheme"]), DYNAMIC, FLOAT32)
    return next((wish for wish in wishes if wish in there), FLOAT32)


def _check_scheme(bundle: Bundle, dtype: str, path: Path) -> None:
    """Integers are those of the bundle, on which its accuracy was measured."""
    scheme = None if bundle.manifest.quant is None else str(bundle.manifest.quant["scheme"])
    if dtype in (AUTO, FLOAT32, DYNAMIC, scheme):
        return
    made_from, source = ("the float bundle that it was made from", "FLOAT_BUNDLE") if scheme else ("it first", path)
    raise UsageError(
        f"the model {bundle.manifest.model_id} is not quantised to {dtype}" + (f" but to {scheme}" if scheme else ""),
        reason=Reason.VALUE,
        hint=f"quantise {made_from}: edgehar compress {source} --dataset DIR --quant {dtype} --out OUT.edgehar",
    )
