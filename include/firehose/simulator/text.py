"""Text of posts: sentences in several languages, handles, links and tags.

Lives here: drawing strings. Must not: record layouts, identifiers.
"""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import Final

from firehose.simulator import words

_POOLS: Final = {language: text.split() for language, text in words.WORDS.items()}
_LANGUAGES: Final = [language for language, _ in words.LANGUAGES]
_WEIGHTS: Final = list(accumulate(weight for _, weight in words.LANGUAGES))
_EMOJI: Final = words.EMOJI.split()
_TAGS: Final = words.TAGS.split()
_DOMAINS: Final = words.DOMAINS.split()
_SPACELESS: Final = {"ja"}


def languages(rng: Random) -> tuple[str, list[str] | None]:
    """The language to write in, and the post's ``langs`` (None: the record has none)."""
    drawn = rng.choices(_LANGUAGES, cum_weights=_WEIGHTS)[0]
    if drawn is None:
        return "en", None
    if rng.random() < 0.02:
        return drawn, [drawn, "en"] if drawn != "en" else ["en", "en-US"]
    return drawn, [drawn]


def sentence(rng: Random, language: str, count: int) -> str:
    """About ``count`` words in ``language``, sometimes with emoji, marks, or characters that Go escapes."""
    drawn = rng.choices(_POOLS[language], k=count)
    text = ("" if language in _SPACELESS else " ").join(drawn)
    mark = rng.random()
    if mark < 0.30:
        text += "."
    elif mark < 0.45:
        text += " " + rng.choice(_EMOJI)
    elif mark < 0.50 and drawn:
        text += "\n\n" + " & ".join(rng.choices(drawn, k=2)) + " <3"
    return text


def handle(rng: Random) -> str:
    """A handle, mostly under bsky.social."""
    name = rng.choice(_POOLS["en"]).replace("'", "").lower() + f"{rng.getrandbits(20):x}"
    return f"{name}.bsky.social" if rng.random() < 0.9 else f"{name}.example.com"


def link(rng: Random) -> str:
    """A web address."""
    query = f"?v={rng.getrandbits(32):x}&t=1" if rng.random() < 0.3 else ""
    return f"https://{_skewed(rng, _DOMAINS)}/{rng.getrandbits(48):x}{query}"


def hashtag(rng: Random) -> str:
    """A tag without its '#', the first ones of the list far more often."""
    return _skewed(rng, _TAGS)


def _skewed(rng: Random, items: list[str]) -> str:
    return items[int(len(items) * rng.random() ** 2.5)]
