"""include/firehose_page/runbook.html: docs/operations.md as a part of a page, for the Firehose page in Airflow.

It is made here and not when it is shown, since neither wheel nor image has ``docs/``. Must not: change its words.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "docs" / "operations.md"
TARGET: Final = ROOT / "include" / "firehose_page" / "runbook.html"


def part() -> str:
    """The text of ``runbook.html``."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = markdown.parse(SOURCE.read_text(encoding="utf-8"))
    for heading, inside in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", slug(inside.content))
    for token in tokens:
        _keep_links_within(token)
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _keep_links_within(token: Token) -> None:
    """Of a link to another file of the repository only its text stays, of a picture nothing: neither is there."""
    opened: list[bool] = []
    for child in token.children or []:
        if child.type == "image":
            child.type, child.content = "text", ""
        if child.type == "link_open":
            opened.append(str(child.attrGet("href")).startswith(("#", "https://")))
        elif child.type != "link_close":
            continue
        if not (opened.pop() if child.type == "link_close" else opened[-1]):
            child.type, child.tag, child.content = "text", "", ""
