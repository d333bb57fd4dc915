"""What a bundle says about itself: sensor contract, preprocessing, model shape, decision settings, provenance.

Checked by hand rather than by a schema library, so that a board opens a bundle in milliseconds; every refusal
names the field's path, its value and what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgehar.contract import Contract, contract_from_json, contract_to_json
from edgehar.errors import InputError, Reason
from edgehar.manifest_fields import Fields, is_number, list_of, refuse

SCHEMA_VERSION = 1
FAMILIES = ("cnn", "csicnn", "csieffnet", "dscnn", "fastgrnn", "fusion", "gru", "l2mu")
SEVERAL_SENSORS = ("fusion",)
"""Families with a head for each sensor, and so the only ones whose contract has several."""
QUANT_SCHEMES = ("int8", "int8x16")
PER_CHANNEL = ("none", "conv", "all")
PREPROCESS_OPS = (
    "compand",
    "concat",
    "magnitude",
    "median3",
    "minus_lowpass",
    "normalize",
    "rectify",
    "scale",
    "select",
    "sos",
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Logits to activity: softmax(logits / temperature), UNSURE below `abstain_below`.

    `smooth`: how many windows are averaged, 1 = off.

    A window with less than `min_coverage` real samples becomes NO_DATA.
    """

    temperature: float = 1.0
    abstain_below: float = 0.0
    smooth: int = 1
    min_coverage: float = 0.8


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of `manifest.json` but the list of members. `window` and `hop` count samples at `contract.rate_hz`.

    `preprocess` and `model` are plain JSON objects, described in docs/bundle.md. `stamps` are warnings that travel
    with the model: LEAKY, MIXED-SUBJECT, TEST-SELECTED, SIMULATED. `quant`, where present, says that the model runs in
    integers: {"scheme", "per_channel", "calibration", "ranges": {tensor: [low, high]}}, for spiking models also
    {"gains": {drive: [one per neuron]}}; `edgehar.graph.quantise` derives the same integers from it everywhere.

    The logits are one block of len(labels) for each of `contract.heads`, in that order.
    """

    model_id: str
    contract: Contract
    window: int
    hop: int
    labels: tuple[str, ...]
    model: Mapping[str, Any]
    preprocess: tuple[Mapping[str, Any], ...] = ()
    decision: Decision = field(default_factory=Decision)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    stamps: tuple[str, ...] = ()
    quant: Mapping[str, Any] | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def outputs(self) -> int:
        """How many logits a window gives: one for each label, from each head."""
        return len(self.contract.heads) * len(self.labels)


def manifest_to_json(manifest: Manifest) -> dict[str, Any]:
    """Plain JSON types; the inverse of `manifest_from_json`."""
    return {
        "schema_version": manifest.schema_version,
        "model_id": manifest.model_id,
        "contract": contract_to_json(manifest.contract),
        "preprocess": [dict(op) for op in manifest.preprocess],
        "window": manifest.window,
        "hop": manifest.hop,
        "labels": list(manifest.labels),
        "model": dict(manifest.model),
        "decision": asdict(manifest.decision),
        "provenance": dict(manifest.provenance),
        "stamps": list(manifest.stamps),
        **({} if manifest.quant is None else {"quant": dict(manifest.quant)}),
    }


def manifest_from_json(value: Any) -> Manifest:
    """Check every field of a decoded `manifest.json`; raises InputError naming path, value and what is allowed."""
    version = value.get("schema_version") if isinstance(value, dict) else None
    if isinstance(version, int) and version != SCHEMA_VERSION:
        newer = version > SCHEMA_VERSION
        raise InputError(
            f"manifest.json: schema_version is {version}, this edgehar reads {SCHEMA_VERSION}",
            reason=Reason.VERSION,
            hint="pip install -U edgehar" if newer else "write the bundle again with this edgehar (edgehar train)",
        )
    top = Fields(value, "")
    top.integer("schema_version", low=1)
    manifest = Manifest(
        model_id=top.text("model_id"),
        contract=contract_from_json(Fields(top.take("contract"), "contract.")),
        preprocess=_operations(top.take("preprocess"), "preprocess"),
        window=top.integer("window", low=1),
        hop=top.integer("hop", low=1),
        labels=top.texts("labels"),
        model=Fields(top.take("model"), "model.").mapping,
        decision=_decision(Fields(top.take("decision"), "decision.")),
        provenance=Fields(top.take("provenance"), "provenance.").mapping,
        stamps=top.texts("stamps", least=0),
        quant=_quant(Fields(top.take("quant"), "quant.")) if "quant" in top.mapping else None,
    )
    top.finish()
    if len(set(manifest.labels)) != len(manifest.labels):
        raise refuse("labels", list(manifest.labels), "names that differ")
    model = Fields(manifest.model, "model.")
    family = model.choice("family", FAMILIES)
    if (family in SEVERAL_SENSORS) != bool(manifest.contract.sensors):
        allowed = f"present for the family {family}" if family in SEVERAL_SENSORS else f"absent for the family {family}"
        raise refuse("contract.sensors", [sensor.name for sensor in manifest.contract.sensors], allowed)
    model.integer("inputs", low=1)
    if model.integer("classes", low=1) != manifest.outputs:
        heads = len(manifest.contract.heads)
        of_heads = f" for each of {heads} heads" if heads > 1 else ""
        raise refuse("model.classes", manifest.model["classes"], f"{manifest.outputs}, the number of labels{of_heads}")
    return manifest


def _decision(f: Fields) -> Decision:
    decision = Decision(
        temperature=f.number("temperature", low=0.0, above=True),
        abstain_below=f.number("abstain_below", low=0.0, high=1.0),
        smooth=f.integer("smooth", low=1),
        min_coverage=f.number("min_coverage", low=0.0, high=1.0),
    )
    f.finish()
    return decision


def _quant(f: Fields) -> Mapping[str, Any]:
    ranges = Fields(f.take("ranges"), "quant.ranges.").mapping
    for name, ends in ranges.items():
        path = f"quant.ranges.{name[:40]}"
        _check_numbers(ends, path)
        if len(ends) != 2 or not ends[0] <= ends[1]:
            raise refuse(path, ends, "[low, high]")
    quant: dict[str, Any] = {
        "scheme": f.choice("scheme", QUANT_SCHEMES),
        "per_channel": f.choice("per_channel", PER_CHANNEL),
        "calibration": f.text("calibration"),
        "ranges": ranges,
    }
    if "gains" in f.mapping:
        quant["gains"] = Fields(f.take("gains"), "quant.gains.").mapping
        for name, values in quant["gains"].items():
            _check_numbers(values, f"quant.gains.{name[:40]}")
    f.finish()
    return quant


def _operations(value: Any, path: str) -> tuple[Mapping[str, Any], ...]:
    """Known operations at every depth, their parameters names or numbers; `edgehar.dsp.graph` checks the rest."""
    if not isinstance(value, list):
        raise refuse(path, value, "a list of operations")
    for i, op in enumerate(value):
        here = f"{path}[{i}]"
        fields = Fields(op, f"{here}.")
        if fields.choice("op", PREPROCESS_OPS) == "concat":
            for j, part in enumerate(list_of(fields.take("parts"), f"{here}.parts")):
                _operations(part, f"{here}.parts[{j}]")
        for name in sorted(set(fields.mapping) - {"op", "parts"}):
            if name == "channels":
                fields.texts(name, least=0)
            elif name == "groups":
                _check_groups(fields.take(name), f"{here}.{name}")
            else:
                _check_numbers(fields.take(name), f"{here}.{name}")
    return tuple(value)


def _check_groups(value: Any, path: str) -> None:
    """A list of lists of channel names."""
    for i, group in enumerate(list_of(value, path)):
        if not isinstance(group, list) or not all(isinstance(name, str) and name for name in group):
            raise refuse(f"{path}[{i}]", group, "a list of channel names")


def _check_numbers(value: Any, path: str) -> None:
    """A list of numbers, or of rows of equally many."""
    rows = list_of(value, path)
    flat = [number for row in rows for number in (row if isinstance(row, list) else [row])]
    shapes = {len(row) if isinstance(row, list) else None for row in rows}
    if len(shapes) > 1 or not all(is_number(number) for number in flat):
        raise refuse(path, value, "a list of numbers, or of rows of equally many")
