"""The page in a browser: what it shows, asks, and never becomes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest

from devstack.embedded.browser import Page
from devstack.embedded.redis import free_port
from devstack.embedded.ui import served
from tests.integration.ui.conftest import GAP, HOSTILE, START, UNKNOWN, Site
from tests.integration.ui.strangers import EDITED, GONE, HANDLE
from tests.support.waiting import until

AXE = Path(__file__).resolve().parents[3] / "include/firehose_ui/web/node_modules/axe-core/axe.min.js"
VIEWS = ("overview", "search", "post", "account", "collections", "sql")
BUSIEST = "document.querySelector('[data-card=busiest]')"
NOTHING = "\u2013"  # where nothing is known
SINCE, UNTIL = int(START.timestamp()), int(START.timestamp()) + 12_600


@pytest.fixture
def tab(page: Page) -> Iterator[Page]:
    """The browser's tab, empty, and without complaints afterwards."""
    page.look(1024, 900)
    page.go("about:blank")
    page.errors.clear()
    yield page
    assert page.errors == []


def shown(page: Page, expression: str) -> Any:
    """Wait until an expression is something in the page; what it is."""
    return until(lambda: page.run(expression), 60, what=expression)


def opened(page: Page, url: str) -> None:
    """Open a view, and wait until nothing in it loads."""
    page.go("about:blank")
    page.go(url)
    shown(page, "!!document.querySelector('h1') && !document.querySelector('.wait, [aria-busy=true]')")


def state(page: Page) -> dict[str, str]:
    """The state in the address."""
    found = parse_qs(urlsplit(page.run("location.href")).fragment)
    return {name: values[0] for name, values in found.items()}


def card(name: str, then: str) -> str:
    return f"document.querySelector('[data-card={name}]').querySelector({json.dumps(then)})"


def test_it_asks_nobody_else_and_fits(site: Site, tab: Page) -> None:
    tab.answered.clear()
    for width in (390, 1024, 1600):
        tab.look(width, 900, dark=width == 1024)
        for view in VIEWS:
            opened(tab, f"{site.url}/{view}")
            assert tab.run("document.documentElement.scrollWidth") <= width, (view, width)
    assert [url for url in tab.answered if not url.startswith((site.url, "data:", "about:"))] == []


