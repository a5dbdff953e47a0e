"""For notebooks and scripts: SQL to ClickHouse as the read-only analyst, the answer as a pandas DataFrame.

Lives here: what analysts import. Must not: SQL of our own.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from firehose import settings
from firehose.warehouse import incomplete
from firehose.warehouse.client import clickhouse_errors, connect

if TYPE_CHECKING:
    import pandas as pd


class IncompleteData(UserWarning):
    """Events are missing in an answer. The warning says which."""


def query(sql: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """The answer to ``sql``. ClickHouse and login are those of the settings, as for ``firehose query``.

    ``parameters`` are values for ``{name:Type}`` in the statement. If time is missing in what the statement reads,
    an :class:`IncompleteData` is warned.

    Raises:
        FirehoseError: ClickHouse refuses the statement, or does not answer.
    """
    with clickhouse_errors():
        client = connect(settings.load(), "analyst")
        try:
            answer: pd.DataFrame = client.query_df(sql, parameters=dict(parameters or {}))
            if said := incomplete.warning(client, sql, parameters):
                warnings.warn(said.removeprefix("warning: "), IncompleteData, stacklevel=2)
        finally:
            client.close()
    return answer
