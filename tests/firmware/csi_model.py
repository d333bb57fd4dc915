"""A small random model of CSI amplitudes, as a bundle and as the C module that a board runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgehar.bundle import Bundle
from edgehar.export.c.csi_input import write_csi_input
from edgehar.export.c.emit import CExport, emit_c
from tests.factories import random_bundle
from tests.wire_frames import HT40

CARRIERS = (-58, -30, -2, 2, 31, 58)
SHA256 = "0a0b0c0d" + "0" * 56
WINDOW, HOP, RATE_HZ = 32, 8, 100.0


def csi_bundle(units: str = "frame_mean", family: str = "fastgrnn") -> Bundle:
    """Amplitudes of six subcarriers of HT-LTF; a window lasts 0.32 s."""
    bundle = random_bundle(family, window=WINDOW, hop=HOP, channels=len(CARRIERS), rate_hz=RATE_HZ)
    names = tuple(f"sc{carrier:+d}.amp" for carrier in CARRIERS)
    contract = replace(bundle.manifest.contract, kind="csi", channels=names, units=(units,) * len(names), axes="")
    return replace(bundle, manifest=replace(bundle.manifest, contract=contract))


def emitted(bundle: Bundle, directory: Path) -> CExport:
    """The C module, as `edgehar export --target c --csi-layout` writes it."""
    export = emit_c(bundle, directory)
    write_csi_input(bundle, SHA256, HT40, "htltf", export.directory)
    return export
