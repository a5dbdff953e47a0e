"""The page in a browser: what it shows, asks and refuses to be."""

from __future__ import annotations

from tests.integration.ui.conftest import Site
from tests.support.browser import Page
from tests.support.waiting import until


def shown(page: Page, expression: str) -> None:
    """Wait until an expression is true in the page."""
    until(lambda: page.run(f"!!({expression})"), 30, what=expression)


def test_it_asks_nobody_else_and_complains_of_nothing(site: Site, page: Page) -> None:
    page.answered.clear()
    page.errors.clear()
    for width in (390, 1024, 1600):
        page.look(width, 900, dark=width == 1024)
        for path in ("overview", "sql"):
            page.go("about:blank")
            page.go(f"{site.url}/{path}")
            shown(page, "document.querySelector('h1')")
            shown(page, "!document.querySelector('.wait')")
            assert page.run("document.documentElement.scrollWidth") <= width, (path, width)
    assert page.errors == []
    assert [url for url in page.answered if not url.startswith((site.url, "data:", "about:"))] == []
