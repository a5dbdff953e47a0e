"""Search over a corpus whose words are written out by hand: every script, with and without the index."""

from __future__ import annotations

from math import log
from typing import Any, Final, NamedTuple

import msgspec
import pytest
import typer
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from firehose.errors import FirehoseError
from firehose.search import run, statements
from firehose.search.parser import parse
from firehose.search.tree import QueryError
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.spelling import FUNCTIONS
from firehose.warehouse.sql import SQL_FOLDER
from firehose_cli.search import search
from ingester.contract.resyncs import MARK
from tests.integration.warehouse.lakes import LakeBuilder, Row, at, commit
from tests.integration.warehouse.test_plain_columns import card, facets

POST: Final = "app.bsky.feed.post"
CID: Final = "bafyreib" + "a" * 51


class Written(NamedTuple):
    """A text, and its words in order as someone would look them up who has no accents on the keyboard."""

    text: str
    words: str
    emoji: str = ""


CORPUS: Final = (
    Written("Good morning, CAFÉ time ☕️!", "good morning cafe time", "☕"),
    Written("morning is good; cafe\u0301 au lait", "morning is good cafe au lait"),
    Written("I don’t know, don't ask", "i don't know don't ask"),
    Written("Ｆｕｌｌ ｗｉｄｔｈ ﬁsh", "full width fish"),
    Written("黒猫が好きです", "黒 猫 が 好き です"),
    Written("京都へ行く", "京都 へ 行く"),
    Written("東京に行く", "東京 に 行く"),
    Written("ｺｰﾋｰを飲む", "コーヒー を 飲む"),
    Written("Ёлка и мой ёж", "елка и мой еж"),
    Written("мои кни́ги", "мои книги"),
    Written("مُحَمَّد يحب القهوة", "محمد يحب القهوة"),
    Written("عـــربي", "عربي"),
    Written("สวัสดีครับผมชอบกาแฟ", "สวัสดี ครับ ผม ชอบ กาแฟ"),
    Written("नमस्ते दुनिया हिन्दी", "नमस्ते दुनिया हिन्दी"),
    Written("고양이 커피", "고양이 커피"),
    Written("Łódź, Straße, İstanbul, ΣΊΣΥΦΟΣ", "lodz strasse istanbul σισυφοσ"),
    Written("tiếng Việt", "tieng viet"),
    Written("🔥🔥 great 👍🏽👩‍💻🇯🇵 1️⃣", "great", "🔥 👍🏽 👍 👩‍💻 🇯🇵 1⃣"),
    Written("coffee☕now", "coffee now", "☕"),
    Written("", ""),
)


def post(number: int, text: str, account: str = "ann", operation: str = "create", **more: Any) -> Row:
    """A post whose key is ``k<number>``, by default ``number`` seconds into the day."""
    second = more.pop("second", number)
    record = {"text": text, "createdAt": "2026-11-23T00:00:00.000Z", **more}
    return commit(POST, account, second, f"k{number}", record, operation)


def load(client: Client, lake: LakeBuilder, events: list[Row]) -> None:
    """Store the events and fill the tables that a search reads."""
    hours = list(lake.store(events))
    for table in ("post_texts", "post_changes", "account_changes"):
        select = (SQL_FOLDER / "tables" / f"{table}.sql").read_text(encoding="utf-8")
        client.command(f"INSERT INTO ops.{table}\n{select}", parameters={"hours": hours, "batches": []})


@pytest.fixture
def analyst(client: Client, settings: Settings) -> Client:
    """Who searches."""
    return connect(settings, "analyst")


def found(client: Client, query: str, order: str = "newest") -> list[str]:
    """The keys of the posts that a query finds, in order."""
    asked = parse(query)
    return [hit.rkey for hit in run.posts(client, asked, run.holders(client, asked), order, 100)]


def expected(wanted: list[str], unwanted: list[str]) -> list[str]:
    """The keys by the corpus' own words, newest first."""

    def has(written: Written, asked: str) -> bool:
        return f" {asked} " in f" {written.words} " or asked in written.emoji.split()

    return [
        f"k{number}"
        for number, written in reversed(list(enumerate(CORPUS)))
        if all(has(written, asked) for asked in wanted) and not any(has(written, asked) for asked in unwanted)
    ]


