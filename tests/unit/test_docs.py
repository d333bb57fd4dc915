"""The documentation is about this code: the command page knows every option, links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from edgehar.cli.app import COMMANDS, main
from edgehar.datasets import FORMATS
from edgehar.datasets.splits import PROTOCOLS
from edgehar.demo import BUNDLE
from edgehar.dsp.graph import OPERATIONS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")])


@pytest.mark.parametrize("command", COMMANDS)
def test_command_page_is_current(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", capsys.readouterr().out))
    section = (ROOT / "docs" / "cli.md").read_text().partition(f"\n## edgehar {command}\n")[2].partition("\n## ")[0]
    # Layout differs between Typer releases, options do not.
    assert set(re.findall(r"(?<![\w-])--[a-z-]+", section)) == options, "run: python benchmarks/cli_docs.py"


def test_the_pipeline_pages_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("watch.edgehar").write_bytes(BUNDLE.read_bytes())
    main(["record", "--source", "virtual:imu?duration_s=20", "--speed", "0", "--out", "session.mcap"])
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "pipeline.md").read_text(), re.DOTALL)
    assert code is not None
    exec(code[1], {})
    assert len(capsys.readouterr().out.splitlines()) > 5


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def anchors(page: Path) -> set[str]:
    """What a link may name after '#': headings as the usual renderers spell them, and ids given by hand."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    spelled = {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
    return spelled | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_to_a_heading_find_it(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)]+)\)", page.read_text())
    missing = [f"{to}#{at}" for to, at in links if at not in anchors(page.parent / to if to else page)]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(
        r"\b(?:edgehar|benchmarks|tests|deploy|docs)/[\w./-]*\.(?:py|sh|md|toml|json)\b", page.read_text()
    )
    # Words in capitals stand for a name to choose.
    missing = [path for path in named if not re.search(r"\b[A-Z]{2,}\b", path) and not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize(
    ("page", "names"),
    [("pipeline.md", OPERATIONS), ("formats.md", FORMATS), ("formats.md", PROTOCOLS), ("training.md", PROTOCOLS)],
)
def test_every_name_is_documented(page: str, names: Iterable[str]) -> None:
    text = (ROOT / "docs" / page).read_text()
    assert not [name for name in names if not re.search(rf"[`\"]{name}[`\"]", text)]
