"""Former names in records of gaps: old records are read, and the version before can read new ones."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from firehose.batch.coverage import read_records
from firehose.store import LocalLake
from ingester.contract.gap import OLD_REASONS, Gap, Reason, encoded, encoded_list


class Before(msgspec.Struct, kw_only=True):
    """The parts of a record that are renamed, as the version before reads them."""

    reason: str
    healed: str = ""


def gap(reason: Reason, filled: str) -> Gap:
    """A gap."""
    return Gap(id="x", reason=reason, from_us=1, to_us=2, noted_us=3, filled=filled)


@pytest.mark.parametrize("filled", ["", "replay"])
@pytest.mark.parametrize("reason", Reason)
def test_either_version_reads_what_the_other_has_written(reason: Reason, filled: str) -> None:
    record = gap(reason, filled)
    former = OLD_REASONS.get(reason, reason.value)
    before = f'{{"id":"x","reason":"{former}","from_us":1,"to_us":2,"noted_us":3,"healed":"{filled}"}}'
    assert msgspec.json.decode(before, type=Gap) == record
    assert msgspec.json.decode(encoded(record), type=Before) == Before(reason=former, healed=filled)
    after = f'{{"id":"x","reason":"{reason.value}","from_us":1,"to_us":2,"noted_us":3,"filled":"{filled}"}}'
    assert msgspec.json.decode(after, type=Gap) == record == msgspec.json.decode(encoded(record), type=Gap)


def test_a_record_that_is_filled_later_says_so_under_both_names() -> None:
    filled = msgspec.structs.replace(gap(Reason.PARTIAL, ""), filled="archive")
    assert (filled.filled, filled.healed) == ("archive", "archive")


def test_an_unknown_reason_is_still_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="'deaf'"):
        msgspec.json.decode(b'{"id":"x","reason":"deaf","from_us":1,"to_us":2,"noted_us":3}', type=Gap)


def test_the_ledgers_former_files_are_read(tmp_path: Path) -> None:
    records = [gap(Reason.PARTIAL, "other host"), gap(Reason.OVERSIZE, "")]
    path = LocalLake(tmp_path) / "batch=1.json"
    path.write(
        b'[{"id":"x","reason":"blind","from_us":1,"to_us":2,"noted_us":3,"healed":"other host"},'
        b'{"id":"x","reason":"unread","from_us":1,"to_us":2,"noted_us":3}]'
    )
    assert read_records(path) == records
    path.write(encoded_list(records))
    assert read_records(path) == records