def queries() -> dict[str, tuple[list[str], list[str]]]:
    """Every word and emoji of the corpus, phrases of two words, some excluded, and other spellings."""
    words = sorted({word for written in CORPUS for word in (*written.words.split(), *written.emoji.split())})
    asked = {" ".join(words[n::30]): (words[n::30], list[str]()) for n in range(2)}
    for n, written in enumerate(CORPUS):
        parts = written.words.split()
        if len(parts) > 1:
            phrase, other = " ".join(parts[-2:]), parts[0]
            asked |= {f"“{phrase}”": ([phrase], [])} if n % 2 else {f'-"{phrase}" {other}': ([other], [phrase])}
        asked |= {word: ([word], []) for word in (*parts[:1], *written.emoji.split())}
    asked |= {"CAFÉ": (["cafe"], []), "Кофе": (["кофе"], []), "都": (["都"], []), "МОЙ": (["мой"], [])}
    asked |= {
        "☕️": (["☕"], []),
        "σίσυφος": (["σισυφοσ"], []),
        "DON’T": (["don't"], []),
        "ｺｰﾋｰ": (["コーヒー"], []),
    }
    return asked | {
        "coffee☕️": (["coffee", "☕"], []),
        "-☕ now": (["now"], ["☕"]),
        '"morning good"': (["morning good"], []),
    }


def test_each_script_is_found_as_by_hand_and_the_same_without_the_index(
    client: Client, analyst: Client, lake: LakeBuilder
) -> None:
    load(client, lake, [post(number, written.text) for number, written in enumerate(CORPUS)])
    asked = queries()
    answers = {query: found(analyst, query) for query in asked}
    assert answers == {query: expected(*parts) for query, parts in asked.items()}
    assert sum(map(bool, answers.values())) > 40
    analyst.set_client_setting("use_skip_indexes", 0)
    assert {query: found(analyst, query) for query in list(asked)[::3]} == dict(list(answers.items())[::3])


def test_the_index_is_used_and_the_newest_are_read_first(
    client: Client, analyst: Client, lake: LakeBuilder
) -> None:
    load(client, lake, [post(number, "good morning coffee") for number in range(20)])
    query = parse('coffee "good morning" -tea #art ☕ domain:a.test alt:cat from:did:plc:ann since:2026-11-23')
    statement = statements.newest(query, {}, 20, 140)
    rows = analyst.query(
        f"EXPLAIN indexes = 1 {statement.sql}", parameters=statement.parameters.values
    ).result_rows
    plan = "\n".join(row[0] for row in rows)
    for index in ("words", "tags", "emoji", "domains", "alt_words", "did"):
        assert f"Name: {index}\n" in plan, plan
    assert "InReverseOrder" in plan
    assert "Partition" in plan


@pytest.fixture
def filtered(client: Client, analyst: Client, lake: LakeBuilder) -> Client:
    """Posts of two accounts with all that a filter asks for."""
    image = {"$type": "app.bsky.embed.images", "images": [{"alt": "A sleeping Cät"}, {"alt": ""}]}
    parent = {"uri": f"at://did:plc:bob/{POST}/k0", "cid": CID}
    tag = facets({"$type": "tag", "tag": "Ärt"}, {"$type": "link", "uri": "https://www.news.example.co.uk/a"})
    quoted = {"$type": "app.bsky.embed.record", "record": parent}
    load(
        client,
        lake,
        [
            post(0, "cat", "bob", langs=["pt-br"]),
            post(1, "cat", embed=image, langs=["en"]),
            post(2, "cat", embed={"$type": "app.bsky.embed.images", "images": [{"alt": ""}]}),
            post(3, "cat", facets=tag, langs=["eng"]),
            post(4, "cat", reply={"root": parent, "parent": parent}),
            post(5, "cat", facets=facets({"$type": "mention", "did": "did:plc:bob"}), embed=quoted),
            post(6, "cat", embed=card("https://media.tenor.com/x/y.gif")),
            post(7, "dog", embed={"$type": "app.bsky.embed.video"}, second=3600),
        ],
    )
    return analyst


FILTERED: Final = {
    "from:did:plc:bob": "0",
    "cat -from:did:plc:ann": "0",
    "to:did:plc:bob": "4",
    "mentions:did:plc:bob OR to:did:plc:bob": "54",
    "#art": "3",
    "tag:ÄRT": "3",
    "domain:example.co.uk": "3",
    "domain:News.example.co.uk": "3",
    "domain:co.uk": "",
    "lang:pt": "0",
    "lang:en": "31",
    "lang:pt-PT": "",
    'alt:"sleeping cat"': "1",
    "alt:dog OR dog": "7",
    "has:alt": "1",
    "cat has:image": "21",
    "has:video OR has:gif": "76",
    "has:link": "3",
    "has:quote OR has:reply": "54",
    "since:2026-11-23T01": "7",
    "cat until:2026-11-23T00:00:02": "10",
    "cat OR dog since:2026-11-23T00:00:06": "76",
}


def test_filters(filtered: Client) -> None:
    answers = {query: "".join(key.removeprefix("k") for key in found(filtered, query)) for query in FILTERED}
    assert answers == FILTERED


