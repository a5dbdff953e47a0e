"""The Great Expectations side: suites made from the rules, run on a batch, with their Data Docs.

The one module that imports Great Expectations: that costs seconds, so it is imported by the validate task only
(the scheduler's plugin keeps it warm for tasks). Must not: decide which rows are good.
"""

from __future__ import annotations

from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.row_conditions import Column

from firehose.errors import PagesNotWritten
from firehose.quality import site
from firehose.quality.rules import RULES, columns_of
from firehose.records.rules import Rule
from firehose.store import LakePath

_SITE = "firehose"
#: Name of the suite over the batch's accounting: one row a type, and one for all.
ACCOUNTING = "accounting"
#: Its row for all types together.
WHOLE_BATCH = "all"


class SuiteRunner:
    """Runs suites of one batch in a Great Expectations context of its own, held in memory."""

    def __init__(self, batch_id: str, docs: LakePath, max_error_rate: float) -> None:
        self._max_error_rate = max_error_rate
        self._docs = docs
        self._run_id = gx.RunIdentifier(run_name=batch_id)
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._context.variables.analytics_enabled = False
        self._context.variables.data_docs_sites = {_SITE: _site(docs)}  # in the place of its own
        self._source = self._context.data_sources.add_pandas("batch")
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
        """Build the Data Docs pages of all that was run.

        Without Great Expectations' index, which would remove the pages that this context does not know of.

        Raises:
            PagesNotWritten: no room, no right, a file where a folder should be. Repeating writes what is missing.
        """
        try:
            # All batches and slices share the site's folder, and its static files.
            with (self._docs / ".lock").lock():
                self._context.build_data_docs(site_names=[_SITE], build_index=False)
        except OSError as error:
            raise PagesNotWritten(
                f"batch {self._run_id.run_name}: quality pages cannot be written to {self._docs} ({error}); "
                "make room, or mend the folder; a retry, or clearing the batch's validate task, writes them"
            ) from error

    def _run(self, name: str, expectations: list[Expectation], rows: pa.Table) -> None:
        suite = self._context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
        definition = self._source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("rows")
        validation = self._context.validation_definitions.add(
            gx.ValidationDefinition(name=name, data=definition, suite=suite)
        )
        result = validation.run(
            batch_parameters={"dataframe": rows.to_pandas(types_mapper=_pandas_type)},
            run_id=self._run_id,
            result_format="BASIC",
        )
        self.results.append({"suite": name, **_summary(result)})


def _pandas_type(kind: pa.DataType) -> pd.ArrowDtype | None:
    # Great Expectations compares numpy's integers as a whole column, and all others one by one.
    return None if pa.types.is_integer(kind) else pd.ArrowDtype(kind)


def _summary(result: Any) -> dict[str, Any]:
    described = result.to_json_dict()
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


def _site(docs: LakePath) -> Any:
    site.TARGETS[str(docs)] = docs
    section = {"module_name": "firehose.quality.site", "class_name": "Section"}
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "site_section_builders": {"expectations": section, "validations": section, "profiling": "none"},
        "store_backend": {
            "module_name": "firehose.quality.site",
            "class_name": "Folder",
            # Great Expectations would put a variable of the environment in the place of "$name" in a path.
            "base_directory": str(docs).replace("$", r"\$"),
        },
    }