def test_text_of_strangers_is_never_markup(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/overview")
    assert HOSTILE in shown(tab, card("posts", ".text") + ".textContent")
    assert "#uri=at%3A%2F%2Fdid" in tab.run(card("posts", "a[href^='/post']") + ".getAttribute('href')")
    # Accounts that were taken down are hidden in the list of the busiest, until they are wanted.
    gone = GONE.rpartition(":")[2]  # addresses in links are escaped
    assert gone not in tab.run(f"{BUSIEST}.innerHTML")
    assert "Hidden: the account is taken down." in tab.run(f"{BUSIEST}.textContent")
    tab.run(f"{BUSIEST}.querySelector('input').click()")
    shown(tab, f"{BUSIEST}.innerHTML.includes({json.dumps(gone)})")
    tab.run("[...document.querySelectorAll('[data-card=hashtags] button')].at(1).click()")
    shown(tab, "document.body.textContent.includes('#<img src=x')")
    longest = "SELECT text, 1 AS one FROM firehose.post_texts WHERE text LIKE '%onerror%'"
    opened(tab, f"{site.url}/sql#{fragment(q=longest)}")
    run(tab)
    assert HOSTILE in shown(tab, "document.querySelector('.result td')?.textContent")
    # Names of columns are the reader's own, or those of whoever sent the link.
    opened(tab, f"{site.url}/sql#{fragment(q=f'SELECT 1 AS `{HOSTILE}`')}")
    run(tab)
    assert shown(tab, "document.querySelector('.result th')?.textContent") == HOSTILE
    assert tab.run("document.querySelectorAll('main img, main script').length") == 0
    assert tab.run("document.title") != "hostile"


def fragment(**values: str) -> str:
    return urlencode(values)


def run(page: Page) -> None:
    page.run("document.querySelector('button.main').click()")


def test_a_gap_is_shaded_and_never_a_dip(site: Site, tab: Page) -> None:
    opened(
        tab, f"{site.url}/overview#{fragment(since=str(SINCE), until=str(UNTIL), step='5 minutes', zone='UTC')}"
    )
    tab.run(card("activity", "summary") + ".click()")
    rows = shown(
        tab, f"[...{card('activity', '.values')}.rows].slice(1).map(row => [...row.cells].map(c => c.textContent))"
    )
    likes = {row[0][-5:]: (row[2], row[-1]) for row in rows}
    for low, high in (GAP, UNKNOWN):
        inside = [at for at in likes if f"{low:%H:%M}" <= at < f"{high:%H:%M}"]
        assert inside and all(likes[at] == (NOTHING, "0%") for at in inside)
    assert sum(share == "100%" for _, share in likes.values()) == len(likes) - 5
    assert shown(tab, card("activity", ".coverage") + ".textContent").startswith("88.1% of this span")
    # Of accounts, which are of whole hours, the same share of the same span is said.
    assert shown(tab, card("accounts", ".coverage") + ".textContent").startswith("88.1% of this span")
    # In longer steps the covered part is scaled: no hour looks as if less had happened than its own rate says.
    tab.run(f"location.hash = '{fragment(since=str(SINCE), until=str(UNTIL), step='hour', zone='UTC')}'")
    table = card("activity", ".values")
    shown(tab, f"{table}.rows.length == 5 && {table}.rows[2].cells[7].textContent == '75.0%'")
    found = shown(tab, f"{table}.rows[2].cells[2].textContent")
    raw = sum(_likes(event) and SINCE + 3600 <= event["time_us"] / 1e6 < SINCE + 7200 for event in site.events)
    assert int(found.replace(",", "")) == round(raw / 0.75)
    # The canvas has the gap's colour where the gap is, and not beside it.
    middle = (GAP[0].timestamp() + GAP[1].timestamp()) / 2
    assert tab.run(_pixel("activity", middle)) != tab.run(_pixel("activity", SINCE + 600))


def _likes(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "commit" and event["commit"]["collection"] == "app.bsky.feed.like")


def _pixel(name: str, at: float) -> str:
    """The colour near the top of a chart at a moment."""
    return f"""(() => {{
        const over = {card(name, ".u-over")}.getBoundingClientRect(), canvas = {card(name, "canvas")};
        const all = canvas.getBoundingClientRect(), scale = canvas.width / all.width;
        const x = over.left - all.left + over.width * ({at} - {SINCE}) / {UNTIL - SINCE};
        const found = canvas.getContext('2d').getImageData(x * scale, (over.top - all.top + 3) * scale, 1, 1);
        return [...found.data].join() }})()"""


def test_the_address_has_the_state(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/overview")
    for label, value in (("Compare with", "day"), ("Time zone", "UTC"), ("Step", "15 minutes")):
        tab.run(f"""(() => {{
            const labels = [...document.querySelectorAll('.controls label')];
            const select = labels.find(label => label.textContent.startsWith('{label}')).querySelector('select');
            select.value = '{value}';
            select.dispatchEvent(new Event('change', {{bubbles: true}})) }})()""")
    tab.run("[...document.querySelectorAll('.controls button')].find(b => b.textContent == '6 hours').click()")
    wanted = {"compare": "day", "zone": "UTC", "step": "15 minutes", "span": "hours6"}
    until(lambda: state(tab) == wanted, what="the address has it")
    shown(tab, "!!" + card("activity", ".plot[data-lines='12']"))
    tab.run("history.back()")
    until(lambda: "span" not in state(tab), what="the step back undoes the last choice")
    tab.run("history.forward()")
    until(lambda: state(tab) == wanted, what="and the step forward makes it again")
    opened(tab, tab.run("location.href"))
    shown(tab, "!!" + card("activity", ".plot[data-lines='12']"))


def test_a_brush_zooms_in(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/overview#{fragment(since=str(SINCE), until=str(UNTIL))}")
    over = f"{card('activity', '.u-over')}.getBoundingClientRect()"
    box = [tab.run(f"{over}.{edge}") for edge in ("left", "top", "width")]
    for kind, part in (("mousePressed", 0.25), ("mouseMoved", 0.4), ("mouseMoved", 0.5), ("mouseReleased", 0.5)):
        buttons = {"button": "left", "buttons": 1, "clickCount": 1}
        tab.do("Input.dispatchMouseEvent", type=kind, x=box[0] + part * box[2], y=box[1] + 50, **buttons)
    until(lambda: int(state(tab)["since"]) > SINCE, what="the span is the brushed one")
    found = state(tab)
    assert abs(int(found["since"]) - (SINCE + (UNTIL - SINCE) / 4)) < 120
    assert abs(int(found["until"]) - (SINCE + (UNTIL - SINCE) / 2)) < 120


def test_a_statement_by_keyboard(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/sql")
    shown(tab, "!!document.querySelector('.editor').shadowRoot?.querySelector('.cm-content')")
    tab.run("document.querySelector('.editor').shadowRoot.querySelector('.cm-content').focus()")
    key(tab, "a", ctrl=True)
    tab.do("Input.insertText", text="SELECT number AS n FROM numbers(2000)")
    key(tab, "Enter", ctrl=True)
    assert "1,000 rows" in shown(
        tab,
        "/first/.test(document.querySelector('.told').textContent) && document.querySelector('.told').textContent",
    )
    assert tab.run("document.querySelectorAll('.result tbody tr').length") == 1000
    assert state(tab)["q"] == "SELECT number AS n FROM numbers(2000)"
    tab.do("Input.insertText", text=" WHERE n = nowhere")
    key(tab, "Enter", ctrl=True)
    assert shown(tab, "document.querySelector('.result .problem')?.textContent") == "The column does not exist."
    python = "[...document.querySelectorAll('button')].find(b => b.textContent == 'As Python')"
    tab.run(f"{python}.click()")
    assert "from firehose.client import query" in shown(tab, "document.querySelector('.tools pre')?.textContent")


def key(page: Page, name: str, *, ctrl: bool = False) -> None:
    code = {"Enter": 13, "Tab": 9}.get(name, ord(name[0].upper()))
    for kind in ("rawKeyDown", "keyUp"):
        page.do(
            "Input.dispatchKeyEvent",
            type=kind,
            key=name,
            code=name,
            windowsVirtualKeyCode=code,
            modifiers=2 * ctrl,
        )


def test_everything_is_reached_by_tab(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/overview")
    seen: set[str] = set()
    for _ in range(60):
        key(tab, "Tab")
        seen.add(tab.run("document.activeElement.textContent.slice(0, 40)"))
    assert {"Skip to the content", "SQL", "24 hours", "Zoom in", "rising", "Show as a table"} <= seen


@pytest.mark.skipif(not AXE.exists(), reason="there is no axe-core here: `make ui` brings it")
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(site: Site, tab: Page, dark: bool) -> None:
    span = {"since": str(SINCE), "until": str(UNTIL), "inactive": "show"}
    for path, then in (
        (f"overview#{fragment(**span)}", card("activity", "summary") + ".click()"),
        (f"search#{fragment(q='onerror', **span)}", ""),
        (f"post#{fragment(uri=EDITED, inactive='show')}", card("forms", "summary") + ".click()"),
        (f"account#{fragment(handle=HANDLE)}", card("calendar", "summary") + ".click()"),
        (f"collections#{fragment(collection='com.example.hostile', **span)}", ""),
        ("sql", "document.querySelector('button.main').click(); !!document.querySelector('.wait')"),
    ):
        tab.look(1024, 900, dark=dark)
        opened(tab, f"{site.url}/{path}")
        if then:
            tab.run(then)
            shown(tab, "!!document.querySelector('table, pre.own')")
        tab.run(AXE.read_text() + ";0")
        told = "[v.impact, v.id, v.nodes.map(n => n.html.slice(0, 150))]"
        for width in (390, 1024, 1600):
            tab.look(width, 900, dark=dark)
            found = tab.run(f"axe.run(document).then(r => r.violations.map(v => {told}))")
            assert [each for each in found if each[0] in ("serious", "critical")] == [], (path, width)
            assert tab.run("document.documentElement.scrollWidth") <= width, (path, width)


def test_states_that_are_not_the_usual_one(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/overview")
    assert "days old" in tab.run("document.querySelector('.stale').textContent")
    opened(tab, f"{site.url}/overview#{fragment(since=str(SINCE - 864000), until=str(SINCE - 860000))}")
    assert shown(tab, card("activity", ".empty") + "?.textContent") == "Nothing here."


def test_a_clickhouse_that_is_away_is_said_and_asked_again(site: Site, page: Page) -> None:
    nowhere = msgspec.structs.replace(site.settings, clickhouse_url=f"http://127.0.0.1:{free_port()}")
    with served(nowhere) as url:
        page.go("about:blank")
        page.go(f"{url}/overview")
        assert "ClickHouse does not answer." in shown(page, "document.querySelector('.problem')?.textContent")
        before = time.monotonic()
        page.run("document.querySelector('.problem button').click()")
        shown(page, "!!document.querySelector('.problem')")
        assert time.monotonic() > before
    page.go("about:blank")
    page.errors.clear()  # the browser notes each answer that is an error


def test_a_login_in_the_browser(site: Site, page: Page) -> None:
    port = free_port()
    with served(site.settings, listen=f"0.0.0.0:{port}", url=f"http://localhost:{port}") as url:
        page.go(f"{url}/sql#q=SELECT+42")
        shown(page, "!!document.querySelector('form.login')")
        for name, value in (("name", "analyst"), ("password", "reads")):
            page.run(f"document.querySelector('[name={name}]').value = '{value}'")
        page.run("document.querySelector('form.login button').click()")
        shown(page, "!!document.querySelector('.editor')")
        assert state(page)["q"] == "SELECT 42"
        assert page.run("document.cookie") == ""
        page.run("[...document.querySelectorAll('header button')].at(-1).click()")
        shown(page, "!!document.querySelector('form.login')")
    page.go("about:blank")
    page.errors.clear()
