"""What the views of the page for readers ask: the questions of one opening of each, as the browser sends them.

Lives here: the questions, and the addresses of views to open in a browser. Must not: ask, measure.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from urllib.parse import urlencode

from devstack.bench.subjects import Subjects

_HOUR: Final = 3600
_LENGTHS: Final = (_HOUR, 6 * _HOUR, 24 * _HOUR, 24 * _HOUR)
_STEPS: Final = {_HOUR: "minute", 6 * _HOUR: "5 minutes", 24 * _HOUR: "5 minutes"}
_ORDERS: Final = ("most", "rising", "falling")
_KINDS: Final = ("like", "repost")
_ABOUT: Final = ("like", "repost", "reply", "quote", "follow")
_QUERIES: Final = (
    "music",
    "coffee lang:en",
    '"good morning"',
    "has:image lang:ja",
    "has:link",
    "music min_likes:2",
)
_STATEMENT: Final = "SELECT type, sum(events) AS total FROM events_by_minute GROUP BY type ORDER BY total DESC"


class Question(NamedTuple):
    """One request; ``body``: it is posted as JSON. ``again``: at once once more, for what is kept."""

    view: str
    name: str
    path: str
    body: dict[str, str] | None = None
    again: bool = False


def openings(view: str, subjects: Subjects, draw: random.Random) -> Iterator[Question]:
    """The questions of one opening of a view, of a span and a subject that are drawn."""
    for name, values in _ASKED[view](subjects, draw):
        texts = {each: str(value) for each, value in values.items()}
        if name.startswith("search/") or name == "sql":
            yield Question(view, name, f"/api/{name}", texts)
        else:
            path = f"/api/{name}" if name in ("coverage", "post", "cookbook") else f"/api/query/{name}"
            yield Question(
                view,
                name,
                f"{path}?{urlencode(texts)}" if texts else path,
                again=name in ("top_posts", "active_accounts"),
            )


def addresses(subjects: Subjects) -> dict[str, str]:
    """A path of each view that shows something."""
    return {
        "overview": "/overview#compare=span",
        "search": f"/search#{urlencode({'q': _QUERIES[0]})}",
        "post": f"/post#{urlencode({'uri': subjects.posts[0]})}",
        "account": f"/account#{urlencode({'did': subjects.accounts[0]})}",
        "collections": f"/collections#{urlencode({'collection': subjects.collections[0]})}",
        "sql": f"/sql#{urlencode({'q': _STATEMENT})}",
    }


Asked = Iterator[tuple[str, dict[str, str | int | float]]]


def _span(subjects: Subjects, draw: random.Random) -> tuple[int, int, str]:
    """A span until the newest data, or until some moment before."""
    length = draw.choice(_LENGTHS)
    until = subjects.until if draw.random() < 0.5 else draw.randint(subjects.since + _HOUR, subjects.until)
    return until - length, until, _STEPS[length]


def _hours(since: int, until: int) -> tuple[int, int]:
    return since // _HOUR * _HOUR, -(-until // _HOUR) * _HOUR


def _overview(subjects: Subjects, draw: random.Random) -> Asked:
    since, until, step = _span(subjects, draw)
    first, last = _hours(since, until)
    shift = last - first
    before = {"since": first, "until": last, "before": first - shift, "before_until": last - shift}
    yield "freshness", {}
    for low, high in ((since, until), (first, last), (first - shift, last - shift)):
        yield "coverage", {"since": low, "until": high}
    yield "activity", {"since": since, "until": until, "step": step, "zone": "Europe/Berlin"}
    yield "activity", {"since": first - shift, "until": last - shift, "step": step, "zone": "Europe/Berlin"}
    yield "accounts", {"since": first, "until": last, "step": draw.choice(("hour", "day")), "zone": "UTC"}
    for name in ("hashtags", "domains"):
        yield name, before | {"order": draw.choice(_ORDERS), "scale": 1.0}
    yield "languages", {**before}
    yield "active_accounts", {"since": first - draw.randrange(_HOUR), "until": last}
    # A second of its own, so that the answer of an earlier opening is not given again.
    own = draw.randrange(_HOUR)
    yield "top_posts", {"kind": draw.choice(_KINDS), "since": first - own, "until": last}
    yield "texts_of", {"uris": " ".join(subjects.posts[:10]), "until": last}


def _search(subjects: Subjects, draw: random.Random) -> Asked:
    since, until, step = _span(subjects, draw)
    given: dict[str, str | int | float] = {"q": draw.choice(_QUERIES), "since": since, "until": until}
    yield "freshness", {}
    yield "search/span", given
    yield "coverage", {"since": since, "until": until}
    yield "search/counts", given | {"step": step, "zone": "UTC"}
    yield "search/facets", given
    yield "search/posts", given | {"order": "newest", "after": ""}
    if not str(given["q"]).startswith("has:"):
        yield "search/posts", given | {"order": "ranked", "after": ""}


def _post(subjects: Subjects, draw: random.Random) -> Asked:
    uri = draw.choice(subjects.posts)
    did, _, rkey = uri.removeprefix("at://").split("/")
    yield "post", {"did": did, "rkey": rkey}
    yield "account_history", {"did": did}
    for name in ("post_engagement", "post_thread", "post_quotes"):
        yield name, {"uri": uri}
    yield "coverage", {"since": subjects.since, "until": subjects.until}


def _account(subjects: Subjects, draw: random.Random) -> Asked:
    did = draw.choice(subjects.accounts)
    yield "account_handles", {"handle": draw.choice(subjects.handles)}
    for name in ("account_history", "account_posts", "account_links"):
        yield name, {"did": did}
    yield "account_days", {"did": did, "zone": "Europe/Berlin"}
    yield "account_likes", {"did": did, "kind": draw.choice(_ABOUT)}
    yield "coverage", {"since": subjects.since, "until": subjects.until}


def _collections(subjects: Subjects, draw: random.Random) -> Asked:
    since, until = _hours(*_span(subjects, draw)[:2])
    one = draw.choice(subjects.collections)
    yield "freshness", {}
    yield "collections", {"since": since, "until": until}
    for name in ("collection_accounts", "collection_samples"):
        yield name, {"since": since, "until": until, "collection": one}
    yield "coverage", {"since": since, "until": until}


def _sql(_: Subjects, draw: random.Random) -> Asked:
    yield "schema", {}
    yield "cookbook", {}
    yield "sql", {"id": f"{draw.random()}", "sql": _STATEMENT}


_ASKED: Final[dict[str, Callable[[Subjects, random.Random], Asked]]] = {
    "overview": _overview,
    "search": _search,
    "post": _post,
    "account": _account,
    "collections": _collections,
    "sql": _sql,
}
VIEWS: Final = tuple(_ASKED)
