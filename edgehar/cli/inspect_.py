"""`edgehar inspect`: what a bundle wants, holds and is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgehar.bundle import Bundle


DETAILS = frozenset({"per_class", "per_subject", "labels", "classes"})
RECIPE = frozenset({"recipe", "augment"})


def inspect(
    bundle: Annotated[Path, typer.Argument(help="The model, a .edgehar file.", show_default=False)],
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also rerun the golden windows and check the signature.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Show a bundle's sensor contract, model, labels, evaluation and stamps. Opening it executes nothing."""
    import json

    from edgehar.bundle import open_bundle, verify_bundle

    report = describe(open_bundle(bundle), bundle.stat().st_size)
    if verify:
        report["verified"] = verify_bundle(bundle)
    typer.echo(json.dumps(report, ensure_ascii=False) if as_json else "\n".join(_lines(report)))
    return 0


def describe(bundle: Bundle, file_bytes: int) -> dict[str, Any]:
    """The manifest as JSON types, with sizes, evaluation and hash."""
    from edgehar.manifest import manifest_to_json

    parameters = sum(int(w.size) for w in bundle.weights.values())
    return {
        **manifest_to_json(bundle.manifest),
        "sha256": bundle.sha256,
        "file_bytes": file_bytes,
        "parameters": parameters,
        "weights_bytes": 4 * parameters,
        "golden_windows": len(bundle.golden["x"]),
        "signed": bundle.signature is not None,
        "evaluation": dict(bundle.evaluation),
    }


def _lines(report: dict[str, Any]) -> list[str]:
    contract, decision, model = report["contract"], report["decision"], report["model"]
    rate = contract["rate_hz"]
    channels = ", ".join(f"{c} [{u}]" for c, u in zip(contract["channels"], contract["units"], strict=True))
    shape = ", ".join(
        f"{k} {v}" for k, v in sorted(model.items()) if isinstance(v, int | float | str) and k != "family"
    )
    rows = [
        ("stamps", ", ".join(report["stamps"])),
        (
            "sensor",
            f"{contract['kind']}, {rate:g} Hz +-{100 * contract['rate_tolerance']:g} %, axes {contract['axes']}",
        ),
        ("placement", contract["placement"] or "any"),
        ("sensors", _sensors(contract.get("sensors", ()))),
        ("channels", channels),
        ("preprocess", " > ".join(op["op"] for op in report["preprocess"]) or "none"),
        ("delay", f"{contract['delay_samples']} samples ({1000 * contract['delay_samples'] / rate:g} ms)"),
        (
            "window, hop",
            f"{report['window']}, {report['hop']} samples ({report['window'] / rate:g}, {report['hop'] / rate:g} s)",
        ),
        ("labels", ", ".join(report["labels"])),
        ("model", f"{model['family']}: {shape}" + (f", {len(model['layers'])} layers" if "layers" in model else "")),
        (
            "size",
            f"{report['parameters']} parameters, {report['weights_bytes']} bytes; file {report['file_bytes']} bytes",
        ),
        ("integers", _integers(report.get("quant"))),
        ("decision", ", ".join(f"{k} {v:g}" for k, v in decision.items())),
        *((f"evaluation.{k}", f"{v:g}" if isinstance(v, float) else str(v)) for k, v in _flat(report["evaluation"])),
        *((f"provenance.{k}", str(v)) for k, v in _flat(report["provenance"])),
        ("golden", f"{report['golden_windows']} windows; " + ("signed" if report["signed"] else "not signed")),
        ("sha256", report["sha256"]),
        ("more", "--json: figures by class and person, merged classes, the whole recipe"),
    ]
    if "verified" in report:
        v = report["verified"]
        rows.append(
            ("verified", f"{v['windows']} windows, largest error {v['max_error']:.1e}, signature {v['signature']}")
        )
    width = max(len(name) for name, _ in rows)
    return [report["model_id"], *(f"  {name.ljust(width)}  {value}" for name, value in rows if value)]


def _sensors(sensors: Sequence[Mapping[str, Any]]) -> str:
    """Who gives how many channels, where several do; one head hears them all, and one each of them alone."""
    return ", ".join(f"{sensor['name']} ({len(sensor['channels'])} channels)" for sensor in sensors)


def _integers(quant: dict[str, Any] | None) -> str:
    if quant is None:
        return ""
    return f"{quant['scheme']}, scales per channel: {quant['per_channel']}; {quant['calibration']}"


def _flat(tree: dict[str, Any]) -> list[tuple[str, Any]]:
    """Leaves that fit a line, named by their path.

    Long lists, matrices, figures by class and person, and what a recipe leaves off, stay in --json.
    """
    leaves = []
    for name, value in tree.items():
        if isinstance(value, dict):
            inner = {} if name in DETAILS else value
            if name in RECIPE:
                inner = {key: setting for key, setting in value.items() if setting}
            leaves += [(f"{name}.{path}", leaf) for path, leaf in _flat(inner)]
        elif len(str(value)) <= 80 and name not in DETAILS:
            leaves.append((name, value))
    return leaves
