"""How a model is trained: every number of the training loop in one frozen table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from edgehar.errors import InputError, Reason

OPTIMIZERS = ("adamw", "adam", "nadam", "sgd")
SCHEDULES = ("onecycle", "cosine", "step", "constant")
EXACT: dict[str, type] = {"bool": bool, "int": int, "str": str}
SELECTIONS = ("none", "best-validation")
SPREADS = ("channel", "motion")
CHOICES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "select": SELECTIONS, "spread": SPREADS}


@dataclass(frozen=True, slots=True)
class Augment:
    """Random changes to each training window, in physical units; 0 switches one off.

    rotation_rad: SD of the angle about a random axis, one turn per window and body-worn unit.
    scale: SD of a gain per window and unit. jitter: SD of white noise, in channel standard deviations.
    time_warp: SD of the log of a smoothly varying speed; the window keeps its ends.
    loudness: SD of the log of a gain per window, the same for all channels. noise: white noise whose SD is drawn for
    each window from 0 to this many channel standard deviations. fading: the chance that the changes of a window are
    spread over its channels anew, by a random smooth curve: another room.
    """

    rotation_rad: float = 0.0
    scale: float = 0.0
    jitter: float = 0.0
    time_warp: float = 0.0
    loudness: float = 0.0
    noise: float = 0.0
    fading: float = 0.0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


@dataclass(frozen=True, slots=True)
class Recipe:
    """The training loop's numbers.

    lr is the schedule's peak. `onecycle` climbs over `warmup` of all steps and anneals to zero; `cosine` warms up
    likewise from 0; `step` multiplies by `step_factor` at each fraction of the epochs in `step_at`.
    sgd uses Nesterov momentum. clip_norm and ema are off at 0; ema is the decay of the averaged weights, which are
    the ones evaluated and kept. `best-validation` keeps the epoch with the best accuracy on held-out training
    subjects and stops after `patience` epochs without a better one (0: never). `train_on_validation` gives the
    split's validation subjects to training; then nothing can be selected or calibrated on them.
    With `magnitudes` the Euclidean norm of every x, y, z triad is appended to the channels, before normalisation.
    `compand` is the gain of a logarithmic curve on the normalised `compand_channels` (none named: all); 0 is off.
    `spread` is what a channel is divided by: its own deviation, or for `motion` the deviation of all channels within
    windows, so that channels keep their proportions.
    The absolute values of `rectify_channels` are appended to what the network sees.
    """

    epochs: int = 40
    batch: int = 64
    lr: float = 1e-3
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    momentum: float = 0.9
    schedule: str = "onecycle"
    warmup: float = 0.3
    step_at: tuple[float, ...] = (0.67,)
    step_factor: float = 0.1
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    ema: float = 0.0
    select: str = "none"
    patience: int = 0
    train_on_validation: bool = False
    compand: float = 0.0
    compand_channels: tuple[str, ...] = ()
    rectify_channels: tuple[str, ...] = ()
    magnitudes: bool = False
    spread: str = "channel"
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise _wrong(name, getattr(self, name), f"one of: {', '.join(allowed)}")
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise _wrong(name, getattr(self, name), "1 or more")
        if self.train_on_validation and self.select == "best-validation":
            raise _wrong("train_on_validation", value=True, allowed='false, or set select = "none"')
        if not self.lr > 0:
            raise _wrong("lr", self.lr, "above 0")
        for name in ("momentum", "warmup", "label_smoothing", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise _wrong(name, getattr(self, name), "at least 0 and below 1")
        for name in ("weight_decay", "clip_norm", "patience", "compand"):
            if getattr(self, name) < 0:
                raise _wrong(name, getattr(self, name), "0 or more")
        if any(not 0 < at < 1 for at in self.step_at):
            raise _wrong("step_at", self.step_at, "fractions of the epochs between 0 and 1")
        for name, value in asdict(self.augment).items():
            if value < 0:
                raise _wrong(f"augment.{name}", value, "0 or more")

    def to_dict(self) -> dict[str, Any]:
        """A table that `Recipe.from_dict` reads back, ready for JSON or TOML."""
        lists = {name: list(getattr(self, name)) for name in ("step_at", "compand_channels", "rectify_channels")}
        return {**asdict(self), **lists}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
        """Read a recipe table; an unknown key or a value of the wrong type names `where` and the key."""
        values = _read(cls, {k: v for k, v in table.items() if k != "augment"}, where)
        if "augment" in table:
            if not isinstance(table["augment"], Mapping):
                raise _wrong(f"{where}: augment", table["augment"], f"a table of {', '.join(asdict(Augment()))}")
            values["augment"] = Augment(**_read(Augment, table["augment"], f"{where}: augment"))
        try:
            return cls(**values)
        except InputError as error:
            raise InputError(f"{where}: {error}", reason=error.reason, hint=error.hint) from None


def _read(kind: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The table's values in the types of the dataclass `kind`."""
    known = {f.name: str(f.type) for f in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        wanted = known.get(key)
        if wanted is None:
            raise InputError(
                f"{where}: there is no setting '{key}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"the settings are: {', '.join(known)}",
            )
        # bool is an int to Python; to a recipe it is not.
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if wanted == "float" and is_number:
            values[key] = float(value)
        elif wanted in EXACT and type(value) is EXACT[wanted]:
            values[key] = value
        elif wanted.startswith("tuple") and isinstance(value, (list, tuple)):
            kinds: tuple[type, ...] = (str,) if wanted.startswith("tuple[str") else (int, float)
            if not all(isinstance(v, kinds) for v in value):
                raise _wrong(f"{where}: {key}", value, f"a list of type {wanted}")
            values[key] = tuple(value if kinds == (str,) else (float(v) for v in value))
        else:
            raise _wrong(f"{where}: {key}", value, f"a value of type {wanted}")
    return values


def _wrong(name: str, value: object, allowed: str) -> InputError:
    return InputError(f"{name} is {value!r}", reason=Reason.VALUE, hint=f"give {allowed}")
