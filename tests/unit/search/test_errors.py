"""Errors of searches: the character that is wrong, and what to write; and the tree of what is right."""

from __future__ import annotations

import pytest

from firehose.search.parser import parse
from firehose.search.tree import Clause, Filter, QueryError, Text


@pytest.mark.parametrize(
    ("query", "wrong", "hint"),
    [
        ("", "", "the query is empty"),
        ("cat \x1b[31m", "\x1b", "not a character of any text"),
        ("cat -", "-", "one hyphen excludes what follows"),
        ("cat --dog", "--dog", "one hyphen excludes what follows"),
        ('cat "good morning', '"good', "write another"),
        ('"good morning"dog', "dog", "a space has to follow"),
        ("cat … dog", "…", "nothing here to search for"),
        ("OR dog", "OR", "nothing before it"),
        ("cat since:2026-11-23 OR dog", "OR", "nothing before it"),
        ("cat OR", "OR", "nothing behind it"),
        ("cat OR -dog", "dog", "cannot be one side of OR"),
        ("-cat OR dog", "OR", "cannot be one side of OR"),
        ("cat AND dog", "AND", "leave AND out"),
        ("cat NOT dog", "NOT", "-word"),
        ("cat form:bob.test", "form:", "did you mean from:?"),
        ("cat zzz:bob", "zzz:", "put them in quotes"),
        ("cat from:bob", "bob", "a handle such as"),
        ("tag:#", "#", "a tag is missing"),
        ("domain:https://a.com/b", "https", "a host's name alone"),
        ("lang:english!", "english", "such as en"),
        ("has:cats", "cats", "has: takes one of alt, image"),
        ("since:yesterday", "yesterday", "such as 2026-11-23"),
        ("since:2026-02-30", "2026-02-30", "such as 2026-11-23"),
        ("until:9999-01-01", "9999", "a year is one from"),
        ("since:2026-11-23 since:2026-11-24", "since:2026-11-24", "twice"),
        ("cat -since:2026-11-23", "since", "cannot be excluded"),
        ("cat OR until:2026-11-23", "until", "apart from OR"),
        ("min_likes:many", "many", "write min_likes:100"),
        ("min_likes:0", "0", "write min_likes:100"),
    ],
)
def test_an_error_points_at_what_is_wrong(query: str, wrong: str, hint: str) -> None:
    with pytest.raises(QueryError, match=hint) as raised:
        parse(query)
    assert query[raised.value.position :].startswith(wrong)
    shown = query.replace("\x1b", " ")
    assert raised.value.pointed == f"{shown}\n{' ' * raised.value.position}^"


def test_the_caret_is_below_the_character_where_some_are_wide() -> None:
    with pytest.raises(QueryError) as raised:
        parse("東京都 cafe\u0301 has:x")
    assert raised.value.pointed.split("\n")[1] == " " * len("xxyyzz cafe has:") + "^"


def test_the_tree_of_a_query() -> None:
    query = parse('cat OR “Big Dog” -from:@Bob.Test #Café -"no way" https://a.test it\'s:')
    assert query.clauses == (
        Clause((Text("cat", 0), Text("Big Dog", 8))),
        Clause((Filter("from", "bob.test", 18),), negated=True),
        Clause((Filter("tag", "Café", 33),)),
        Clause((Text("no way", 41),), negated=True),
        Clause((Text("https://a.test", 49),)),
        Clause((Text("it's:", 64),)),
    )
    assert [term.text for term in query.wanted] == ["cat", "Big Dog", "https://a.test", "it's:"]