def test_a_post_is_shown_as_it_is_now_or_was_at_a_time(client: Client, analyst: Client, lake: LakeBuilder) -> None:
    """k1 is edited, k2 deleted, k3 deleted and written again; k4 came by a resync only."""
    old = post(4, "cat of old", second=5)
    old["commit"][MARK] = True
    load(
        client,
        lake,
        [
            *(post(n, "cat", second=n) for n in (1, 2, 3)),
            post(1, "dog", operation="update", second=3600),
            commit(POST, "ann", 3601, "k2", None, "delete"),
            commit(POST, "ann", 3602, "k3", None, "delete"),
            post(3, "cat again", second=3603),
            old,
        ],
    )
    assert found(analyst, "cat") == ["k3"]
    assert found(analyst, "dog") == ["k1"]
    assert found(analyst, "cat OR dog", "every form") == ["k3", "k1", "k3", "k2", "k1"]
    assert found(analyst, "cat as_of:2026-11-23T01:00") == ["k3", "k2", "k1"]
    assert found(analyst, "cat as_of:2026-11-23T01:00:01.5Z") == ["k3"]
    asked = parse("cat")
    counts = run.over_time(analyst, asked, {}, "hour")
    assert [(count.start, count.posts, count.of) for count in counts] == [(at(0), 3, 3), (at(1), 1, 1)]


def test_enough_are_found_where_the_newest_are_gone(client: Client, analyst: Client, lake: LakeBuilder) -> None:
    posts = [post(n, "cat") for n in range(160)]
    gone = [commit(POST, "ann", 3600 + n, f"k{n}", None, "delete") for n in range(5, 160)]
    load(client, lake, [*posts, *gone])
    hits = run.posts(analyst, parse("cat"), {}, "newest", 20)
    assert [hit.rkey for hit in hits] == ["k4", "k3", "k2", "k1", "k0"]


def test_handles_are_those_of_the_time_of_the_post(client: Client, analyst: Client, lake: LakeBuilder) -> None:
    def named(second: int, account: str, handle: str) -> Row:
        about = {"did": f"did:plc:{account}", "seq": second, "time": "t", "handle": handle}
        time_us = int(at(0, 0, second).timestamp() * 1e6)
        return {"did": about["did"], "time_us": time_us, "kind": "identity", "identity": about}

    load(
        client,
        lake,
        [
            *(named(10, "ann", "cat.test"), named(20, "ann", "new.test"), named(30, "bob", "cat.test")),
            *(post(n, "hello") for n in (5, 15, 25, 35)),
            post(36, "hello", "bob"),
        ],
    )
    assert found(analyst, "hello from:@Cat.test") == ["k36", "k15"]
    assert found(analyst, "from:new.test") == ["k35", "k25"]
    known = run.holders(analyst, parse("from:new.test"))
    assert "did:plc:ann since 2026-11-23T00:00:20Z" in "".join(run.notes(known))
    with pytest.raises(QueryError, match=r"nothing in the lake says who had the handle none\.test") as raised:
        found(analyst, "hello from:none.test")
    assert raised.value.position == len("hello ")


def test_likes_are_counted_up_to_a_time(client: Client, analyst: Client, lake: LakeBuilder) -> None:
    load(client, lake, [post(n, "cat") for n in (1, 2, 3)])
    for hour, n, made, undone in ((0, 1, 8, 1), (1, 1, 0, 3), (1, 2, 9, 0), (2, 3, 5, 0)):
        client.command(
            "INSERT INTO ops.engagement_by_hour SELECT toDate('2026-11-23'),"
            f" toDateTime('2026-11-23 0{hour}:00:00', 'UTC'), cityHash64('did:plc:ann'), '{POST}',"
            f" bitOr(cityHash64('k{n}'), 0x8000000000000000), 'like', {made}, {undone}"
        )
    assert found(analyst, "cat min_likes:5") == ["k3", "k2"]
    assert found(analyst, "cat min_likes:5 as_of:2026-11-23T01") == ["k1"]
    assert found(analyst, "cat min_likes:1 as_of:2026-11-23T02:30") == ["k2", "k1"]


def test_the_best_are_those_with_rarer_words_more_of_them_and_less_else(
    client: Client, analyst: Client, lake: LakeBuilder
) -> None:
    texts = [
        "cat and a great many other words that say nothing",
        "cat cat dog cat",
        "cat axolotl",
        "axolotl cat cat",
        "dog",
        *(["cat again"] * 5),
    ]
    load(client, lake, [post(number, text) for number, text in enumerate(texts)])
    asked = {"cat OR axolotl": [["cat"], ["axolotl"]], '"cat cat" OR dog': [["cat", "cat"], ["dog"]]}
    for query, phrases in asked.items():
        hits = run.posts(analyst, parse(query), {}, "ranked", 20)
        by_hand = bm25(texts, phrases)
        assert {hit.rkey: round(hit.score, 5) for hit in hits} == by_hand
        assert [hit.rkey for hit in hits] == sorted(by_hand, key=lambda key: (by_hand[key], int(key[1:])))[::-1]
    assert bm25(texts, [["cat"], ["axolotl"]])["k2"] == max(bm25(texts, [["cat"], ["axolotl"]]).values())
    with pytest.raises(QueryError, match="no words to rank posts by"):
        found(analyst, "#art", "ranked")


