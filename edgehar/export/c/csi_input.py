"""What a board needs to feed CSI frames into an exported model: which pairs of the buffer its channels are, and when.

firmware/infer includes this header beside the model's own. The arithmetic is that of `dsp.view` and `dsp.resample`.
"""

from __future__ import annotations

from pathlib import Path

from edgehar.boards.firmware_model import INPUT_FORMAT, INPUT_HEADER
from edgehar.bundle import Bundle
from edgehar.dsp.grid import Grid
from edgehar.dsp.resample import MAX_GAP_NS
from edgehar.dsp.view import AMP, BARE, FRAME_MEAN
from edgehar.errors import ContractError, Reason
from edgehar.wire.layouts import layout_named

_PREFIX = "sc"


def write_csi_input(bundle: Bundle, model_sha256: str, layout: str, field: str, out_dir: Path) -> Path:
    """Write eh_csi_input.h beside the exported model. Raises as `csi_input_header`."""
    path = out_dir / INPUT_HEADER
    path.write_text(csi_input_header(bundle, model_sha256, layout, field), encoding="utf-8")
    return path


def csi_input_header(bundle: Bundle, model_sha256: str, layout: str, field: str) -> str:
    """The header for frames of one layout and field; `model_sha256` (hex) is the bundle file's.

    Raises ContractError where the model does not take amplitudes of subcarriers that the field has, UsageError for a
    layout or field that does not exist.
    """
    contract, row = bundle.manifest.contract, layout_named(layout)
    order = row.field(field).order
    carriers = [_carrier(name) for name in contract.channels]
    strangers = [name for name, carrier in zip(contract.channels, carriers, strict=True) if carrier not in order]
    if contract.kind != "csi" or strangers or set(contract.units) not in ({BARE}, {FRAME_MEAN}):
        raise ContractError(
            f"the model takes {contract.kind} {', '.join(strangers[:3]) or ', '.join(set(contract.units))}, "
            f"which {field} of {layout} does not have",
            reason=Reason.CONTRACT,
            hint="choose the layout and field that the model was trained on, or train on amplitudes",
        )
    pairs = [row.field(field).first_pair + order.index(carrier) for carrier in carriers if carrier is not None]
    grid = Grid.at(contract.rate_hz)
    lines = [
        "/* Which values of a CSI buffer the model's channels are, and the rate that it wants them at. Generated. */",
        "#ifndef EH_CSI_INPUT_H",
        "#define EH_CSI_INPUT_H",
        "",
        "#include <stdint.h>",
        "",
        f"#define EH_INPUT_FORMAT {INPUT_FORMAT} /* of this header: firmware/infer takes no other */",
        f"#define EH_INPUT_MODEL 0x{int.from_bytes(bytes.fromhex(model_sha256[:8]), 'little'):08X}u",
        f"#define EH_INPUT_LAYOUT {row.id}u /* {layout}, {field} */",
        f"#define EH_INPUT_WIDE {int(row.bits > 8)} /* values of two bytes */",
        f"#define EH_INPUT_FRAME_MEAN {int(set(contract.units) == {FRAME_MEAN})}",
        f"/* {contract.rate_hz:g} Hz: grid point k lies k * WHOLE + (k * REST + NUMERATOR / 2) / NUMERATOR ns on. */",
        f"#define EH_INPUT_PERIOD_NS {grid.period_ns}",
        f"#define EH_INPUT_WHOLE_NS {grid.whole_ns}",
        f"#define EH_INPUT_REST {grid.rest}",
        f"#define EH_INPUT_NUMERATOR {grid.numerator}",
        f"#define EH_INPUT_MAX_GAP_NS {max(MAX_GAP_NS, grid.period_ns * 5 // 2)}",
        f"#define EH_INPUT_PAIRS {{{', '.join(map(str, pairs))}}}",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _carrier(channel: str) -> int | None:
    """The subcarrier of `sc-26.amp`; None for any other channel."""
    number = channel.removeprefix(_PREFIX).removesuffix(AMP)
    if channel != f"{_PREFIX}{number}{AMP}" or not number.removeprefix("-").removeprefix("+").isdigit():
        return None
    return int(number)
