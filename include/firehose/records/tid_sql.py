"""SQL for TIDs, the usual record keys and all revisions: text to number and back. Pure text.

Must not: know any column.
"""

from __future__ import annotations

from typing import Final

_LETTERS: Final = "234567abcdefghijklmnopqrstuvwxyz"
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def is_tid(key: str) -> str:
    """Whether the text is a TID."""
    return f"match({key}, '^[2-7a-j][2-7a-z]{{12}}$')"


def value_of(key: str) -> str:
    """The number of 63 bits that a TID stands for; of other texts whatever comes out."""
    # 13 letters of five bits are 65: with three of zeros before them ten bytes, of which the last eight hold it.
    ten = f"tryBase32Decode(concat('AAA', translate({key}, '{_LETTERS}', '{_BASE32}')))"
    return f"byteSwap(reinterpretAsUInt64(substring({ten}, 3)))"


def text_of(value: str) -> str:
    """The inverse of :func:`value_of`."""
    ten = f"concat(unhex('0000'), reinterpretAsFixedString(byteSwap(toUInt64({value}))))"
    return f"translate(substring(base32Encode({ten}), 4), '{_BASE32}', '{_LETTERS}')"
