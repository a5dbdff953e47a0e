"""The network's names against vectors made from the grammar: drawn ones that are right, hand-made that are not.

Each is asked of Python's ``re``, of RE2 as the rules use it, and of the suite that Great Expectations runs.
"""

from __future__ import annotations

import re
import string

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose import syntax
from firehose.quality.rules import RULES
from firehose.records.clocks import claimed_instants
from firehose.records.rules import Rule
from firehose.syntax import Syntax
from jetstream_simulator.identifiers import TID_ALPHABET

LETTERS, DIGITS = string.ascii_letters, string.digits
KEY = LETTERS + DIGITS + "._:~-"


def joined(*parts: st.SearchStrategy[str], by: str = "") -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(by.join)


def some(alphabet: str, least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most)


INNER = joined(some(LETTERS + DIGITS + "-", 0, 61), some(LETTERS + DIGITS, 1, 1))
TAIL = st.just("") | INNER
LABEL = joined(some(LETTERS + DIGITS, 1, 1), TAIL)
TOP = joined(some(LETTERS, 1, 1), TAIL)
DIDS = joined(
    *(st.just("did:"), some(string.ascii_lowercase, 1, 8), st.just(":")),
    *(some(LETTERS + DIGITS + "._:%-", 0, 200), some(LETTERS + DIGITS + "._-", 1, 1)),
)
HANDLES = joined(LABEL, TOP, by=".") | joined(LABEL, LABEL, TOP, by=".")
NAMES = joined(some(LETTERS, 1, 1), some(LETTERS + DIGITS, 0, 62))
NSIDS = joined(TOP, LABEL, NAMES, by=".") | joined(TOP, LABEL, LABEL, NAMES, by=".")
KEYS = some(KEY, 1, 512).filter(lambda key: key not in (".", ".."))
AUTHORITIES = st.just("at://").flatmap(lambda at: (DIDS | HANDLES).map(lambda name: at + name))
AT_URIS = AUTHORITIES | joined(AUTHORITIES, NSIDS, by="/") | joined(AUTHORITIES, NSIDS, KEYS, by="/")
TIDS = joined(some(TID_ALPHABET[:16], 1, 1), some(TID_ALPHABET, 12, 12))
CIDS = some(string.ascii_lowercase + "234567", 58, 58).map(lambda text: "b" + text)
TWO = st.integers(0, 59).map("{:02}".format)
ZONES = st.just("Z") | joined(
    st.sampled_from("+-"), st.integers(0, 23).map("{:02}".format), st.just(":"), TWO
).filter(lambda zone: zone != "-00:00")
DATETIMES = joined(
    *(
        st.integers(10, 9999).map("{:04}".format),
        st.just("-"),
        st.integers(1, 12).map("{:02}".format),
        st.just("-"),
    ),
    *(st.integers(1, 28).map("{:02}".format), st.just("T"), st.integers(0, 23).map("{:02}".format), st.just(":")),
    *(TWO, st.just(":"), TWO, st.just("") | some(DIGITS, 1, 20).map(lambda digits: "." + digits), ZONES),
)


