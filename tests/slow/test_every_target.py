"""Every family and scheme on every target but the emulated boards: nothing fails, and integers agree to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgehar.bundle import Bundle
from edgehar.runtimes.digests import with_digests
from edgehar.verify.choose import choose_targets
from edgehar.verify.report import report_lines
from edgehar.verify.rules import Rule
from edgehar.verify.run import Status, verify
from tests.factories import random_bundle
from tests.quantised import quantised

# No width divides these sizes.
SIZES = {"fastgrnn": 37, "gru": 13, "cnn": 11, "dscnn": 11, "l2mu": 13}


def clear(bundle: Bundle) -> Bundle:
    """With the 200 golden windows whose two best logits lie farthest apart: random weights leave ties to rounding."""
    best = np.sort(bundle.golden["logits"], axis=1)
    kept = np.sort(np.argsort(best[:, -2] - best[:, -1])[:200])
    return replace(bundle, golden={name: array[kept] for name, array in bundle.golden.items()})


@pytest.mark.parametrize("scheme", ["float32", "int8", "int8x16"])
@pytest.mark.parametrize("family", SIZES)
def test_no_target_differs(family: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEHAR_ARM64_ROOT", raising=False)
    bundle = clear(random_bundle(family, hidden=SIZES[family], window=32, hop=8, golden_windows=400))
    if scheme != "float32":
        bundle = quantised(bundle, scheme)
    report = verify(with_digests(bundle), "random.edgehar", choose_targets(""))
    text = "\n".join(report_lines(report))
    assert report.exit_code() in (0, 4), text
    assert report.windows == 200
    for result in report.results:
        if result.verdict is not None and result.verdict.rule is Rule.BITWISE:
            assert result.verdict.max_error == 0, text
        if result.target.startswith(("c:cortex-m", "c:rv32")) and result.status is Status.PASS:
            assert result.footprint.instructions_per_step > 0, text
            assert result.footprint.stack_bytes > 0, text
    # ONNX has no integers throughout for what has states, or for 16-bit columns; everything else must be there.
    unsupported = {result.target for result in report.results if result.status is Status.UNSUPPORTED}
    assert unsupported <= ({"onnxruntime"} if scheme != "float32" else set()), text
    skipped = {result.target: result.detail[0] for result in report.results if result.status is Status.SKIPPED}
    if skipped:
        pytest.skip("; ".join(f"{target}: {install}" for target, install in skipped.items()))
