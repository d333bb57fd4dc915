"""Compression steps, and the one function that applies them: `compress`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from edgehar.bundle import Bundle
from edgehar.compress.blocks import SINGLE, Block
from edgehar.compress.data import Data
from edgehar.compress.finetune import fine_tune, recipe_for, trainable
from edgehar.compress.iht import TRIM_EVERY, HardThresholding
from edgehar.compress.measure import figures, test_table
from edgehar.compress.prune import METHODS
from edgehar.compress.rank import factorise_ranks, prune_ranks
from edgehar.compress.sparsity import SCHEDULES, Gradual, OneShot, Pruning, density
from edgehar.contract import of_head
from edgehar.datasets.dataset import Dataset
from edgehar.errors import Reason, UsageError
from edgehar.evaluate.calibrate import fit_temperature
from edgehar.models import restore_model
from edgehar.models.base import Model
from edgehar.runtimes.digests import with_digests
from edgehar.train.constraint import Constraint
from edgehar.train.supervised import predict
from edgehar.types import FloatArray

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Context:
    """What a step works on. `epochs`: of every fine-tuning, None for the family's own number, 0 for none."""

    bundle: Bundle
    data: Data
    seed: int = 0
    epochs: int | None = None
    tick: Callable[[], None] = field(default=lambda: None)

    def restore(self) -> Model:
        """The bundle's network, ready to train."""
        if self.bundle.manifest.quant is not None:
            raise UsageError(
                f"{self.bundle.manifest.model_id} is quantised: its ranges would not fit other weights",
                reason=Reason.VALUE,
                hint="compress the bundle that it was made from, and quantise last",
            )
        return trainable(self.bundle, self.data)

    def fine_tune(self, model: Model, *, density_left: float = 1.0, constraint: Constraint | None = None) -> Model:
        """Train on; without a constraint every zero stays zero."""
        if self.epochs == 0:
            return model
        recipe = recipe_for(self.bundle, density_left, self.epochs)
        return fine_tune(
            model, self.data, recipe, seed=self.seed, constraint=constraint, progress=lambda _: self.tick()
        )

    def with_model(self, model: Model) -> Bundle:
        """The bundle with this network's weights."""
        table, tensors = model.eval().export()
        return self.with_weights(table, tensors)

    def with_weights(self, table: Mapping[str, Any], tensors: Mapping[str, FloatArray]) -> Bundle:
        """The bundle with these tensors: golden logits and temperature anew, everything else as it was."""
        manifest = replace(self.bundle.manifest, model=table)
        model = restore_model(manifest, tensors)
        if self.data.validation is not None:
            logits = predict(model, self.data.normaliser(self.data.validation.x))
            temperature = fit_temperature(of_head(logits, len(self.data.test.labels)), self.data.validation.y)
            manifest = replace(manifest, decision=replace(manifest.decision, temperature=temperature))
        x = self.bundle.golden["x"]
        golden = {"x": x, "logits": predict(model, x)}
        made = replace(self.bundle, manifest=manifest, weights=dict(tensors), golden=golden, signature=None, sha256="")
        return with_digests(made)


class Step(Protocol):
    """One compression step: a frozen dataclass whose fields are what the bundle's provenance records."""

    name: ClassVar[str]

    def apply(self, context: Context) -> Bundle:
        """The smaller bundle. Raises UsageError where the model does not take this step."""
        ...


@dataclass(frozen=True, slots=True)
class Prune:
    """Set a fraction of the weights to zero and fine-tune what is left.

    method: global, uniform, random. schedule: one-shot, or gradual along a cubic. min_threshold: percent of all
    prunable weights that every tensor keeps (global only). block: what is pruned as one.
    """

    name: ClassVar[str] = "prune"
    sparsity: float
    method: str = "global"
    schedule: str = "one-shot"
    min_threshold: float = 0.0
    block: Block = SINGLE

    def __post_init__(self) -> None:
        for what, value, known in (("method", self.method, METHODS), ("schedule", self.schedule, SCHEDULES)):
            if value not in known:
                raise UsageError(
                    f"no pruning {what} is called '{value}'",
                    reason=Reason.UNKNOWN_NAME,
                    hint=f"choose one of: {', '.join(known)}",
                )
        if not 0 < self.sparsity < 1:
            raise UsageError(
                f"sparsity {self.sparsity}", reason=Reason.VALUE, hint="give the fraction to prune, such as 0.9"
            )
        if not 0 <= self.min_threshold < 100:
            raise UsageError(
                f"a minimum threshold of {self.min_threshold} %",
                reason=Reason.VALUE,
                hint="give a percentage of all weights, such as 0.2",
            )
        if self.min_threshold and self.method != "global":
            raise UsageError(
                f"a minimum threshold with {self.method} pruning: no layer can collapse there",
                reason=Reason.VALUE,
                hint="leave the minimum threshold out, or prune globally",
            )

    def apply(self, context: Context) -> Bundle:
        model = context.restore()
        zero = 1 - density(model)
        if self.block == SINGLE and zero > self.sparsity:
            raise UsageError(
                f"{100 * zero:.1f} % of the weights of {context.bundle.manifest.model_id} are zero already",
                reason=Reason.VALUE,
                hint=f"prune more than {zero:.3f}, or start from the bundle that it was made from",
            )
        pruning = Pruning(self.sparsity, self.method, self.min_threshold, self.block, context.seed)
        if self.schedule == "gradual":
            _needs_training("a gradual schedule", context)
            constraint: Constraint = Gradual(pruning, start=zero)
        else:
            once = OneShot(pruning.choose(model, self.sparsity))
            once.impose(model)
            constraint = once
        return context.with_model(context.fine_tune(model, density_left=1 - self.sparsity, constraint=constraint))