def bm25(texts: list[str], phrases: list[list[str]]) -> dict[str, float]:
    """The scores of the texts that have one of the phrases, by key."""
    words = [text.split() for text in texts]
    times = [
        [sum(post[n : n + len(phrase)] == phrase for n in range(len(post))) for phrase in phrases]
        for post in words
    ]
    having = [sum(found[n] > 0 for found in times) for n in range(len(phrases))]
    matching = [n for n in range(len(texts)) if any(times[n])]
    usual = sum(len(words[n]) for n in matching) / len(matching)
    return {
        f"k{n}": round(
            sum(
                log(1 + (len(texts) - having[m] + 0.5) / (having[m] + 0.5))
                * (count * 2.2)
                / (count + 1.2 * (0.25 + 0.75 * len(words[n]) / usual))
                for m, count in enumerate(times[n])
            ),
            5,
        )
        for n in matching
    }


def test_marks_are_places_in_the_text_as_written(client: Client, analyst: Client, lake: LakeBuilder) -> None:
    load(client, lake, [post(1, "Cafe\u0301 au lait, lait ☕️ du CAFÉ"), post(2, "黒猫と猫")])

    def marked(query: str) -> list[str]:
        (hit,) = run.posts(analyst, parse(query), {}, "newest", 5)
        return [hit.text[begin:end] for begin, end in hit.marks]

    assert marked('cafe "LAIT lait" -tea') == ["Cafe\u0301", "lait, lait", "CAFÉ"]
    assert marked("☕ au") == ["au", "☕️"]
    assert marked("猫") == ["猫", "猫"]


def test_sql_users_have_the_view_and_the_parameterised_one(
    client: Client, analyst: Client, lake: LakeBuilder
) -> None:
    load(client, lake, [post(1, "Flat WHITE, please"), post(2, "white and flat"), post(3, "flat")])
    query = "SELECT rkey FROM firehose.search(q = {asked:String}) WHERE day = '2026-11-23' ORDER BY at"
    assert analyst.query(query, parameters={"asked": "flát white"}).result_columns == [["k1", "k2"]]
    spelt = analyst.query(f"WITH {FUNCTIONS} SELECT in_one_spelling(unhex('ff41'))").result_rows
    assert [row[0] for row in spelt] == ["\ufffda"]  # no text stops a load
    statement = statements.newest(parse('it\'s OR "flat white" min_likes:1 as_of:2026-11-24'), {}, 5, 0)
    assert "{p" not in statement.literal
    odd = statements.newest(parse('"{p1:String}" "\') OR 1 --"'), {}, 5, 0)
    assert analyst.query(odd.literal).result_rows == []
    phrase = statements.newest(parse('"flat white" since:2026-11-23'), {}, 5, 0)
    assert [row["rkey"] for row in analyst.query(phrase.literal).named_results()] == ["k1"]


def test_the_command(
    client: Client, settings: Settings, lake: LakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("home", "lake", "clickhouse_url", "clickhouse_analyst_password"):
        monkeypatch.setenv(f"FIREHOSE_{name.upper()}", str(getattr(settings, name)))
    load(client, lake, [post(1, "a \x1b[31m cat\nnow"), post(2, "dog")])
    app = typer.Typer()
    app.command()(search)

    def ask(*arguments: str) -> tuple[str, str]:
        answer = CliRunner().invoke(app, arguments)
        if answer.exception:
            raise answer.exception
        return answer.stdout, answer.stderr

    out, err = ask("CAT")
    assert out.splitlines()[:2] == [
        "2026-11-23 00:00:01  https://bsky.app/profile/did:plc:ann/post/k1",
        "a  [31m cat now",
    ]
    assert err.startswith("1 post in ")
    hit = msgspec.json.decode(ask("cat", "--format", "json")[0])
    assert (hit["uri"], hit["marks"]) == (f"at://did:plc:ann/{POST}/k1", [[8, 11]])
    assert [line.split() for line in ask("cat", "--count-by", "day")[0].splitlines()[1:]] == [
        ["2026-11-23", "00:00", "1", "2", "50.0000%"]
    ]
    assert "hasAllTokens(words, in_one_spelling('cat'))" in ask("cat", "--sql")[0]
    with pytest.raises(FirehoseError, match="exclude each other"):
        ask("cat", "--rank", "--count-by", "day")
    answer = CliRunner().invoke(app, ["cat has:cats"])
    assert isinstance(answer.exception, QueryError)
    assert answer.stderr == "cat has:cats\n        ^\n"
