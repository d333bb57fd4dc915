"""Training state on disk: one safetensors file with a JSON header, replaced atomically, no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgehar.errors import InputError, Reason

VERSION = 1


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-able state so that a kill at any moment leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    header = json.dumps({"version": VERSION, **state})
    save_file({name: t.detach().contiguous().clone() for name, t in tensors.items()}, partial, {"state": header})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read what `save_checkpoint` wrote; None where there is none yet."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise InputError(
            f"checkpoint {path} cannot be read: {error}",
            reason=Reason.DAMAGED,
            hint=f"delete {path} to train this run from its start",
        ) from None
    if state.pop("version", None) != VERSION:
        raise InputError(
            f"checkpoint {path} was written by another version of edgehar",
            reason=Reason.VERSION,
            hint=f"delete {path} to train this run from its start",
        )
    return tensors, state


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's per-parameter state as `optimizer.<parameter number>.<name>` tensors."""
    packed: dict[str, Tensor] = {}
    for number, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if value is not None:
                packed[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
    return packed


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `pack_optimizer` took out."""
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in with_prefix(tensors, "optimizer."):
        number, _, name = key.partition(".")
        slots.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> Iterable[tuple[str, Tensor]]:
    """The tensors whose name starts with `prefix`, which is taken off."""
    return ((name.removeprefix(prefix), t) for name, t in tensors.items() if name.startswith(prefix))
