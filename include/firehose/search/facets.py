"""The statements that sum up what matches: by steps of a reader's clock, and by language, domain, account, media.

Both are of posts as they were written, whatever became of them since. Pure functions. Must not: run them.
"""

from __future__ import annotations

from typing import Final

from firehose.search.conditions import FLAGS, Holders, Parameters, conditions
from firehose.search.matching import Statement, liked
from firehose.search.tree import Query
from firehose.warehouse.spelling import FUNCTIONS

#: Of how many of the newest matches facets are counted, and the most values of each.
COUNTED: Final = 10_000
_VALUES: Final = 12
_STARTS: Final = {
    "minute": "toStartOfMinute(at)",
    "5 minutes": "toStartOfFiveMinutes(at)",
    "15 minutes": "toStartOfFifteenMinutes(at)",
    "hour": "toStartOfHour(at, {zone})",
    "day": "toStartOfDay(at, {zone})",
    "week": "toDateTime(toMonday(at, {zone}), {zone})",
    "month": "toDateTime(toStartOfMonth(at, {zone}), {zone})",
}


def by_step(query: Query, holders: Holders, step: str, zone: str) -> Statement:
    """Rows (second, posts): matching posts by the step in which they were written; ``step``: of ``_STARTS``."""
    parameters = Parameters()
    start = _STARTS[step].format(zone=parameters.bind(zone))
    # The zone of the columns is UTC, and a start is an instant in any.
    return Statement(
        f"WITH\n{FUNCTIONS}\nSELECT toInt64(toUnixTimestamp({start})) AS start, count() AS posts\n"
        f"FROM firehose.post_texts\nWHERE {_matching(query, parameters, holders)}\nGROUP BY start\nORDER BY start",
        parameters,
    )


def facets(query: Query, holders: Holders) -> Statement:
    """Rows (facet, value, posts) of the newest matches; the names of facets are those of filters.

    ``all`` says how many posts were counted.
    """
    parameters = Parameters()
    columns = f"at, did, languages, domains, {', '.join(FLAGS.values())}"
    newest = (
        f"SELECT {columns} FROM firehose.post_texts\nWHERE {_matching(query, parameters, holders)}\n"
        f"ORDER BY hour DESC, at DESC, did DESC LIMIT {COUNTED}"
    )
    has = ", ".join(f"if({column}, '{name}', '')" for name, column in FLAGS.items())
    return Statement(
        f"WITH\n{FUNCTIONS}\nSELECT value.1 AS facet, value.2 AS name, count() AS posts\nFROM\n(\n"
        "    SELECT arrayJoin(arrayConcat([('all', ''), ('from', did)],\n"
        "        arrayMap(l -> ('lang', toString(l)), arrayDistinct(languages)),\n"
        "        arrayMap(d -> ('domain', toString(d)), domains),\n"
        f"        arrayMap(h -> ('has', h), arrayFilter(h -> h != '', [{has}])))) AS value\n"
        f"    FROM ({newest})\n)\nGROUP BY facet, name\n"
        f"ORDER BY facet, posts DESC, name\nLIMIT {_VALUES} BY facet",
        parameters,
    )


def _matching(query: Query, parameters: Parameters, holders: Holders) -> str:
    where = [*conditions(query, parameters, holders), *liked(query, parameters, holders)]
    return "\n    AND ".join(["operation = 'create'", *where])
