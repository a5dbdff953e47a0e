"""The quality pages as they are served: nothing of them runs, and no name leads out of their folder."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from firehose.settings import Settings
from firehose_page.documents import LARGEST
from tests.integration.page.conftest import Open

PAGE = b"<html><head><script>fetch('/api/v2/connections')</script></head><body>texts</body></html>"
#: Names that a path of a web address may hold, each of which would lead to another file if it were followed.
OUTSIDE = [
    "../secret.html", "docs/../../secret.html", "..%2fsecret.html", "%2e%2e/secret.html", "..\\secret.html",
    "/etc/passwd.html", "//etc/passwd.html", "docs//../../secret.html", "./../secret.html", "docs/%00/../x.html",
    "x.html%00.png", "....//secret.html", "%252e%252e/secret.html", "~/secret.html",
]  # fmt: skip


@pytest.fixture
def folder(settings: Settings) -> Path:
    quality = Path(settings.lake) / "_quality"
    (quality / "docs").mkdir(parents=True)
    (quality / "docs" / "a.html").write_bytes(PAGE)
    (quality / "secret.txt").write_text("not of the pages")
    (quality.parent / "secret.html").write_text("secret of the lake")
    return quality


def test_nothing_of_a_page_runs(settings: Settings, folder: Path, opened: Open) -> None:
    answer = opened(settings).get("/firehose/quality/docs/a.html")
    assert answer.status_code == 200 and "texts" in answer.text
    policy = {part.split()[0]: part.split()[1:] for part in answer.headers["content-security-policy"].split("; ")}
    assert "allow-scripts" not in policy["sandbox"] and "allow-forms" not in policy["sandbox"]
    assert policy["default-src"] == ["'none'"] and "script-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_leads_out(settings: Settings, folder: Path, opened: Open, name: str) -> None:
    client = opened(settings)
    for asked in (name, quote(name, safe=""), f"docs/{quote(name, safe='/')}"):
        answer = client.get(f"/firehose/quality/{asked}")
        assert answer.status_code == 404, asked
        assert "secret of the lake" not in answer.text and "root:" not in answer.text


def test_only_what_pages_are_made_of_is_served(settings: Settings, folder: Path, opened: Open) -> None:
    client = opened(settings)
    (folder / "large.html").write_bytes(b"x" * (LARGEST + 1))
    for name in ("secret.txt", "docs", "docs/", "large.html", "docs/.lock", "missing.html"):
        assert client.get(f"/firehose/quality/{name}").status_code == 404, name
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/firehose/quality/docs/a.html").status_code == 405
    there = client.get("/firehose/quality/", follow_redirects=False)
    assert (there.status_code, there.headers["location"]) == (307, "/firehose/quality/index.html")
