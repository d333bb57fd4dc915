"""What a bundle says about itself: sensor contract, preprocessing, model shape, decision settings, provenance.

Checked by hand rather than by a schema library, so that a board opens a bundle in milliseconds; every refusal
names the field's path, its value and what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgehar.errors import ContractError, InputError, Reason
from edgehar.types import StreamSpec

SCHEMA_VERSION = 1
FAMILIES = ("cnn", "csicnn", "dscnn", "fastgrnn", "gru", "l2mu")
LARGEST = 1e12  # number in a manifest
MOST_TOLERANT = 10.0  # rate_tolerance of a contract
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
class Contract:
    """The stream that the model was trained on. `rate_tolerance` is a fraction, above 1 where events make the samples
    (CSI): the grid's rate is `rate_hz` all the same. An empty `placement` means any.

    `delay_samples`: how many samples the preprocessing looks ahead, hence how late every decision is.
    """

    kind: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float
    axes: str = "device"
    placement: str = ""
    rate_tolerance: float = 0.05
    delay_samples: int = 0


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


def manifest_to_json(manifest: Manifest) -> dict[str, Any]:
    """Plain JSON types; the inverse of `manifest_from_json`."""
    return {
        "schema_version": manifest.schema_version,
        "model_id": manifest.model_id,
        "contract": asdict(manifest.contract),
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
        contract=_contract(Fields(top.take("contract"), "contract.")),
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
    model.choice("family", FAMILIES)
    model.integer("inputs", low=1)
    if model.integer("classes", low=1) != len(manifest.labels):
        raise refuse("model.classes", manifest.model["classes"], f"{len(manifest.labels)}, the number of labels")
    return manifest


def contract_diff(spec: StreamSpec, contract: Contract) -> str | None:
    """None when the stream fits the contract; else two lines, the stream's and the bundle's side of what differs."""
    rate_off = abs(spec.rate_hz - contract.rate_hz) > contract.rate_tolerance * contract.rate_hz
    # An unknown placement is not a contradiction; most recordings and all bare sensors do not know theirs.
    misplaced = bool(spec.placement and contract.placement and spec.placement != contract.placement)
    rows = []
    for name, differs in (
        ("kind", spec.kind != contract.kind),
        ("channels", spec.channels != contract.channels),
        ("units", spec.units != contract.units),
        ("rate_hz", rate_off),
        ("axes", spec.axes != contract.axes),
        ("placement", misplaced),
    ):
        if differs:
            ours, theirs = _shown(getattr(spec, name)), _shown(getattr(contract, name))
            if name == "rate_hz":
                theirs += f" (+-{100 * contract.rate_tolerance:g} %)"
            rows.append((f"{name}={ours}", f"{name}={theirs}"))
    if not rows:
        return None
    widths = [max(len(ours), len(theirs)) for ours, theirs in rows]
    sides = [
        "  ".join(side.ljust(w) for side, w in zip(column, widths, strict=True)) for column in zip(*rows, strict=True)
    ]
    return f"stream: {sides[0].rstrip()}\nbundle: {sides[1].rstrip()}"


def check_contract(spec: StreamSpec, contract: Contract) -> None:
    """Raise ContractError with the two-line diff unless the stream fits."""
    diff = contract_diff(spec, contract)
    if diff is not None:
        raise ContractError(
            f"the stream does not match the bundle's contract\n{diff}",
            reason=Reason.CONTRACT,
            hint="bring the source to the bundle's side of each field, or train on this stream: edgehar train",
        )


def _contract(f: Fields) -> Contract:
    contract = Contract(
        kind=f.text("kind"),
        channels=f.texts("channels"),
        units=f.texts("units"),
        rate_hz=f.number("rate_hz", low=0.0, above=True),
        axes=f.text("axes", empty=True),
        placement=f.text("placement", empty=True),
        rate_tolerance=f.number("rate_tolerance", low=0.0, high=MOST_TOLERANT),
        delay_samples=f.integer("delay_samples", low=0),
    )
    f.finish()
    if len(contract.units) != len(contract.channels):
        raise refuse("contract.units", list(contract.units), f"one unit for each of {len(contract.channels)} channels")
    return contract


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
            for j, part in enumerate(_list(fields.take("parts"), f"{here}.parts")):
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
    for i, group in enumerate(_list(value, path)):
        if not isinstance(group, list) or not all(isinstance(name, str) and name for name in group):
            raise refuse(f"{path}[{i}]", group, "a list of channel names")


def _check_numbers(value: Any, path: str) -> None:
    """A list of numbers, or of rows of equally many."""
    rows = _list(value, path)
    flat = [number for row in rows for number in (row if isinstance(row, list) else [row])]
    shapes = {len(row) if isinstance(row, list) else None for row in rows}
    if len(shapes) > 1 or not all(_is_number(number) for number in flat):
        raise refuse(path, value, "a list of numbers, or of rows of equally many")


def refuse(path: str, value: Any, allowed: str) -> InputError:
    """The one shape of message for a bad field of the manifest."""
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return InputError(
        f"manifest.json: {path} is {shown}, must be {allowed}",
        reason=Reason.VALUE,
        hint="write the bundle again (edgehar train), or fetch it again if it came from elsewhere",
    )


class Fields:
    """Reads one JSON object field by field, refusing what is missing, of the wrong type, out of range or unknown."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise refuse(path.rstrip(".") or "the document", value, "an object")
        self.mapping: Mapping[str, Any] = value
        self._path = path
        self._read: set[str] = set()

    def take(self, name: str) -> Any:
        self._read.add(name)
        if name not in self.mapping:
            raise refuse(self._path + name, None, "present")
        return self.mapping[name]

    def text(self, name: str, *, empty: bool = False) -> str:
        value = self.take(name)
        if not isinstance(value, str) or not (value or empty):
            raise refuse(self._path + name, value, "a text")
        return value

    def texts(self, name: str, *, least: int = 1) -> tuple[str, ...]:
        value = _list(self.take(name), self._path + name)
        if len(value) < least or not all(isinstance(v, str) and v for v in value):
            raise refuse(self._path + name, value, f"a list of at least {least} texts")
        return tuple(value)

    def choice(self, name: str, allowed: Iterable[str]) -> str:
        value = self.take(name)
        if value not in allowed:
            raise refuse(self._path + name, value, f"one of {', '.join(allowed)}")
        return str(value)

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise refuse(self._path + name, value, "true or false")
        return value

    def integer(self, name: str, *, low: int, high: int = 1 << 24) -> int:
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise refuse(self._path + name, value, f"a whole number from {low} to {high}")
        return value

    def number(self, name: str, *, low: float, high: float = LARGEST, above: bool = False) -> float:
        value = self.take(name)
        if not _is_number(value) or not low <= value <= high or (above and value == low):
            raise refuse(self._path + name, value, f"a number {'above' if above else 'from'} {low:g} to {high:g}")
        return float(value)

    def finish(self) -> None:
        """Refuse fields that nobody asked for: a typing error, or a newer edgehar's."""
        for name in sorted(set(self.mapping) - self._read):
            raise refuse(self._path + name, self.mapping[name], "absent (unknown field)")


def _is_number(value: Any) -> bool:
    """A finite JSON number that a float can hold; compared, not converted: an int may have any number of digits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise refuse(path, value, "a list")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        runs = value if len(value) <= 12 else (*value[:9], f"... {len(value)} in all")
        return f"({', '.join(runs)})"
    return f"{value:g}" if isinstance(value, float) else repr(value)
