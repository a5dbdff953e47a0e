"""Writes the generated pages: docs/, the Firehose page's runbook, Grafana's dashboards.

Each has a test that fails when it is out of date.

Lives here: which page comes from where. Must not: rendering.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from firehose.settings_table import markdown as settings_page
from scripts.pages import alerts, commands, compose, cookbook, dashboards, metrics, runbook, schema

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> None:
    """Write them."""
    pages = {
        "settings": settings_page(),
        "metrics": metrics.page(),
        "commands": commands.page(),
        "cookbook": cookbook.page(),
        "schema": schema.of_new_database(),
        "dags": _dags(),
    }
    for name, text in pages.items():
        (DOCS / f"{name}.md").write_text(text, encoding="utf-8")
    alerts.write(DOCS / "operations.md")
    dashboards.write(DOCS.parent / "include" / "grafana" / "dashboards")
    runbook.TARGET.write_text(runbook.part(), encoding="utf-8")
    compose.FILE.write_text(compose.with_settings(compose.FILE.read_text()))


def _dags() -> str:
    # A process of its own: Airflow reads its configuration when it is imported.
    command = [sys.executable, "-m", "scripts.pages.dags"]
    return subprocess.run(command, cwd=DOCS.parent, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
