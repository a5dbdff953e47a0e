"""Brings ops.gaps up to the lake's coverage ledger, in one step.

Must not: decide what a gap is, or whether it is filled (firehose.batch.gaps).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from firehose import crash
from ingester.contract.gap import Gap
from ingester.contract.logs import get_logger

log = get_logger(__name__)

_COLUMNS: Final = ("id", "reason", "host", "protocol", "type", "start", "end", "filled", "noted_at")
_STAGING: Final = "ops.staging_gaps"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: The latest time that DateTime64(6) holds. A gap's times come from other clocks and may be any number.
_MAX_US: Final = int((datetime(2299, 12, 31, tzinfo=UTC) - _EPOCH).total_seconds()) * 1_000_000


def load_gaps(client: Client, gaps: list[Gap]) -> bool:
    """Make ``ops.gaps`` hold exactly these gaps. Returns whether it did not yet.

    The table is replaced as a whole: a gap may grow, be filled, or disappear with a lake restored from a backup.
    """
    wanted = [_row(gap) for gap in gaps]
    there = client.query(f"SELECT {', '.join(_COLUMNS)} FROM ops.gaps", tz_mode="aware").result_rows
    if sorted(map(tuple, there)) == sorted(wanted):
        return False
    client.command(f"CREATE OR REPLACE TABLE {_STAGING} AS ops.gaps")
    if wanted:
        client.insert("staging_gaps", wanted, column_names=_COLUMNS, database="ops")
    # The engine refuses to replace a partition by an empty one.
    client.command(
        f"ALTER TABLE ops.gaps REPLACE PARTITION tuple() FROM {_STAGING}" if wanted else "TRUNCATE TABLE ops.gaps"
    )
    crash.reached(crash.Point.GAPS_SWAPPED)
    client.command(f"DROP TABLE {_STAGING}")
    log.info("gaps loaded", gaps=len(wanted))
    return True


def _row(gap: Gap) -> tuple[str, str, str, str, str, datetime, datetime, str, datetime]:
    start, end, noted = (_instant(moment) for moment in (gap.from_us, gap.to_us, gap.noted_us))
    return gap.id, str(gap.reason), gap.host, gap.protocol, gap.queue, start, end, gap.filled, noted


def _instant(moment_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(max(moment_us, 0), _MAX_US))
