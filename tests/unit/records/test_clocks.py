"""TIDs and claimed times, against values worked out by hand and by the standard library."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from firehose.records.clocks import canonical_text, claimed_instants, tid_us

# 2222222222222 is 0; each character is five bits, the last ten bits are the clock id.
CLOCKS = {
    "2222222222222": 0,
    "2222222222322": 1,  # one in the bit above the clock id
    "3jzfcijpj2z2a": 1688137381887007,  # the example of atproto.com/specs/tid, 2023-06-30
    "jzzzzzzzzzzzz": 2**54 - 1,
}
NO_TIDS = ["self", "", "zzzzzzzzzzzzz", "3jzfcijpj2z21", "3jzfcijpj2z2aa", "3JZFCIJPJ2Z2A", "ééééééa", None]


def test_a_tid_gives_its_microseconds() -> None:
    assert tid_us(pa.array(CLOCKS)).to_pylist() == list(CLOCKS.values())


def test_a_key_that_is_no_tid_has_no_clock() -> None:
    assert tid_us(pa.array(NO_TIDS, pa.string())).to_pylist() == [None] * len(NO_TIDS)
    assert tid_us(pa.array([], pa.string())).to_pylist() == []
    assert tid_us(pa.array(["zzzzzzzzzzzzz"])).to_pylist() == [None]  # nothing of another length next to it


def test_each_key_has_its_own_clock() -> None:
    mixed = pa.array([None, *CLOCKS, "self", *CLOCKS])
    expected = [None, *CLOCKS.values(), None, *CLOCKS.values()]
    assert tid_us(mixed).to_pylist() == expected
    # Parts of arrays lie at an offset in memory.
    assert tid_us(mixed[2:]).to_pylist() == expected[2:]
    assert tid_us(pa.array(CLOCKS)[1:3]).to_pylist() == list(CLOCKS.values())[1:3]


def test_a_canonical_claim_needs_no_text() -> None:
    instants, texts = claimed_instants(["2026-05-25T14:23:28.778Z", None])
    assert instants.to_pylist() == [datetime(2026, 5, 25, 14, 23, 28, 778000, UTC), None]
    assert texts.to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("claim", "instant"),
    [
        ("2026-05-25T14:23:28Z", datetime(2026, 5, 25, 14, 23, 28, tzinfo=UTC)),
        ("2026-05-25T14:23:28.123456Z", datetime(2026, 5, 25, 14, 23, 28, 123456, UTC)),
        ("2026-05-25T16:23:28.100+02:00", datetime(2026, 5, 25, 14, 23, 28, 100000, UTC)),
        ("0001-01-01T00:00:00.000Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("2826-01-01T00:00:00.000Z", datetime(2826, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:00", None),  # before the first representable instant
        ("2026-13-01T00:00:00.000Z", None),  # canonical in form only
        ("2026-02-31T00:00:00.000Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_an_odd_claim_keeps_its_text_or_comes_back_from_its_instant(claim: str, instant: datetime | None) -> None:
    instants, texts = claimed_instants([claim, "2026-05-25T14:23:28.778Z"])
    assert instants[0].as_py() == instant
    kept = texts[0].as_py()
    assert kept == claim if kept is not None else canonical_text(instants[0].as_py()) == claim
    assert texts[1].as_py() is None
