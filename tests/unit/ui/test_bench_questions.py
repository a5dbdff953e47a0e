"""``firehose bench page`` asks each question that a view can ask, with values that the page takes."""

from __future__ import annotations

import random
from urllib.parse import parse_qsl, urlsplit

from devstack.bench.subjects import Subjects
from devstack.bench.views import VIEWS, openings
from firehose_ui import app, named, search

SUBJECTS = Subjects(
    since=1_779_926_400,
    until=1_780_009_200,
    accounts=["did:plc:one"],
    handles=["one.example"],
    posts=["at://did:plc:one/app.bsky.feed.post/3k"],
    collections=["app.bsky.feed.post"],
)


def test_each_view_is_opened_with_all_that_it_asks() -> None:
    assert VIEWS == app.VIEWS
    queries = named.load()
    asked: set[str] = set()
    for seed in range(30):
        for view in VIEWS:
            for question in openings(view, SUBJECTS, random.Random(seed)):
                asked.add(question.name)
                given = dict(parse_qsl(urlsplit(question.path).query))
                if question.name in queries:
                    queries[question.name].values(given)
                elif question.name.startswith("search/"):
                    assert set(question.body or {}) == set(search.NEEDS[question.name.removeprefix("search/")])
    wanted = {*queries, "post", "cookbook", "sql", *(f"search/{name}" for name in search.NEEDS)} - {"post_forms"}
    assert asked == wanted