@dataclass(frozen=True, slots=True)
class RankPrune:
    """Drop the columns of FastGRNN's factors that add least, then fine-tune. None leaves a matrix alone."""

    name: ClassVar[str] = "rank-prune"
    rank_w: int | None = None
    rank_u: int | None = None

    def apply(self, context: Context) -> Bundle:
        return _change_ranks(context, prune_ranks, self.rank_w, self.rank_u)


@dataclass(frozen=True, slots=True)
class LowRank:
    """Factorise FastGRNN's matrices by truncated singular values, then fine-tune. None leaves a matrix alone."""

    name: ClassVar[str] = "low-rank"
    rank_w: int | None = None
    rank_u: int | None = None

    def apply(self, context: Context) -> Bundle:
        return _change_ranks(context, factorise_ranks, self.rank_w, self.rank_u)


@dataclass(frozen=True, slots=True)
class IHT:
    """FastGRNN's iterative hard thresholding: keep_w and keep_u are the fractions that W and U (or factors) keep."""

    name: ClassVar[str] = "iht"
    keep_w: float = 0.2
    keep_u: float = 0.3
    trim_every: int = TRIM_EVERY

    def __post_init__(self) -> None:
        if not (0 < self.keep_w <= 1 and 0 < self.keep_u <= 1 and self.trim_every >= 1):
            raise UsageError(
                f"hard thresholding to {self.keep_w}, {self.keep_u} every {self.trim_every} minibatches",
                reason=Reason.VALUE,
                hint="give fractions above 0 and at most 1, such as 0.2 and 0.3",
            )

    def apply(self, context: Context) -> Bundle:
        model = context.restore()
        if model.family != "fastgrnn":
            raise UsageError(
                f"iterative hard thresholding is FastGRNN's own; this is a {model.family}",
                reason=Reason.VALUE,
                hint="prune it instead: --prune 0.8",
            )
        _needs_training("iterative hard thresholding", context)
        fractions = {"W": self.keep_w, "U": self.keep_u}
        keep = {name: fractions[name[0]] for name in model.matrices() if name[0] in fractions}
        kept = float(np.mean(list(fractions.values())))
        constraint = HardThresholding(keep, self.trim_every)
        return context.with_model(context.fine_tune(model, density_left=kept, constraint=constraint))


def _needs_training(what: str, context: Context) -> None:
    if context.epochs == 0:
        raise UsageError(
            f"{what} works during fine-tuning, and there are 0 epochs of it",
            reason=Reason.VALUE,
            hint="give --epochs 5",
        )


def _change_ranks(context: Context, change: Callable[..., Any], rank_w: int | None, rank_u: int | None) -> Bundle:
    ranks = {name: rank for name, rank in (("W", rank_w), ("U", rank_u)) if rank is not None}
    if not ranks:
        raise UsageError("no rank to change to", reason=Reason.VALUE, hint="give rank_w, rank_u or both")
    table, tensors = change(context.bundle.manifest.model, context.bundle.weights, ranks)
    smaller = replace(context, bundle=context.with_weights(table, tensors))
    return smaller.with_model(smaller.fine_tune(smaller.restore()))


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step: its parameters, and `edgehar.compress.measure.figures` before and after it."""

    step: str
    parameters: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """What the bundle's provenance records."""
        return asdict(self)


def compress(
    bundle: Bundle,
    dataset: Dataset | Data,
    steps: Sequence[Step],
    *,
    seed: int = 0,
    epochs: int | None = None,
    progress: Progress | None = None,
) -> tuple[Bundle, list[StepReport]]:
    """Apply the steps one after the other; returns the smallest bundle and a report of each step.

    Every step fine-tunes on the people whom the bundle was trained on and is measured on its test people, who decide
    nothing. The bundle's preprocessing stays as it is. `progress(done, total)` counts epochs.
    """
    data = dataset if isinstance(dataset, Data) else Data.of(bundle, dataset)
    total = len(steps) * recipe_for(bundle, 1.0, epochs).epochs if epochs != 0 else 0
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    before, reports = figures(bundle, data), []
    for step in steps:
        smaller = step.apply(Context(bundle, data, seed, epochs, tick))
        after = figures(smaller, data)
        reports.append(StepReport(step.name, _parameters(step, seed, epochs), before, after))
        bundle, before = recorded(smaller, data, reports[-1]), after
    return bundle, reports


def recorded(bundle: Bundle, data: Data, report: StepReport) -> Bundle:
    """The bundle with a step in its provenance, its name and its evaluation."""
    manifest = bundle.manifest
    history = [*manifest.provenance.get("compression", []), report.to_dict()]
    return replace(
        bundle,
        manifest=replace(
            manifest,
            model_id=f"{manifest.model_id}+{report.step}",
            provenance={**manifest.provenance, "compression": history},
            stamps=data.stamps,
        ),
        evaluation={"test": test_table(bundle, data), "measured_by": "compress, on the windows of the test subjects"},
    )


def _parameters(step: Any, seed: int, epochs: int | None) -> dict[str, Any]:
    """A step's fields in plain types, with what else decides its outcome."""
    values = {f.name: getattr(step, f.name) for f in fields(step)}
    plain = {name: str(value) if isinstance(value, Block) else value for name, value in values.items()}
    return {**plain, "seed": seed, "epochs": epochs}
