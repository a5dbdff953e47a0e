"""The Great Expectations side: suites made from the rules, run on a batch, with their Data Docs.

The one module that imports Great Expectations: that costs seconds, so it is imported by the validate task only
(the scheduler's plugin keeps it warm for tasks). Must not: decide which rows are good.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.interfaces import Batch
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.row_conditions import Column

from firehose.errors import PagesNotWritten
from firehose.quality import site
from firehose.quality.rules import RULES, columns_of
from firehose.records.rules import Rule
from firehose.store import LakePath

#: Name of the suite over the batch's accounting: one row a type, and one for all.
ACCOUNTING = "accounting"
#: Its row for all types together.
WHOLE_BATCH = "all"


class SuiteRunner:
    """Runs suites of one batch."""

    def __init__(self, batch_id: str, docs: LakePath, max_error_rate: float) -> None:
        self._max_error_rate = max_error_rate
        self._docs = docs
        self._run_id = gx.RunIdentifier(run_name=batch_id)
        self._tested: list[tuple[gx.ExpectationSuite, dict[str, Any]]] = []
        self.results: list[dict[str, Any]] = []

    def check_rows(self, record_type: str, name: str, rows: pa.Table) -> None:
        """Run the suite of a type on the ruled columns of some of its rows, good and bad."""
        expectations = [
            gxe.ExpectTableColumnsToMatchOrderedList(column_list=columns_of(record_type)),
            *(
                expectation
                for rule in RULES[record_type]
                for expectation in _expectations(rule, 1 - self._max_error_rate)
            ),
        ]
        self._run(name, expectations, _told_too_long(record_type, rows))

    def check_accounting(self, accounting: pa.Table, max_events: int) -> None:
        """Run the suite over the accounting: each type's volume, and the error rate of the batch."""
        self._run(
            ACCOUNTING,
            [
                gxe.ExpectColumnValuesToBeBetween(column="raw", min_value=1, max_value=max_events),
                gxe.ExpectColumnValuesToBeBetween(
                    column="error_rate",
                    max_value=self._max_error_rate,
                    row_condition=Column("type") == WHOLE_BATCH,
                ),
            ],
            accounting,
        )

    def build_docs(self) -> None:
        """Write the Data Docs pages of all that was run.

        Raises:
            PagesNotWritten: no room, no right, a file where a folder should be. Repeating writes what is missing.
        """
        drawn = [
            page for suite, result in self._tested for page in site.drawn(self._docs, suite, result, self._run_id)
        ]
        try:
            with (self._docs / ".lock").lock():  # all batches and slices share the pages of suites
                for path, content in drawn:
                    site.write(path, content)
        except OSError as error:
            raise PagesNotWritten(
                f"batch {self._run_id.run_name}: quality pages cannot be written to {self._docs} ({error}); "
                "make room, or mend the folder; a retry, or clearing the batch's validate task, writes them"
            ) from error

    def _run(self, name: str, expectations: list[Expectation], rows: pa.Table) -> None:
        suite = gx.ExpectationSuite(name=name, expectations=expectations)
        frame = rows.to_pandas(types_mapper=_pandas_type)
        batch = _held().rows.get_batch(batch_parameters={"dataframe": frame})
        try:
            validated = batch.validate(suite, result_format="BASIC")
        finally:
            _forget(batch)
        validated.meta |= {"run_id": self._run_id, "validation_time": self._run_id.run_time}
        result = validated.to_json_dict()  # type: ignore[no-untyped-call]  # not ours
        self._tested.append((suite, result))
        self.results.append({"suite": name, **_summary(result)})


class _Held(threading.local):
    """What Great Expectations takes rows by: made once, since making it takes about as long as a suite.

    Each thread has its own, since the engine behind it holds the rows that are being looked at. The context that
    it belongs to is in memory, and stores neither suites nor results.
    """

    def __init__(self) -> None:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        context.variables.analytics_enabled = False
        asset = context.data_sources.add_pandas("batch").add_dataframe_asset("rows")
        self.rows = asset.add_batch_definition_whole_dataframe("rows")


@cache
def _held() -> _Held:
    return _Held()


def _forget(batch: Batch) -> None:
    """The engine of a context keeps the rows of the last batch: memory is for those of the next."""
    held = batch.data.execution_engine.batch_manager
    held.reset_batch_cache()
    held.batch_data_cache.clear()


def _pandas_type(kind: pa.DataType) -> pd.ArrowDtype | None:
    # Great Expectations compares numpy's integers as a whole column, and all others one by one.
    return None if pa.types.is_integer(kind) else pd.ArrowDtype(kind)


def _summary(described: dict[str, Any]) -> dict[str, Any]:
    return {
        "success": described["success"],
        "statistics": described["statistics"],
        "expectations": [
            {
                "success": expectation["success"],
                "type": expectation["expectation_config"]["type"],
                "kwargs": expectation["expectation_config"]["kwargs"],
                "result": expectation["result"],
                "exception": expectation["exception_info"],
            }
            for expectation in described["results"]
        ],
    }


def _told_too_long(record_type: str, rows: pa.Table) -> pa.Table:
    """The rows, in which a name that is too long says so, and so does not match its pattern.

    An expectation about lengths would say the same, and cost a sixth of a suite's time.
    """
    for rule in RULES[record_type]:
        if rule.syntax is None or not rule.syntax.open_ended:
            continue
        values = rows[rule.column]
        long = pc.fill_null(pc.greater(pc.binary_length(values), rule.syntax.longest), False)
        if pc.any(long).as_py():
            cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(values, 0, 64), "… (too long)", "")
            rows = rows.set_column(
                rows.schema.get_field_index(rule.column), rule.column, pc.if_else(long, cut, values)
            )
    return rows


def _expectations(rule: Rule, mostly: float) -> list[Expectation]:
    """A rule in Great Expectations' terms: it holds for all but the tolerated share of rows."""
    common: dict[str, Any] = {"column": rule.column, "mostly": mostly}
    if rule.exempt:
        common["row_condition"] = Column("operation").is_not_in(list(rule.exempt))
    made: list[Expectation] = []
    if rule.required:
        made.append(gxe.ExpectColumnValuesToNotBeNull(**common))
    if rule.syntax is not None:
        made.append(gxe.ExpectColumnValuesToMatchRegex(regex=rule.syntax.pattern, **common))
    if rule.among is not None:
        made.append(gxe.ExpectColumnValuesToBeInSet(value_set=list(rule.among), **common))
    if rule.between is not None:
        low, high = rule.between
        made.append(gxe.ExpectColumnValuesToBeBetween(min_value=low, max_value=high, **common))
    return made
