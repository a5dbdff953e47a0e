"""Post, Account and Collections in a browser: marks, what is hidden or not known, and texts that stay texts."""

from __future__ import annotations

import json

from devstack.embedded.browser import Page
from tests.integration.ui.conftest import HOSTILE, START, Site
from tests.integration.ui.strangers import DELETED, EDITED, EDITOR, GONE, HANDLE, POST, SECRET
from tests.integration.ui.test_page import NOTHING, card, fragment, opened, shown, state, tab

__all__ = ["tab"]
SHOWN = "document.querySelector('main').textContent"


def is_text(page: Page) -> None:
    """Nothing of the strangers became markup."""
    assert page.run("document.querySelectorAll('main img, main script').length") == 0
    assert page.run("document.title") != "hostile"


def says(page: Page, text: str) -> bool:
    return bool(page.run(f"{SHOWN}.includes({json.dumps(text)})"))


def show_inactive(page: Page) -> None:
    page.run("document.querySelector('.hide input').click()")
    shown(page, f"{SHOWN}.includes({json.dumps(SECRET)})")
    assert state(page)["inactive"] == "show"


def test_a_post(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/post#{fragment(uri=EDITED)}")
    shown(tab, card("forms", "pre") + ".textContent")
    assert says(tab, f"edited {HOSTILE}") and says(tab, "Edited 1 times.")
    proofs = "[...document.querySelectorAll('.proof')].map(each => each.textContent.split(':')[0])"
    assert tab.run(proofs) == ["Verified here", "Not verified"]
    assert says(tab, "Hidden: the account is taken down.") and not says(tab, SECRET)
    show_inactive(tab)
    assert says(tab, f"{SECRET} (answer)") and says(tab, f"{SECRET} (quote)")
    assert says(tab, "The account is taken down.")
    is_text(tab)
    opened(tab, f"{site.url}/post#{fragment(uri=DELETED)}")
    assert "deleted this post" in shown(tab, card("forms", ".deleted") + ".textContent")


def test_an_account(site: Site, tab: Page) -> None:
    opened(tab, f"{site.url}/account#{fragment(handle=HANDLE)}")
    assert "2 accounts had this handle" in shown(tab, "document.querySelector('.several')?.textContent")
    marks = shown(tab, "[...document.querySelectorAll('[data-card=posts] li')].map(each => each.textContent)")
    assert ["deleted" in each.replace("soon deleted", "") for each in marks] == [True, False]
    assert f"edited {HOSTILE}" in marks[1]
    is_text(tab)
    opened(tab, f"{site.url}/account#{fragment(did=GONE)}")
    assert "Hidden" in shown(tab, card("posts", ".mark") + ".textContent")
    at = shown(tab, card("posts", "a[href^='/post']") + ".parentElement.textContent")
    assert at.endswith("2026-05-28 12:00"), "nothing but the time where it is not deleted"
    assert not says(tab, SECRET) and says(tab, "takendown")
    show_inactive(tab)


def test_collections_that_nobody_expected(site: Site, tab: Page) -> None:
    since = int(START.timestamp())
    opened(tab, f"{site.url}/collections#{fragment(since=str(since), until=str(since + 12_600))}")
    links = "[...document.querySelectorAll('[data-card=collections] a')]"
    tab.run(f"{links}.find(each => each.textContent == 'com.example.hostile').click()")
    assert "onerror" in shown(tab, "document.querySelector('[data-card=samples] .text')?.textContent")
    assert EDITOR in tab.run("document.querySelector('[data-card=samples]').textContent")
    assert state(tab)["collection"] == "com.example.hostile"
    is_text(tab)


def test_of_an_hour_that_was_not_covered_nothing_is_known(site: Site, tab: Page) -> None:
    since = int(START.timestamp()) - 7200
    shows = fragment(since=str(since), until=str(since + 14_400), collection=POST, zone="UTC")
    opened(tab, f"{site.url}/collections#{shows}")
    tab.run(card("hours", "summary") + ".click()")
    cells = (
        "[...document.querySelectorAll('[data-card=hours] .values tbody tr')].map(row => row.cells[1].textContent)"
    )
    shown(tab, f"{cells}.length == 4 && {cells}[3] != '{NOTHING}'")
    assert [cell == NOTHING for cell in tab.run(cells)] == [True, True, False, False]
