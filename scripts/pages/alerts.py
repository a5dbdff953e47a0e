"""The table of alerts in docs/operations.md, between two marks, from the closed list.

Must not: the list itself (``firehose/alerts/catalogue.py``), the sections of the runbook, which people write.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Final

from firehose.alerts.alert import Alert
from firehose.alerts.catalogue import ALERTS
from firehose.alerts.wording import length

_MARKS: Final = ("<!-- alerts: made by make docs -->", "<!-- alerts: end -->")


def write(page: Path) -> None:
    """Put the table into the page, in the place of the one that is there."""
    begin, end = map(re.escape, _MARKS)
    text = page.read_text(encoding="utf-8")
    made, count = re.subn(f"{begin}\n.*?{end}\n", lambda _: table(), text, flags=re.S)
    if count != 1:
        raise ValueError(f"{page}: the marks of the table of alerts are not there once")
    page.write_text(made, encoding="utf-8")


def table() -> str:
    """The table, with its marks."""
    head = "| alert | severity | told after | setting | it says | consequence of |\n|---|---|---|---|---|---|\n"
    return f"{_MARKS[0]}\n{head}{''.join(map(_row, ALERTS))}{_MARKS[1]}\n"


def _row(alert: Alert) -> str:
    setting = f"`FIREHOSE_{alert.setting.upper()}`" if alert.setting else ""
    says = re.sub(r"\{(\w+)[^}]*\}", r"*\1*", alert.title)
    after = length(alert.wait) if alert.wait > timedelta() else "at once"
    because = ", ".join(f"`{name.rstrip('.')}`" for name in alert.explained_by)
    cells = (f"[`{alert.name}`](#{alert.runbook})", str(alert.severity), after, setting, says, because)
    return f"| {' | '.join(cells)} |\n"
