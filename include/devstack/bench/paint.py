"""What a headless Chromium needs until it shows each view of the page for readers, and what it complains of.

Must not: know what a view shows.
"""

from __future__ import annotations

import statistics
import time
from typing import Final

from devstack.embedded import browser
from ingester.contract.logs import get_logger

log = get_logger(__name__)

WIDTHS: Final = (390, 1024, 1600)
_RUNS: Final = 3
_PATIENCE_S: Final = 120.0
_LOADED: Final = "!!document.querySelector('h1') && !document.querySelector('.wait, [aria-busy=true]')"
_PAINTED: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


def in_browser(url: str, paths: dict[str, str]) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Milliseconds by view and width, and what the browser complains of; nothing where there is no browser."""
    if browser.EXECUTABLE is None:
        log.warning("there is no chromium on PATH: paint_ms stays empty")
        return {}, []
    found: dict[str, dict[str, float]] = {}
    with browser.browser({}, url) as page:
        page.do("Network.setCacheDisabled", cacheDisabled=True)
        for width in WIDTHS:
            for view, path in paths.items():
                page.look(width, 900)
                runs = [_opened(page, f"{url}{path}") for _ in range(_RUNS)]
                medians = (statistics.median(each) for each in zip(*runs, strict=True))
                found[f"{view} {width}"] = {
                    name: round(ms, 1) for name, ms in zip(("first", "all"), medians, strict=True)
                }
        foreign = [f"asked {each}" for each in page.answered if not each.startswith((url, "data:", "about:"))]
        return found, [*page.errors, *foreign]


def _opened(page: browser.Page, url: str) -> tuple[float, float]:
    """Milliseconds until something is seen, and until nothing loads any more."""
    page.go("about:blank")
    page.go(url)
    end = time.monotonic() + _PATIENCE_S
    while not (page.run(_LOADED) and page.run(_PAINTED)) and time.monotonic() < end:
        time.sleep(0.01)
    return float(page.run(_PAINTED)), float(page.run("performance.now()"))
