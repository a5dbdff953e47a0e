"""The clocks of an event: the record key's TID, and the time that the client claims. Pure functions.

TID: 13 characters of base32-sortable, a 64-bit integer of 53 bits of microseconds and 10 bits of clock id
(atproto.com/specs/tid).
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
# Characters by their code; 255 for all others. The first one holds the sign bit (always 0) and four bits more.
_VALUES = np.full(256, 255, np.uint64)
_VALUES[list(_ALPHABET.encode())] = range(32)
_LETTERS = np.frombuffer(_ALPHABET.encode(), np.uint8)
_LENGTH = 13
CLOCK_BITS = 10  # of the value; the microseconds are above them

# Arrow knows a year 0000, Python does not.
_YEAR = r"(?:[1-9]\d{3}|\d[1-9]\d\d|\d\d[1-9]\d|\d{3}[1-9])"
_CANONICAL = rf"^{_YEAR}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z$"
_INSTANT = pa.timestamp("us", tz="UTC")


def tid_us(keys: pa.Array) -> pa.Array:
    """Microseconds since the epoch of each TID of a string array; null where a key is not one."""
    return pc.shift_right(tid_values(keys), pa.scalar(CLOCK_BITS, pa.uint64())).cast(pa.int64())


def tid_values(keys: pa.Array) -> pa.Array:
    """The integer of 64 bits that each TID of a string array stands for; null where a key is not one."""
    right = pc.fill_null(pc.equal(pc.binary_length(keys), _LENGTH), False)
    whole = keys if pc.all(right).as_py() else keys.filter(right)
    # Strings of one length lie in memory as a table of characters.
    start = whole.offset * _LENGTH if whole is keys else 0
    text = np.frombuffer(whole.buffers()[2] or b"", np.uint8, len(whole) * _LENGTH, start)
    values = _VALUES[text.reshape(-1, _LENGTH)]
    is_tid = (values.max(axis=1, initial=0) < 32) & (values[:, 0] < 16)
    shifts = np.arange(_LENGTH - 1, -1, -1, dtype=np.uint64) * np.uint64(5)
    clock = np.bitwise_or.reduce(values << shifts, axis=1)
    found = pa.array(clock, mask=~is_tid)
    return found if whole is keys else pc.replace_with_mask(pa.nulls(len(keys), pa.uint64()), right, found)


def tid_texts(values: pa.Array) -> pa.Array:
    """The inverse of :func:`tid_values`; null stays null."""
    held = values.fill_null(0).to_numpy(zero_copy_only=False)
    text = np.empty((len(held), _LENGTH), np.uint8)
    for place in range(_LENGTH):
        text[:, place] = _LETTERS[held >> np.uint64((_LENGTH - 1 - place) * 5) & np.uint64(31)]
    ends = pa.py_buffer(np.arange(len(held) + 1, dtype=np.int32) * _LENGTH)
    made = pa.StringArray.from_buffers(len(held), ends, pa.py_buffer(text.tobytes()))
    return made if not values.null_count else pc.if_else(values.is_valid(), made, None)


def claimed_instants(claims: list[str | None]) -> tuple[pa.Array, pa.Array]:
    """``createdAt`` strings as instants, and as text where the instant in canonical form is not the text.

    Returns two arrays of ``len(claims)``: timestamp[us, UTC], null where the claim is not an instant, and string,
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


def canonical_texts(instants: pa.Array) -> pa.Array:
    """As :func:`canonical_text`, for a whole array of instants from 1970 on."""
    return pc.binary_replace_slice(
        pc.cast(pc.cast(instants, pa.timestamp("ms", tz="UTC"), safe=False), pa.string()), 10, 11, "T"
    )


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
