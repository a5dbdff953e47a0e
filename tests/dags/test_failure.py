"""A task that really fails, in a real Airflow, reaches a real mail server and a real webhook."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.sinks import Webhook, mail_server
from tests.support.warm import Warm

_ALERTS = """
import sys
from types import SimpleNamespace
sys.path.insert(0, "plugins")
import firehose_failures as failures
from firehose.errors import CorruptBatch
ti = SimpleNamespace(dag_id="firehose_batch", task_id="drain", run_id="r", try_number=1, log_url="")
for error in (failures.RefusedRun("typed wrongly"), CorruptBatch("not refused")):
    failures.alert({"ti": ti, "dag_run": None, "exception": error})
"""


def test_a_failed_task_raises_an_alert(
    warm_airflow: Warm, webhook: Webhook, free_port: int, tmp_path: Path
) -> None:
    # A manifest that cannot be read is nothing that a retry would heal.
    manifest = tmp_path / "_raw/date=2026-11-23/batch=20261123T200000Z/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{")
    with mail_server(free_port) as mailbox:
        done = warm_airflow.airflow(
            *("dags", "test", "firehose_batch", "2026-11-23T20:05:00Z"),
            FIREHOSE_LAKE=str(tmp_path),
            FIREHOSE_ALERT_WEBHOOK_URL=webhook.url(),
            FIREHOSE_ALERT_EMAIL="ops@example.org",
            FIREHOSE_SMTP_URL=f"smtp://127.0.0.1:{free_port}",
        )
    assert done.returncode != 0, done.stdout[-2000:]
    said = f"CorruptBatch: {manifest}: not a manifest"
    assert said in first_error(done.stdout), "the log of a failed task opens at our line"
    assert "another exception" not in done.stdout and "direct cause" not in done.stdout
    (body,) = webhook.bodies
    assert body["title"] == "firehose_batch.drain failed"
    assert body["reason"].startswith(f"CorruptBatch: {manifest}: not a manifest")
    assert body["details"]["interval"] == "2026-11-23T20:00:00Z to 2026-11-23T20:05:00Z"
    assert "/dags/firehose_batch/" in body["details"]["log"]
    (mail,) = mailbox.received
    assert mail["Subject"] == "[firehose] firehose_batch.drain failed"
    assert "not a manifest" in mail.get_payload(decode=True).decode()


def test_a_run_by_hand_that_is_refused_calls_nobody(warm_airflow: Warm, webhook: Webhook) -> None:
    done = warm_airflow.python("-c", _ALERTS, FIREHOSE_ALERT_WEBHOOK_URL=webhook.url())
    assert done.returncode == 0, done.stdout[-3000:]
    (body,) = webhook.bodies
    assert body["reason"] == "CorruptBatch: not refused"


def first_error(log: str) -> str:
    """The first line of a log that has the level error."""
    found = [line for line in log.splitlines() if re.search(r"\berror\b", line, re.IGNORECASE)]
    return re.sub(r"\x1b\[[0-9;]*m", "", found[0]).strip()
