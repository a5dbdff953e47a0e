"""The clocks of an event: the record key's TID, and the time that the client claims. Pure functions.

TID: 13 characters of base32-sortable, a 64-bit integer of 53 bits of microseconds and 10 bits of clock id
(atproto.com/specs/tid).
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_TO_BASE32 = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_TID_CHARACTERS = frozenset(_ALPHABET)
# The first character holds the sign bit (always 0) and four bits more.
_TID_FIRST = frozenset("234567abcdefghij")

# Arrow knows a year 0000, Python does not.
_YEAR = r"(?:[1-9]\d{3}|\d[1-9]\d\d|\d\d[1-9]\d|\d{3}[1-9])"
_CANONICAL = rf"^{_YEAR}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z$"
_INSTANT = pa.timestamp("us", tz="UTC")


def tid_us(key: str) -> int | None:
    """Microseconds since the epoch of a TID; None where ``key`` is none."""
    if len(key) != 13 or key[0] not in _TID_FIRST or not _TID_CHARACTERS.issuperset(key):
        return None
    return int(key.translate(_TO_BASE32), 32) >> 10


def claimed_instants(claims: list[str | None]) -> tuple[pa.Array, pa.Array]:
    """``createdAt`` strings as instants, and as text where the instant in canonical form is not the text.

    Returns two arrays of ``len(claims)``: timestamp[us, UTC], null where the claim is no instant, and string,
    null where ``YYYY-MM-DDTHH:MM:SS.mmmZ`` of the instant gives the claim back. Most clients write that form,
    so it is parsed for a whole column at once.
    """
    texts = pa.array(claims, pa.string())
    canonical = pc.fill_null(pc.match_substring_regex(texts, _CANONICAL), False)
    try:
        instants = pc.cast(pc.if_else(canonical, texts, None), _INSTANT)
    except pa.ArrowInvalid:  # canonical in form only: a 13th month, a 31st of February
        canonical = pa.array([claim is not None and _is_canonical(claim) for claim in claims])
        instants = pc.cast(pc.if_else(canonical, texts, None), _INSTANT)
    if pc.all(canonical).as_py():
        return instants, pa.nulls(len(claims), pa.string())
    odd = pa.array(
        [
            None if ok or claim is None else _instant(claim)
            for claim, ok in zip(claims, canonical.to_pylist(), strict=True)
        ],
        _INSTANT,
    )
    return pc.coalesce(instants, odd), pc.if_else(canonical, None, texts)


def canonical_text(instant: datetime) -> str:
    """The form that :func:`claimed_instants` takes as canonical."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z".zfill(24)


def _is_canonical(claim: str) -> bool:
    instant = _instant(claim)
    return instant is not None and canonical_text(instant) == claim


def _instant(claim: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(claim)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
