"""External data: the files of a form, each of which is a temporary table during one request.

Lives here: reading the parameters that describe such a table. Must not: I/O, the engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.requests.forms import Form
from clickhouse_http.requests.spool import SpoolFile
from clickhouse_http.sql.statement import items

_FORMAT: Final = re.compile(r"^\w{1,64}$")
_DEFAULT_NAME: Final = "_data"
_DEFAULT_FORMAT: Final = "TabSeparated"
_ENDINGS: Final = ("_structure", "_types", "_format")


@dataclass(frozen=True)
class ExternalTable:
    """A table that comes with a request. ``structure``: its columns as text, not yet checked."""

    name: str
    structure: str
    input_format: str
    data: SpoolFile


def tables(form: Form, parameters: Mapping[str, str]) -> tuple[list[ExternalTable], dict[str, str]]:
    """The tables of a form, and the parameters that do not describe one.

    Raises:
        QueryError: a table has no columns, or its format is not a name.
    """
    found = [_table(name or _DEFAULT_NAME, data, parameters) for name, data in form.files.items()]
    taken = {table.name + ending for table in found for ending in _ENDINGS}
    return found, {name: value for name, value in parameters.items() if name not in taken}


def _table(name: str, data: SpoolFile, parameters: Mapping[str, str]) -> ExternalTable:
    structure, types = (parameters.get(name + ending, "") for ending in ("_structure", "_types"))
    if not structure and not types:
        raise exceptions.refused(
            exceptions.BAD_ARGUMENTS,
            f"The external table {name!a} has no columns: send its _structure or its _types.",
        )
    input_format = parameters.get(f"{name}_format") or _DEFAULT_FORMAT
    if not _FORMAT.match(input_format):
        raise exceptions.refused(
            exceptions.BAD_ARGUMENTS, f"The format of the external table {name!a} is not a name."
        )
    columns = structure or ", ".join(f"_{number} {each}" for number, each in enumerate(items(types), 1))
    return ExternalTable(name, columns, input_format, data)
