"""Posts and queries of ``firehose bench search``: the simulator's, and scripts and accents that it does not write.

Lives here: drawing them, the same for the same seed. Must not: measure, files.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Final, NamedTuple

from jetstream_simulator import identifiers, posts, text, words
from jetstream_simulator.clocks import Clocks
from jetstream_simulator.lines import commit_line
from jetstream_simulator.population import Made, Population, Post

POST: Final = "app.bsky.feed.post"
#: Languages beside the simulator's. Thai writes no blanks.
_MORE: Final = {
    "ru": """и в не на я что тот быть с а весь это как она по но они к у ты из мы за вы так же от сказать этот
    который мочь ещё ёлка мой мои моё утро кофе кошка собака книга музыка погода дождь солнце город
    работа хорошо спасибо""",
    "ar": """في من على إلى أن هذا التي الذي كان عن مع ما لا كل بعد قبل اليوم غدا صباح الخير القهوة قطة كتاب
    موسيقى مُحَمَّد شمس مطر مدينة عمل شكرا جميل""",
    "th": """ที่ และ ใน เป็น ของ ไม่ มี ได้ ว่า จะ ให้ มา ไป กับ วันนี้ พรุ่งนี้ สวัสดี ครับ ค่ะ กาแฟ แมว หมา
    หนังสือ เพลง ฝน แดด เมือง ทำงาน ขอบคุณ อร่อย น่ารัก กำลัง น้ำ""",
    "hi": """है और के में की से को नहीं यह पर हम आज कल सुबह चाय कॉफी बिल्ली कुत्ता किताब संगीत बारिश धूप शहर काम
    धन्यवाद नमस्ते""",
    "vi": """và của là có không được cho một những người này trong đã tôi sáng cà phê mèo chó sách nhạc mưa nắng
    tiếng Việt""",
    "pl": """i w nie na się z że do to jest jak ale po już tylko kawa książka muzyka łódź żółw dziękuję piękny
    źródło""",
    "tr": """ve bir bu da için ile çok ben ne gibi daha kahve kedi köpek kitap müzik yağmur güneş İstanbul ışık
    çalışma""",
}
_LANGUAGES: Final = {name: written.split() for name, written in {**words.WORDS, **_MORE}.items()}
_SPACELESS: Final = {"ja", "th"}
_SHARE: Final = 0.2  # of posts in languages of this file
_DELETED, _EDITED = 0.03, 0.01


class Drawn(NamedTuple):
    """A query, and what kind it is."""

    kind: str
    query: str


def events(count: int, seed: int, start_us: int, span_us: int) -> Iterator[bytes]:
    """Events of posts, evenly over a span: most create one, some edit or delete an earlier one."""
    rng = Random(seed)  # noqa: S311 - the same for the same seed
    people, clocks = Population(seed, rng), Clocks()
    for number in range(count):
        at = start_us + span_us * number // count
        made = people.take_made(POST) if rng.random() < _DELETED + _EDITED else None
        account = made.account if made else people.account()
        did, rev = people.did(account), clocks.rev(account, at)
        if made and rng.random() < _DELETED / (_DELETED + _EDITED):
            yield commit_line(did, at, rev, "delete", POST, made.rkey, None)
            continue
        rkey = made.rkey if made else clocks.post_key(account, at, rng.getrandbits(11))
        record = _record(rng, people, at)
        cid = identifiers.hash_cid(rng.randbytes(32))
        uri = f"at://{did}/{POST}/{rkey}"
        people.add_post(Post(uri, cid, uri, cid))
        people.add_made(POST, Made(account, rkey))
        yield commit_line(did, at, rev, "update" if made else "create", POST, rkey, record, cid=cid)


def _record(rng: Random, people: Population, at: int) -> dict[str, Any]:
    record, _ = posts.post(rng, people, identifiers.iso(at), at)
    if rng.random() < _SHARE:
        language = rng.choice(list(_MORE))
        record |= {"langs": [language], "text": _sentence(rng, language)}
    return record


def _sentence(rng: Random, language: str) -> str:
    drawn = rng.choices(_LANGUAGES[language], k=3 + int(rng.expovariate(1 / 12)) % 40)
    emoji = " " + rng.choice(words.EMOJI.split()) if rng.random() < 0.2 else ""
    return ("" if language in _SPACELESS else " ").join(drawn) + emoji


def queries(count: int, seed: int) -> list[Drawn]:
    """Random queries in all languages of the corpus."""
    rng = Random(seed)  # noqa: S311 - the same for the same seed
    return [_query(rng) for _ in range(count)]


def _query(rng: Random) -> Drawn:
    language = rng.choice(list(_LANGUAGES))
    first, second, third = (_safe(rng, language) for _ in range(3))
    space = "" if language in _SPACELESS else " "
    emoji = rng.choice(words.EMOJI.split())
    kinds = {
        "word": first,
        "word in another case": first.upper(),
        "words": f"{first} {second}",
        "phrase": f'"{first}{space}{second}"',
        "long phrase": f"“{first}{space}{second}{space}{third}”",
        "excluded word": f"{first} -{second}",
        "excluded phrase": f'{first} -"{second}{space}{third}"',
        "either": f"{first} OR {second}",
        "tag": f"#{text.hashtag(rng).strip('# ')}",
        "emoji": f"{emoji} {first}" if rng.random() < 0.5 else emoji,
        "filtered": f"{first} has:image lang:{language}",
        "rare": f"{first}{rng.getrandbits(16):x}",
    }
    kind = rng.choice(list(kinds))
    return Drawn(kind, kinds[kind])


def _safe(rng: Random, language: str) -> str:
    """A word that is not punctuation alone."""
    while not (word := rng.choice(_LANGUAGES[language])).isalnum() and not word[0].isalpha():
        pass
    return word
