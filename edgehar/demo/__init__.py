"""What `make demo` shows: a bundle trained on nine people meets the tenth."""

from __future__ import annotations

from pathlib import Path

BUNDLE = Path(__file__).with_name("demo.edgehar")
