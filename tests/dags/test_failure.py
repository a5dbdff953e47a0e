"""A task that really fails, in a real Airflow, reaches a real mail server and a real webhook."""

from __future__ import annotations

from pathlib import Path

from tests.support.sinks import Webhook, mail_server
from tests.support.warm import Warm


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
    (body,) = webhook.bodies
    assert body["title"] == "firehose_batch.drain failed"
    assert body["reason"].startswith(f"CorruptBatch: {manifest}: not a manifest")
    assert body["details"]["interval"] == "2026-11-23T20:00:00Z to 2026-11-23T20:05:00Z"
    assert "/dags/firehose_batch/" in body["details"]["log"]
    (mail,) = mailbox.received
    assert mail["Subject"] == "[firehose] firehose_batch.drain failed"
    assert "not a manifest" in mail.get_payload(decode=True).decode()
