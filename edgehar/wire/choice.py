"""Which layout and field a stream of mixed frames takes: one field, and the same subcarriers throughout."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from edgehar.errors import ContractError, InputError, Reason, UsageError
from edgehar.types import StreamSpec
from edgehar.wire.canonical import columns_of
from edgehar.wire.layouts import FIELDS, layout_named

AUTO = "auto"
PREFERRED = ("heltf", "htltf", "lltf")  # two-antenna transmissions twist LLTF from frame to frame, HT-LTF not


def choose_field(layouts: Mapping[str, int], wanted: str = AUTO) -> tuple[str, str]:
    """(layout, field) for frames of which `layouts` counts how many have which layout.

    auto: the commonest layout, and its HT-LTF where it has one. A field by name: the commonest layout that has it.
    An InputError where no frame has it.
    """
    if wanted != AUTO and wanted not in FIELDS:
        raise UsageError(
            f"there is no CSI field {wanted}",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose from: {', '.join((AUTO, *FIELDS))}",
        )
    having = {name: count for name, count in layouts.items() if wanted == AUTO or wanted in layout_named(name).fields}
    if not having:
        raise InputError(
            f"no frame has the field {wanted}; the layouts are {', '.join(layouts) or 'none'}",
            reason=Reason.VALUE,
            hint="choose another field, or field=auto",
        )
    layout = max(having, key=lambda name: having[name])
    fields = layout_named(layout).fields
    return layout, next(field for field in PREFERRED if field in fields) if wanted == AUTO else wanted


@cache
def fits(layout: str, field: str, spec: StreamSpec) -> bool:
    """Whether frames of `layout` have the field with every subcarrier of `spec`; others are counted, not guessed."""
    if field not in layout_named(layout).fields:
        return False
    try:
        columns_of(layout, field, spec.channels)
    except ContractError:
        return False
    return True
