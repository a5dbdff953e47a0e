"""Reading migration files and telling which of them are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from firehose.errors import FirehoseError
from firehose.warehouse.migrate import Migration, pending, read_migrations, split_statements
from firehose.warehouse.sql import SQL_FOLDER


def test_the_projects_own_migrations_can_be_read() -> None:
    found = read_migrations(SQL_FOLDER / "migrations")
    assert [m.number for m in found] == list(range(1, len(found) + 1))
    assert all(m.statements for m in found)


def test_a_migration_that_was_once_released_is_never_edited() -> None:
    # ClickHouse remembers each by its digest and goes on with no other one: not even a comment may change.
    lines = Path(__file__).with_name("released_migrations.txt").read_text().split()
    released = dict(zip(lines[1::2], lines[::2], strict=True))
    there = {f"{one.name}.sql": one.sha256 for one in read_migrations(SQL_FOLDER / "migrations")}
    assert there == released, "write a new migration; a new one is added to released_migrations.txt"


def test_statements_end_with_a_semicolon_at_the_end_of_a_line() -> None:
    assert split_statements("SELECT ';', 1; -- a\n;\n\nSELECT 2;  \n") == ("SELECT ';', 1; -- a", "SELECT 2")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a.sql", "0003_c.sql"], "without a gap"),
        (["0001_a.sql", "0001_b.sql"], "without a gap"),
        (["0000_a.sql"], "without a gap"),
        (["1_a.sql"], "NNNN_name.sql"),
        (["first.sql"], "NNNN_name.sql"),
    ],
)
def test_misnumbered_files_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(FirehoseError, match=message):
        read_migrations(tmp_path)


FIRST, SECOND = (Migration(n, f"000{n}_x", f"hash{n}", ("SELECT 1",)) for n in (1, 2))


def test_only_what_is_missing_is_pending() -> None:
    assert pending([FIRST, SECOND], {1: ("0001_x", "hash1")}) == [SECOND]


def test_an_edited_migration_is_an_error() -> None:
    with pytest.raises(FirehoseError, match="0001_x was edited"):
        pending([FIRST], {1: ("0001_x", "other")})


def test_a_database_that_is_ahead_of_the_code_is_an_error() -> None:
    with pytest.raises(FirehoseError, match="0002_x, which this version of firehose does not"):
        pending([FIRST], {1: ("0001_x", "hash1"), 2: ("0002_x", "hash2")})
