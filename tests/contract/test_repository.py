"""What surrounds the code and must agree with it: the version, the documentation's index, the hooks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = sorted(
    path.relative_to(_ROOT)
    for glob in ("*.md", "docs/**/*.md", "include/*/README.md", "tests/*/README.md")
    for path in _ROOT.glob(glob)
)
#: In a page of today; a decision and the changelog speak of the tree of their own time.
_NAMED = re.compile(r"`((?:dags|plugins|ingester|include|scripts|tests)/[\w./-]+)`")
_PAGES_OF_TODAY = [page for page in _PAGES if "decisions" not in page.parts and page.name != "CHANGELOG.md"]
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    assert yaml.safe_load((_ROOT / "CITATION.cff").read_text())["version"] == project["version"]


def test_every_page_of_the_docs_is_in_their_index() -> None:
    index = (_ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (_ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


@pytest.mark.parametrize("page", _PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    links = _LINK.findall((_ROOT / page).read_text())
    assert [link for link in links if not (_ROOT / page.parent / link).exists()] == []


@pytest.mark.parametrize("page", _PAGES_OF_TODAY, ids=str)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = _NAMED.findall((_ROOT / page).read_text())
    assert [name for name in named if not (_ROOT / name).exists()] == []


def test_hooks_run_what_the_environment_has() -> None:
    hooks = yaml.safe_load((_ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    missing = [hook["entry"] for hook in hooks if not (_ROOT / hook["entry"].split()[0]).is_file()]
    assert missing == []
