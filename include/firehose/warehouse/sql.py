"""The folder of the SQL and the configuration for ClickHouse, which are installed with the package.

Lives here: its path. Must not: SQL (``firehose/clickhouse``), reading it (migrate.py, views.py, summaries.py).
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

SQL_FOLDER: Final = Path(str(resources.files("firehose") / "clickhouse"))
