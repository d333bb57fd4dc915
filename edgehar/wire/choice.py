"""Which layout and field a stream of mixed frames takes: one field, and the same subcarriers throughout."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from edgehar.errors import InputError, Reason, UsageError
from edgehar.types import StreamSpec
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
    """Whether `field` of `layout` has the subcarriers of `spec` and no others; other frames are counted, not guessed.

    Subcarrier 1 may be told beside them: an invalid first word took it from the spec. A 40 MHz frame has the numbers
    of a 20 MHz one among its own, but they are other frequencies.
    """
    found = layout_named(layout).fields.get(field)
    if found is None:
        return False
    wanted = {int(channel.removeprefix("sc").partition(".")[0]) for channel in spec.channels}
    return wanted <= set(found.valid) <= wanted | {1}
