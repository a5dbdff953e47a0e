"""Tags and declared languages in one spelling, whatever keyboard or client wrote them. Pure functions.

Must not: judge what is a good tag or a real language; what was written stays in the record.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import langcodes
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from langcodes.tag_parser import LanguageTagError

#: The language tag of what a client declared that is not a language tag (BCP 47's "undetermined").
UNDETERMINED: Final = "und"

_CACHED: Final = 1 << 16
# Invisible characters, as Unicode's NFKC_Casefold drops them, but for the joiners and the flags' tag characters:
# without these an emoji of a family falls apart, and Persian words run together.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0100-\U000e0fff]"
)
_LEADING: Final = re.compile(r"[#\s]+")
# What folding the case of the Turkish capital I with a dot leaves: a dot above a letter that has one.
_DOTTED_I: Final = "i\u0307"


@lru_cache(_CACHED)
def tag(written: str) -> str:
    """A tag without ``#`` and blanks around it, in one width, case and composition; may be empty.

    It is Unicode's compatibility caseless form (NFKC, case folding, NFKC).
    """
    if written.isascii():
        folded = written.lower()
    else:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", written).casefold())
        folded = _INVISIBLE.sub("", folded).replace(_DOTTED_I, "i")
    return _LEADING.sub("", folded, count=1).rstrip() if _LEADING.match(folded) else folded.rstrip()


@lru_cache(_CACHED)
def language(declared: str) -> str:
    """A language tag in BCP 47's canonical form, such as ``pt-BR``; :data:`UNDETERMINED` where it is not one."""
    try:
        return langcodes.standardize_tag(declared.strip())
    except LanguageTagError:
        return UNDETERMINED


def canonical_languages(declared: pa.ListArray) -> pa.ListArray:
    """Each row's declared languages in canonical form, each once; null and empty lists stay what they are."""
    spoken = pc.dictionary_encode(declared.flatten())
    canonical = pc.dictionary_encode(pa.array(map(language, spoken.dictionary.to_pylist()), pa.string()))
    codes = canonical.indices.to_numpy()[spoken.indices.to_numpy()] if len(spoken) else np.empty(0, np.int32)
    rows = pc.list_parent_indices(declared).to_numpy()
    if len(rows) and (rows[1:] == rows[:-1]).any():
        # The first of each language within a row; the order stays.
        first = np.sort(np.unique(rows * (len(canonical) + 1) + codes, return_index=True)[1])
        rows, codes = rows[first], codes[first]
    lengths = np.bincount(rows, minlength=len(declared))
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
    values = canonical.dictionary.take(pa.array(codes))
    return pa.ListArray.from_arrays(offsets, values, mask=declared.is_null())