def optional(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | part.map(lambda text: "-" + text)


ALNUM = LETTERS + DIGITS
PRIVATE = joined(st.sampled_from(["x", "X"]), some(ALNUM, 1, 8), by="-")
SUBTAGS = joined(
    *(some(LETTERS, 2, 3) | some(LETTERS, 4, 8), optional(some(LETTERS, 4, 4))),
    optional(some(LETTERS, 2, 2) | some(DIGITS, 3, 3)),
    optional(some(ALNUM, 5, 8) | joined(some(DIGITS, 1, 1), some(ALNUM, 3, 3))),
    optional(joined(st.sampled_from("abtuw059ABTU"), some(ALNUM, 2, 8), by="-")),
    optional(PRIVATE),
)
LANGUAGES = SUBTAGS | PRIVATE | joined(some(LETTERS, 2, 3), some(LETTERS, 3, 3), some(LETTERS, 3, 3), by="-")

VALID = {
    syntax.DID: DIDS,
    syntax.HANDLE: HANDLES,
    syntax.NSID: NSIDS,
    syntax.RECORD_KEY: KEYS,
    syntax.AT_URI: AT_URIS,
    syntax.TID: TIDS,
    syntax.RECORD_CID: CIDS,
    syntax.DATETIME: DATETIMES,
    syntax.LANGUAGE: LANGUAGES,
}
PLC = "did:plc:casemaaaaaaaaaaaaaaaaaaa"
#: Right ones at the edges of the grammar, which a draw might miss.
EDGES = {
    syntax.DID: [PLC, "did:web:localhost%3A8080", "did:a:.", "did:key:::x", "did:long:" + "a" * 2039],
    syntax.HANDLE: [
        "a.b",
        "xn--bcher-kva.example",
        "8.cn",
        "a" * 63 + ".b",
        ".".join(["a" * 63] * 3) + "." + "b" * 61,
    ],
    syntax.NSID: [
        *("blue.2048.game", "cn.8.lex.stuff", "a.0.c", "org.4you.it.likeThis9", "a-b.c--d.e"),
        *("m.xn--exmple-cua.pl", f"com.{'o' * 63}.foo", f"com.example.{'o' * 63}"),
    ],
    syntax.RECORD_KEY: [
        "self",
        "...",
        ".a",
        "..a",
        "~",
        ":",
        f"{PLC}::{PLC}",
        "a" * 512,
        "." * 512,
        ".." + "~" * 510,
    ],
    syntax.AT_URI: [
        *(
            f"at://{PLC}",
            "at://name.example",
            f"at://{PLC}/a.b.c",
            f"at://{PLC}/a.b.c/...",
            "at://8.cn/a.0.c/self",
        ),
        f"at://{PLC}/app.bsky.feed.post/{'k' * 512}",
    ],
    syntax.TID: ["2222222222222", "jzzzzzzzzzzzz", "3jzfcijpj2z2a"],
    syntax.RECORD_CID: ["b" + "a" * 58],
    syntax.DATETIME: [
        *("0010-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "2024-02-29T12:00:00.00000000000000000001+14:00"),
        *("2024-01-01T00:00:00-00:01", "2024-01-01T00:00:00+00:00"),
    ],
    syntax.LANGUAGE: [
        *("ja", "pt-BR", "zh-Hant", "es-419", "sgn-BE-NL", "hy-Latn-IT-arevela", "de-CH-1901", "x-any-thing"),
        *("en-a-bbb-x-a-ccc", "zh-cmn-Hans-CN", "i-klingon", "en-GB-oed", "qaa-Qaaa-QM-x-southern"),
    ],
}
INVALID = {
    syntax.DID: [
        *("", "did", "did:plc", "did:plc:", "did:plc:a:", "did:plc:a%", "DID:plc:a", "did:PLC:a", "did:p1c:a"),
        *(
            "did:plc:a/b",
            "did:plc:a#b",
            "did:plc:é",
            " did:plc:a",
            "did:plc:a ",
            "did::a",
            "did:long:" + "a" * 2040,
        ),
    ],
    syntax.HANDLE: [
        *("", "name", "name.", ".name", "a..b", "-a.b", "a-.b", "a.-b", "a.b-", "a_b.c", "127.0.0.1", "a.0b"),
        *("é.example", "a.b ", "a" * 64 + ".b", ".".join(["a" * 63] * 4)),
    ],
    syntax.NSID: [
        *("", "a.b", "a.b.", ".a.b.c", "a..b.c", "1a.b.c", "a.b.1c", "a.b.c-d", "a.b.c_d", "a.-b.c", "a.b-.c"),
        *("-a.b.c", "a-.b.c", "a.b.c.*", "a.b.é", "a.b.c ", f"com.{'o' * 64}.foo", f"com.example.{'o' * 64}"),
        ".".join(["com", *["middle"] * 45, "foo"]),
    ],
    syntax.RECORD_KEY: ["", ".", "..", "a b", "a/b", "a#b", "a%20b", "é", "a@b", "a" * 513, "." * 513],
    syntax.AT_URI: [
        *("", "at://", f"AT://{PLC}", f"at:/{PLC}", f"at://{PLC}/", f"at://{PLC}/a.b", f"at://{PLC}/a.b.c/"),
        *(f"at://{PLC}/a.b.c/d/e", f"at://{PLC}/a.b.c/..", f"at://{PLC}/a.b.c/%23", f"at://{PLC}#x"),
        *(f"at://{PLC}?x", "at://name", "at://name.0", f"at://{PLC}//a.b.c", f" at://{PLC}", f"at://{PLC} "),
        f"at://did:web:{'a' * 8182}",
    ],
    syntax.TID: [
        "",
        "222222222222",
        "22222222222222",
        "k222222222222",
        "1222222222222",
        "222222222222A",
        "2222-22222222",
    ],
    syntax.RECORD_CID: ["", "b" + "a" * 57, "b" + "a" * 59, "B" + "a" * 58, "b" + "1" * 58, "Qm" + "a" * 57],
    syntax.DATETIME: [
        *("", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01 00:00:00Z", "2024-01-01t00:00:00Z"),
        *("2024-01-01T00:00:00z", "2024-01-01T00:00:00-00:00", "2024-01-01T00:00Z", "2024-01-01T00:00:00.Z"),
        *("2024-1-01T00:00:00Z", "24-01-01T00:00:00Z", "02024-01-01T00:00:00Z", "+2024-01-01T00:00:00Z"),
        *("2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-32T00:00:00Z", "2024-01-01T24:00:00Z"),
        *("2024-01-01T00:60:00Z", "2024-01-01T00:00:00+0000", "2024-01-01T00:00:00+24:00", "0000-01-01T00:00:00Z"),
        *("2024-01-01T00:00:00Z ", " 2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000000000000000000000Z"),
        *("0009-12-31T23:59:59Z", "2024\u201301\u201301T00:00:00Z"),
    ],
    syntax.LANGUAGE: [
        "",
        "a",
        "-",
        "ja-",
        "-ja",
        "pt_BR",
        "123",
        "x",
        "en-",
        "en-a",
        "en-x",
        "abcdefghi",
        "ja JP",
        "é",
    ],
}
ALL = list(VALID)


def in_arrow(of: Syntax, texts: list[str]) -> list[bool]:
    """What a rule about this syntax says of a column."""
    column = pa.table({"name": pa.array(texts, pa.string())})
    broken: list[bool] = pc.invert(Rule(column="name", syntax=of).broken_by(column)).to_pylist()
    return broken


@pytest.mark.parametrize("of", ALL, ids=lambda of: of.name)
@given(data=st.data())
def test_whatever_the_grammar_gives_is_valid(of: Syntax, data: st.DataObject) -> None:
    texts = [text for text in data.draw(st.lists(VALID[of], min_size=1, max_size=5)) if len(text) <= of.longest]
    assert [of.matches(text) for text in texts] == [True] * len(texts), texts
    assert in_arrow(of, texts) == [True] * len(texts), texts


@pytest.mark.parametrize("of", ALL, ids=lambda of: of.name)
def test_the_edges_of_the_grammar(of: Syntax) -> None:
    for vectors, right in ((EDGES[of], True), (INVALID[of], False)):
        said = {
            text: (of.matches(text), arrow) for text, arrow in zip(vectors, in_arrow(of, vectors), strict=True)
        }
        assert said == dict.fromkeys(vectors, (right, right))
        # As Great Expectations asks: a search, in what quality/suites.py cuts where it is too long.
        assert [bool(re.search(of.pattern, text)) and len(text) <= of.longest for text in vectors] == [
            right
        ] * len(vectors)


@given(st.lists(DATETIMES, min_size=1, max_size=20))
def test_a_valid_datetime_is_an_instant(claims: list[str]) -> None:
    """Unless its offset takes it out of the years that there are."""
    instants, _ = claimed_instants(list(claims))
    for claim, instant in zip(claims, instants.to_pylist(), strict=True):
        assert instant is not None or claim[:4] == "9999", claim


def test_every_name_in_a_rule_has_its_syntax() -> None:
    """Names are ruled on by the specification, not by a pattern of a rule's own."""
    names = {"did", "rev", "rkey", "cid", "subject_uri", "subject_did", "list_uri", "collection"}
    ruled = {rule.column for rules in RULES.values() for rule in rules if rule.syntax is not None}
    assert ruled == names, "a column whose rule checks a syntax is listed here, by its name"
