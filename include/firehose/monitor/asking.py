"""Asks ClickHouse what an analyst asks, once a look, and counts the answers that come in their time.

Lives here: when it is asked, and for how long. Must not: judge (conditions do), hold up the look for long.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from firehose.errors import FirehoseError
from firehose.observe import answers
from firehose.settings import Settings
from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: An answer that takes this many times its limit, and at least this long, is given up.
_PATIENCE: Final = 2.0
_LEAST_S: Final = 10.0


def ask(settings: Settings, now: datetime) -> None:
    """Ask, and count the answers. What cannot be written down is a line in the log: the look goes on.

    Nothing is counted before the first good answer: a new ClickHouse has no tables, and no lake to read.
    """
    limit_s = settings.alert_query_seconds
    if not limit_s:
        return
    took = [seconds for _, seconds in answers.ask(settings, max(_LEAST_S, _PATIENCE * limit_s))]
    bad = sum(seconds is None or seconds > limit_s for seconds in took)
    try:
        lake = settings.lake_path
        counted = answers.read(lake)
        if counted or bad < len(took):
            answers.write(lake, answers.added(counted, now, len(took), bad))
    except (OSError, FirehoseError) as error:
        log.warning("answers not counted", asked=len(took), bad=bad, reason=error)
