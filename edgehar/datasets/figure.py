"""Figures that need no display, from matplotlib where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgehar.errors import InputError, MissingError, Reason, UsageError

FORMATS = (".png", ".svg", ".pdf")


def check_figure(path: Path | None) -> None:
    """Raises before a long measurement what would only be found when its figure is drawn."""
    if path is None:
        return
    new_figure(1, 1)
    if path.suffix.lower() not in FORMATS or not path.parent.is_dir():
        why = f"there is no directory {path.parent}" if path.suffix.lower() in FORMATS else "no such kind of figure"
        raise UsageError(
            f"{path} cannot be drawn: {why}",
            reason=Reason.VALUE,
            hint=f"give a path that ends in {', '.join(FORMATS)}, in a directory that exists",
        )


def new_figure(width: float, height: float) -> Any:
    """An empty figure of width x height inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingError(
            "plots need matplotlib", reason=Reason.NOT_INSTALLED, hint='pip install "edgehar[report]"'
        ) from None
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: Path) -> None:
    """Write the figure to `path`, whose suffix chooses PNG, SVG or PDF."""
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be written: {error}",
            reason=Reason.VALUE,
            hint="give a path that ends in .png, .svg or .pdf, in a directory that exists",
        ) from error
