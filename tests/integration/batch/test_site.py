"""Data Docs: a page that cannot be made is an error, a repetition makes it whole, and no event writes markup."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from firehose import schema
from firehose.errors import PagesNotWritten
from firehose.quality.rules import columns_of
from firehose.store import LocalLake
from tests.support.disks import small_file_system

if TYPE_CHECKING:
    from firehose.quality.suites import SuiteRunner

BATCH = "20261124T000000Z"
EVIL = [
    "<script>alert(1)</script>",
    "</td><img src=x onerror=alert(1)>",
    "{{ 7 * 191 }} {% raw %}",
    "$foo ${bar} $$ $",
    "%s {x} \x00\u202e\ud7ff\n\n",
    "'\"`&amp;",
    "long" * 1_000_000,
]


def likes(values: list[str]) -> pa.Table:
    """Rows whose every text is one of ``values``."""
    columns = columns_of(schema.LIKES)
    return pa.table({name: pa.array([1] * len(values) if name == "time_us" else values) for name in columns})


def checked(docs: Path, values: list[str]) -> SuiteRunner:
    from firehose.quality.suites import SuiteRunner  # takes seconds: not where tests are collected

    runner = SuiteRunner(BATCH, LocalLake(docs), 0.01)
    runner.check_rows(schema.LIKES, schema.LIKES, likes(values))
    return runner


def pages_of(docs: Path) -> list[Path]:
    return sorted(docs.glob("expectations/*.html")) + sorted(docs.glob("validations/**/*.html"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_file_system(tmp_path / "disk", 8) as folder:
        yield folder


@pytest.mark.parametrize("left", [0, 8 * 1024, 24 * 1024], ids=["nothing", "part of a page", "one page"])
def test_a_full_disk_is_an_error_and_a_repetition_is_whole(
    small_disk: Path, left: int, capfd: pytest.CaptureFixture[str]
) -> None:
    runner = checked(small_disk / "docs", ["x"])
    ballast = small_disk / "ballast"
    with ballast.open("wb") as stream:
        stat = os.statvfs(small_disk)
        os.posix_fallocate(stream.fileno(), 0, stat.f_bavail * stat.f_frsize - left)
    with pytest.raises(PagesNotWritten) as caught:
        runner.build_docs()
    said = str(caught.value)
    assert "\n" not in said
    for word in (BATCH, str(small_disk / "docs"), "No space left on device", "retry"):
        assert word in said
    assert "Traceback" not in "".join(capfd.readouterr())
    assert all(page.read_text().rstrip().endswith("</html>") for page in pages_of(small_disk)), "no half page"
    ballast.unlink()
    checked(small_disk / "docs", ["x"]).build_docs()
    assert_whole(small_disk / "docs")


@pytest.mark.parametrize("name", ["validations", "expectations"])
def test_a_file_where_a_folder_should_be_is_an_error(tmp_path: Path, name: str) -> None:
    wrong = tmp_path / name
    wrong.parent.mkdir(exist_ok=True)
    wrong.touch()
    with pytest.raises(PagesNotWritten, match=str(tmp_path)):
        checked(tmp_path, ["x"]).build_docs()
    wrong.unlink()
    checked(tmp_path, ["x"]).build_docs()
    assert_whole(tmp_path)


def test_a_page_that_cannot_be_drawn_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from firehose.quality import site

    def fails(*_: object, **__: object) -> str:
        raise KeyError("a mistake in a template")

    monkeypatch.setattr(site, "_drawn", {})
    monkeypatch.setattr(type(site._view()), "render", fails)
    with pytest.raises(KeyError, match="a mistake"):
        checked(tmp_path, ["x"]).build_docs()
    assert not pages_of(tmp_path)


def test_the_page_of_a_suite_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from firehose.quality import site

    monkeypatch.setattr(site, "_drawn", {})
    checked(tmp_path / "one", ["x"]).build_docs()
    (kept,) = site._drawn.values()
    checked(tmp_path / "two", ["y"]).build_docs()
    assert [*site._drawn.values()] == [kept]
    one, two = ([*(tmp_path / name / "expectations").iterdir()] for name in ("one", "two"))
    assert [path.read_bytes() for path in (*one, *two)] == [kept, kept]


def test_a_page_needs_no_script_and_no_other_host(tmp_path: Path) -> None:
    checked(tmp_path, EVIL).build_docs()
    for page in pages_of(tmp_path):
        text = page.read_text()
        assert not re.findall(r"<script|<[^>]*\son\w+=|(?:src|href)=.?(?:https?:)?//|url\(|@import", text), page
        assert "default-src 'none'" in text, "what a value might smuggle in is not loaded either"
        links = set(re.findall(r'href="([^"#]+)"', text))
        assert links and all((page.parent / link).resolve().is_relative_to(tmp_path) for link in links)
        anchors = set(re.findall(r'href="#([^"]+)"', text))
        assert anchors and all(re.search(rf'\bid="?{anchor}\b', text) for anchor in anchors)
    assert {path.name for path in tmp_path.iterdir()} <= {"expectations", "validations", ".lock"}, "nothing unused"


def test_what_anybody_sends_is_text_and_little_of_it(tmp_path: Path) -> None:
    checked(tmp_path, EVIL).build_docs()
    (page,) = tmp_path.glob("validations/**/*.html")
    text = page.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text, "the values are shown"
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert str(7 * 191) not in text
    assert len(text) < 300_000
    assert_whole(tmp_path)


def assert_whole(docs: Path) -> None:
    pages = pages_of(docs)
    assert len(pages) == 2, "one of the suite, one of its result"
    assert all(page.read_text().rstrip().endswith("</html>") for page in pages)
    assert not list(docs.rglob("*.part"))
