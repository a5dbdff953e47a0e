"""Text of posts: sentences in several languages, handles, links and tags.

Lives here: drawing strings. Must not: record layouts, identifiers.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from random import Random
from typing import Final
from unicodedata import normalize

from jetstream_simulator import words

_POOLS: Final = {language: text.split() for language, text in words.WORDS.items()}
_LANGUAGES: Final = [language for language, _ in words.LANGUAGES]
_WEIGHTS: Final = list(accumulate(weight for _, weight in words.LANGUAGES))
_EMOJI: Final = words.EMOJI.split()
_TAGS: Final = words.TAGS.split()
_DOMAINS: Final = words.DOMAINS.split()
_BIOS: Final = words.BIOS
_SPACELESS: Final = {"ja"}
_REGIONAL: Final = {"en": ("en-US", "en-us", "en-GB", "EN"), "pt": ("pt-BR", "pt_br"), "de": ("de-DE",)}
_WIDE: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
#: What keyboards and clients make of one tag: case, full width, another composition, marks and blanks around it.
_SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (
    str.upper,
    str.title,
    lambda tag: tag.translate(_WIDE),
    lambda tag: normalize("NFD", tag),
    lambda tag: f"#{tag}",
)


def languages(rng: Random) -> tuple[str, list[str] | None]:
    """The language to write in, and the post's ``langs`` (None: the record has none)."""
    drawn = rng.choices(_LANGUAGES, cum_weights=_WEIGHTS)[0]
    if drawn is None:
        return "en", None
    form = rng.random()
    if form < 0.02:
        return drawn, [drawn, "en"] if drawn != "en" else ["en", "en-US"]
    if form < 0.08 and drawn in _REGIONAL:
        return drawn, [rng.choice(_REGIONAL[drawn])]
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
    """A web address that was never seen before."""
    query = f"?v={rng.getrandbits(32):x}&t=1" if rng.random() < 0.3 else ""
    return f"https://{_skewed(rng, _DOMAINS)}/{rng.getrandbits(48):x}{query}"


def respelt(rng: Random, address: str) -> str:
    """The same web address, now and then in another spelling of its host."""
    form = rng.random()
    if form < 0.9:
        return address
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    if form < 0.93:
        return f"http://{host}{slash}{path}"
    if form < 0.96:
        return f"{scheme}://{host.title()}{slash}{path}"
    return f"{scheme}://{host.removeprefix('www.')}.{slash}{path}"


def gif(rng: Random) -> str:
    """The address of a GIF that a client's picker inserts."""
    return f"https://media.tenor.com/{rng.getrandbits(60):x}/{rng.choice(_POOLS['en'])}.gif?hh=280&ww=498"


def hashtag(rng: Random) -> str:
    """A tag. The first tags of the list are far more frequent; one in six has another spelling."""
    tag = _skewed(rng, _TAGS)
    return tag if rng.random() < 0.84 else rng.choice(_SPELLINGS)(tag)


def bio(rng: Random) -> str:
    """An account's description of itself. Some copy another account's word for word."""
    return rng.choice(_BIOS) if rng.random() < 0.08 else sentence(rng, "en", rng.randint(0, 30))


def _skewed(rng: Random, items: list[str]) -> str:
    return items[int(len(items) * rng.random() ** 2.5)]
