"""Literal registries, resolved lazily: a name maps to "module:attribute", entry points of the group extend it."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from edgehar.errors import Reason, UsageError


def resolve(group: str, table: Mapping[str, str], name: str) -> Any:
    """Import and return what `name` stands for in `table`, or in the entry points of `edgehar.<group>`.

    Raises UsageError that suggests the nearest name. ImportError of an optional dependency passes through.
    """
    target = table.get(name)
    if target is None:
        from importlib.metadata import entry_points  # reads every installed package: only for names that are not ours

        found = {e.name: e.value for e in entry_points(group=f"edgehar.{group}")}
        target = found.get(name)
        if target is None:
            known = sorted({*table, *found})
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"no {group.rstrip('s')} is called '{name}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"did you mean '{near[0]}'?" if near else f"choose one of: {', '.join(known)}",
            )
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
