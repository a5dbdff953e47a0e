"""Reading a statement without running it: an INSERT's data, and the engine's syntax tree.

Lives here: finding where the data of an INSERT begins, and reading EXPLAIN AST. Must not: I/O, and decisions
about rights from its own parsing: those rest on the engine's classification and its grants.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: A comment or quote that is not closed goes to the end of the text: searching for its end from each start
#: would take time that grows with the square of the text's length.
_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*(?:\n|$)|\#!?\s[^\n]*(?:\n|$)|/\*.*?(?:\*/|\Z))
  | (?P<quoted>'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z)
    |"(?:[^"\\]++|\\.|"")*+(?:"|\\?\Z)|`(?:[^`\\]++|\\.|``)*+(?:`|\\?\Z))
  | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_READS: Final = frozenset({"SELECT", "WITH", "FROM", "WATCH", "EXPLAIN"})
_AST_LINE: Final = re.compile(r"^( *)(\w+)(.*)$")
_IDENTIFIER: Final = re.compile(r"^ Identifier (\w+)$")
_FUNCTION: Final = re.compile(r"^ *Function (\w+)", re.MULTILINE)
_SETTINGS: Final = re.compile(r"^ +Set\b", re.MULTILINE)
#: Roots of the syntax tree whose results chDB can stream.
_STREAMED: Final = frozenset({"SelectWithUnionQuery", "SelectIntersectExceptQuery", "SelectQuery"})


@dataclass(frozen=True)
class Insert:
    """An INSERT whose data follows in its own text or in the body."""

    head: str  # the statement without its FORMAT or VALUES
    input_format: str
    data_at: int  # position in the text where the data begins, in characters


@dataclass(frozen=True)
class Shape:
    """A statement as the engine's parser sees it."""

    root: str
    output_format: str | None  # as the statement itself names it
    functions: frozenset[str]  # ordinary and table functions, in lower case
    has_settings: bool  # a SETTINGS clause below the root

    @property
    def selects(self) -> bool:
        """True if it gives rows that can be streamed."""
        return self.root in _STREAMED


def insert_with_data(text: str) -> Insert | None:
    """Read ``text`` as an INSERT that brings data; None for any other statement, INSERT … SELECT too."""
    depth = 0
    words: list[str] = []
    format_at = -1
    for token in _TOKEN.finditer(text):
        if token["open"] or token["close"]:
            depth += 1 if token["open"] else -1
        word = (token["word"] or "").upper()
        if format_at >= 0:
            if not token["space"]:
                return _with_format(text, format_at, token) if word else None
        elif depth == 1 and word in ("SELECT", "WITH") and not words[2:]:
            return None
        elif depth == 0 and word:
            words.append(word)
            if words[0] != "INSERT" or word in _READS:
                return None
            if word == "VALUES" and len(words) > 2:
                return Insert(text[: token.start()], "Values", token.end())
            if word == "FORMAT" and len(words) > 2:
                format_at = token.start()
        elif depth == 0 and not words and not token["space"]:
            return None
    return Insert(text, "Values", len(text)) if words else None


def _last_words(text: str) -> list[str]:
    words = [token[0].upper() for token in _TOKEN.finditer(text) if not token["space"] and token[0] != ";"]
    return words[-2:]


def _with_format(text: str, format_at: int, name: re.Match[str]) -> Insert:
    """For ClickHouse the data begins after the blanks behind the format's name, and one line end."""
    blank = re.compile(r"[ \t\f]*\r?\n?").match(text, name.end())
    return Insert(text[:format_at], name[0], blank.end() if blank else name.end())


def shape(ast: str, statement: str) -> Shape:
    """Read the output of EXPLAIN AST for ``statement``. A FORMAT clause is the last identifier directly below the
    root; below some roots that may also be a table or a database, which the end of the text decides."""
    lines = ast.splitlines()
    root = _AST_LINE.match(lines[0]) if lines else None
    children = [line for line in lines[1:] if line.startswith(" ") and not line.startswith("  ")]
    named = _IDENTIFIER.match(children[-1]) if children else None
    is_query = root is not None and root[2] in (*_STREAMED, "Explain", "DescribeQuery")
    if named and not is_query:
        is_query = _last_words(statement) == ["FORMAT", named[1].upper()]
    functions = frozenset(name.lower() for name in _FUNCTION.findall(ast))
    return Shape(
        root[2] if root else "", named[1] if named and is_query else None, functions, bool(_SETTINGS.search(ast))
    )


def identifier(name: str) -> str:
    """A quoted identifier of ClickHouse."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def items(text: str) -> list[str]:
    """The parts of a list, between the commas that stand in no brackets and no quotes."""
    parts, depth, start = [], 0, 0
    for token in _TOKEN.finditer(text):
        depth += bool(token["open"]) - bool(token["close"])
        if depth == 0 and token[0] == ",":
            parts.append(text[start : token.start()])
            start = token.end()
    return [*parts, text[start:]]
