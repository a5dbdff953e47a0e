"""Where in a post's text the words and emoji are that were asked for. Pure functions.

The engine gives the text's own words and their one spelling, so that nothing is spelt here.
Must not: SQL, decide what matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

Mark = tuple[int, int]

#: What may stand between the characters of an emoji that the engine's list leaves out.
_VARIATION: Final = "[\ufe0e\ufe0f]?"


def marks(
    text: str,
    pieces: Sequence[str],
    spelt: Sequence[str],
    asked_words: Sequence[Sequence[str]],
    asked_emoji: Sequence[str],
) -> list[Mark]:
    """Spans of ``text``, from and to, in order and apart.

    ``pieces`` are the text's words in order, ``spelt`` the same in one spelling.
    """
    places = list(_places(text, pieces))
    found = [
        (places[first][0], places[first + len(words) - 1][1])
        for words in asked_words
        if words
        for first in range(len(places) - len(words) + 1)
        if list(spelt[first : first + len(words)]) == list(words)
    ]
    for emoji in asked_emoji:
        pattern = "".join(re.escape(character) + _VARIATION for character in emoji)
        found += [match.span() for match in re.finditer(pattern, text)]
    return _apart(sorted(found))


def _places(text: str, pieces: Sequence[str]) -> Iterator[Mark]:
    at = 0
    for piece in pieces:
        at = text.index(piece, at)
        yield at, at + len(piece)
        at += len(piece)


def _apart(found: list[Mark]) -> list[Mark]:
    """Spans that overlap become one."""
    joined: list[Mark] = []
    for begin, end in found:
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
