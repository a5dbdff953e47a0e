"""The syntax of the network's names as atproto.com/specs has it: the one place that knows it.

Lives here: patterns and greatest lengths. They hold in Python's ``re`` and in RE2 (Arrow), so no look-around, no
``\\d``, no repetition over 1,000. Must not: I/O, judging an event (quality/rules.py).
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

import msgspec


class Syntax(msgspec.Struct, frozen=True, dict=True):
    """One kind of name: a pattern for the whole text, and the most characters that it may have."""

    name: str
    pattern: str
    longest: int

    def matches(self, text: str) -> bool:
        """Whether ``text`` is such a name."""
        return len(text) <= self.longest and self._compiled.fullmatch(text) is not None

    @property
    def open_ended(self) -> bool:
        """Whether the pattern alone lets a text be of any length."""
        return "*" in self.pattern or "+" in self.pattern

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)


def _whole(body: str) -> str:
    return f"^(?:{body})$"


# A label of a domain name: 1 to 63 letters, digits and hyphens, the hyphens inside.
_LABEL: Final = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_LETTER_LABEL: Final = "[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"

# A colon or a percent sign at the end would leave open what follows it.
_DID: Final = "did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]"
#: Of any method; the method's own rules are not checked.
DID: Final = Syntax("a DID", _whole(_DID), 2048)

_HANDLE: Final = rf"(?:{_LABEL}\.)+{_LETTER_LABEL}"
#: A domain name whose last label begins with a letter.
HANDLE: Final = Syntax("a handle", _whole(_HANDLE), 253)

_NSID: Final = rf"{_LETTER_LABEL}(?:\.{_LABEL})+\.[a-zA-Z][a-zA-Z0-9]{{0,62}}"
#: A reversed domain name, whose first label begins with a letter, and a name of letters and digits.
NSID: Final = Syntax("an NSID", _whole(_NSID), 317)

# Anything but "." and "..": they would mean something else in a path.
_RECORD_KEY: Final = r"[a-zA-Z0-9_~:-][a-zA-Z0-9._~:-]*|\.[a-zA-Z0-9_~:-][a-zA-Z0-9._~:-]*|\.\.[a-zA-Z0-9._~:-]+"
RECORD_KEY: Final = Syntax("a record key", _whole(_RECORD_KEY), 512)

#: As lexicons use it: an account, a collection of it, or a record; no query, no fragment. The greatest lengths
#: of its parts are not checked.
AT_URI: Final = Syntax("an at-uri", _whole(f"at://(?:{_DID}|{_HANDLE})(?:/{_NSID}(?:/(?:{_RECORD_KEY}))?)?"), 8192)

#: 64 bits in base32-sortable, the uppermost one 0.
TID: Final = Syntax("a TID", _whole("[2-7a-j][2-7a-z]{12}"), 13)

#: CIDs of records are version 1 in base32: codec and hash are not checked.
RECORD_CID: Final = Syntax("a record's CID", _whole("b[a-z2-7]{58}"), 59)

# The year 0000 is none, and years before 0010 are taken for mistakes.
_DATE: Final = (
    "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9])-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
)
# -00:00 means that the time zone is not known.
_OFFSET: Final = (
    r"Z|\+(?:[01][0-9]|2[0-3]):[0-5][0-9]|-(?:(?:0[1-9]|1[0-9]|2[0-3]):[0-5][0-9]|00:(?:0[1-9]|[1-5][0-9]))"
)
#: RFC 3339 with seconds and a time zone. Whether the month has that day is not checked.
DATETIME: Final = Syntax("a datetime", _whole(rf"{_DATE}(?:\.[0-9]{{1,20}})?(?:{_OFFSET})"), 64)

_SUBTAGS: Final = (
    "(?:[a-zA-Z]{2,3}(?:-[a-zA-Z]{3}){0,3}|[a-zA-Z]{4,8})"  # language, extended language
    "(?:-[a-zA-Z]{4})?(?:-(?:[a-zA-Z]{2}|[0-9]{3}))?"  # script, region
    "(?:-(?:[a-zA-Z0-9]{5,8}|[0-9][a-zA-Z0-9]{3}))*"  # variants
    "(?:-[0-9a-wyzA-WYZ](?:-[a-zA-Z0-9]{2,8})+)*"  # extensions
)
_PRIVATE: Final = "[xX](?:-[a-zA-Z0-9]{1,8})+"
# Registered before the grammar was made, and not of its form.
_GRANDFATHERED: Final = (
    "[eE][nN]-[gG][bB]-[oO][eE][dD]|[sS][gG][nN]-(?:[bB][eE]-(?:[fF][rR]|[nN][lL])|[cC][hH]-[dD][eE])|"
    "[iI]-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)"
)
#: BCP 47 (RFC 5646, section 2.1). That a variant or an extension is named once only is not checked.
LANGUAGE: Final = Syntax("a language", _whole(f"{_SUBTAGS}(?:-{_PRIVATE})?|{_PRIVATE}|{_GRANDFATHERED}"), 255)
