"""The grammar of searches: what is typed is a query or an error that points into it, and no value becomes SQL."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from firehose.search.parser import parse
from firehose.search.statements import newest
from firehose.search.tree import QueryError, Text

PARTS = (
    *("coffee", "猫", "кофе", "กาแฟ", "قهوة", "☕️", "👍🏽", "don’t", "e\u0301", "\u200d", "OR", "AND", "or"),
    *(
        "-",
        "--",
        '"',
        "“",
        "”",
        "»",
        "#",
        "＃",
        ":",
        "::",
        "@",
        "'",
        "\\",
        "{p0:String}",
        ";",
        "\0",
        "\ud800",
        "\n",
    ),
    *("from:", "to:", "mentions:", "tag:", "domain:", "lang:", "since:", "until:", "has:", "alt:", "as_of:"),
    *("min_likes:", "alice.test", "did:plc:x", "2026-11-23", "9999-12-31T23:59:59-23:59", "12", "1e9", "x" * 999),
)
TYPED = st.lists(st.sampled_from(PARTS) | st.just(" ") | st.characters(), max_size=12).map("".join) | st.text()
WORD = st.from_regex(r"[a-zа-яぁ-ん0-9]{1,8}", fullmatch=True)


@settings(max_examples=300)
@given(TYPED)
def test_whatever_is_typed_is_a_query_or_an_error_that_points_into_it(typed: str) -> None:
    try:
        query = parse(typed)
    except QueryError as error:
        assert 0 <= error.position <= len(typed)
        assert "\n" not in str(error)
        shown, caret = error.pointed.split("\n")
        assert len(shown) == len(typed)
        assert caret.strip(" ") == "^"
    else:
        assert newest(query, {}, 20, 140).sql


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["", "-"]), st.lists(WORD, min_size=1, max_size=3)), min_size=1, max_size=6)
)
def test_words_and_phrases_come_back_as_they_were_written(written: list[tuple[str, list[str]]]) -> None:
    """A phrase is in quotes of either kind; the positions are those of the words."""
    typed = [sign + (words[0] if len(words) == 1 else f'“{" ".join(words)}"') for sign, words in written]
    text = "\u3000 ".join(typed)
    query = parse(text)
    assert [clause.negated for clause in query.clauses] == [sign == "-" for sign, _ in written]
    for term, (_, words) in zip(query.terms, written, strict=True):
        assert isinstance(term, Text)
        assert term.text == " ".join(words)
        assert text[term.at :].startswith(term.text)


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters='"“”„‟«»＂'), max_size=9))
def test_no_value_is_part_of_the_statement(anything: str) -> None:
    odd = f"{anything}'zqx"
    statement = newest(parse(f'"{odd}" #{odd} alt:"{odd}"'), {}, 20, 140)
    assert "zqx" not in statement.sql
    assert [value for value in statement.parameters.values.values() if "zqx" in str(value)]


def test_times_are_instants_of_utc_unless_they_say_otherwise() -> None:
    query = parse("since:2026-11-23 until:2026-11-24T01:30+02:00 as_of:2026-11-25T06Z")
    assert query.since == datetime(2026, 11, 23, tzinfo=UTC)
    assert query.until == datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert query.as_of == datetime(2026, 11, 25, 6, tzinfo=UTC)
