"""The view Search in a browser: by keyboard, with hostile texts, facets by clicks, an error at its character."""

from __future__ import annotations

import json

from devstack.embedded.browser import Page
from tests.integration.ui.conftest import END, HOSTILE, YESTERDAY, Site
from tests.integration.ui.test_page import fragment, opened, shown, state, tab
from tests.support.waiting import until

__all__ = ["tab"]
CODES = {"ArrowDown": 40, "Enter": 13, "Escape": 27}
INPUT = "document.querySelector('[role=combobox]')"
SPAN = {"since": str(int(YESTERDAY.timestamp())), "until": str(int(END.timestamp())), "zone": "UTC"}


def press(page: Page, name: str) -> None:
    text = {"text": "\r"} if name == "Enter" else {}
    page.do(
        "Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=CODES[name], **text
    )
    page.do("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=CODES[name])


def card(name: str, then: str) -> str:
    """Something in a card that may not be there yet."""
    return f"document.querySelector({json.dumps(f'[data-card={name}] {then}')})"


def test_a_search_by_keyboard_facet_and_error(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/search#{fragment(**SPAN)}")
    tab.run(f"{INPUT}.focus()")
    tab.do("Input.insertText", text="onerror do")
    shown(tab, f"{INPUT}.getAttribute('aria-expanded') == 'true'")
    press(tab, "ArrowDown")
    shown(tab, f"{INPUT}.getAttribute('aria-activedescendant') == 'completion-0'")
    press(tab, "Enter")
    shown(tab, f"{INPUT}.value == 'onerror domain:'")
    assert "q" not in state(tab), "a completion is not a search"
    tab.run(f"{INPUT}.select()")
    tab.do("Input.insertText", text="onerror")
    press(tab, "Enter")
    until(lambda: state(tab).get("q") == "onerror", what="the address has the query")
    # What was asked for is marked; the text around it, which is markup, is text.
    assert shown(tab, card("results", "mark") + "?.textContent") == "onerror"
    assert HOSTILE in tab.run(card("results", ".text") + ".textContent")
    assert tab.run("document.querySelectorAll('main img, main script').length") == 0
    assert tab.run("document.title") != "hostile"
    links = tab.run(
        "[...document.querySelectorAll('[data-card=results] li:first-child a')].map(a => a.getAttribute('href'))"
    )
    assert links[0].startswith("/account#did=did%3Aplc%3A") and links[1].startswith("/post#uri=at%3A%2F%2Fdid")
    # The gap is told and shaded, as in all charts.
    assert "of this span was covered" in shown(tab, card("counts", ".coverage") + "?.textContent")
    # A facet adds its filter to the query, and takes it away again.
    account = card("facets", '.facet button.name[title^="from:did:plc:hostile"]')
    shown(tab, f"!!{account}")
    tab.run(f"{account}.click()")
    until(lambda: state(tab)["q"].startswith("onerror from:did:plc:hostile"), what="the filter is in the query")
    shown(
        tab,
        "document.querySelectorAll('[data-card=results] .found > li').length == 1"
        f" && {INPUT}.value.includes('from:')",
    )
    shown(tab, f"{account}?.getAttribute('aria-pressed') == 'true'")
    tab.run(f"{account}.click()")
    until(lambda: state(tab)["q"] == "onerror", what="the filter is gone")
    # More comes after the last post that is shown, and none twice.
    opened(tab, f"{site.url}/search#{fragment(q='lang:en', **SPAN)}")
    tab.run("[...document.querySelectorAll('button')].find(b => b.textContent == 'Load more').click()")
    hrefs = "[...document.querySelectorAll('.found a[href^=\"/post\"]')].map(a => a.getAttribute('href'))"
    shown(tab, f"{hrefs}.length == 100")
    assert len(set(tab.run(hrefs))) == 100


def test_an_error_is_shown_at_its_character(site: Site, page: Page) -> None:
    opened(page, f"{site.url}/search#{fragment(q='🐈 form:bob.test', **SPAN)}")
    assert shown(page, "document.querySelector('mark.wrong')?.textContent") == "f"
    assert page.run("document.querySelector('.asked').textContent") == "🐈 form:bob.test"
    assert "did you mean from:?" in page.run("document.querySelector('#wrong').textContent")
    assert page.run(f"{INPUT}.getAttribute('aria-describedby')") == "wrong"
    page.go("about:blank")
    page.errors.clear()  # the browser notes each answer that is an error
