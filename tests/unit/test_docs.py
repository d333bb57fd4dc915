"""The documentation is about this code: the command page knows every option, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgehar.cli.app import COMMANDS, main

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")])


@pytest.mark.parametrize("command", COMMANDS)
def test_command_page_is_current(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", capsys.readouterr().out))
    section = (ROOT / "docs" / "cli.md").read_text().partition(f"\n## edgehar {command}\n")[2].partition("\n## ")[0]
    # Layout differs between Typer releases, options do not.
    assert set(re.findall(r"(?<![\w-])--[a-z-]+", section)) == options, "run: python benchmarks/cli_docs.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing
