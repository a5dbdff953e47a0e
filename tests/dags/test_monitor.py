"""The monitor in a real Airflow: what it raises, that a paused DAG is seen, and Airflow's own health page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis

from firehose.alerts import book as books
from firehose.observe.services import AirflowState, airflow
from firehose.settings import Settings
from ingester.contract import wire
from tests.integration.monitor.world import health_server
from tests.support.sinks import Webhook, mail_server
from tests.support.warm import Warm

ROOT = Path(__file__).resolve().parents[2]
#: Airflow's page, made by the function that the API server calls, from its own database.
_HEALTH = """
import json
from airflow.api.common.airflow_health import get_airflow_health
print(json.dumps(get_airflow_health()))
"""
_WATCHED = """
import json, sys
sys.path.insert(0, "plugins")
import firehose_wiring
print(json.dumps(firehose_wiring.WATCHED))
"""


def test_a_run_of_the_monitor_tells_what_is_wrong_by_mail_and_webhook_once(
    warm_airflow: Warm, webhook: Webhook, redis_client: redis.Redis, redis_url: str, free_port: int, tmp_path: Path
) -> None:
    flushed = int((datetime.now(UTC) - timedelta(minutes=7)).timestamp() * 1000)
    redis_client.hset(wire.METADATA_KEY, mapping={wire.META_FIRST_START_MS: 1, wire.META_LAST_FLUSH_MS: flushed})

    def run(dag: str = "firehose_monitor") -> str:
        done = warm_airflow.airflow(
            *("dags", "test", dag, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"),
            FIREHOSE_LAKE=str(tmp_path),
            FIREHOSE_REDIS_URL=redis_url,
            FIREHOSE_ALERT_WEBHOOK_URL=webhook.url(),
            FIREHOSE_ALERT_EMAIL="ops@example.org",
            FIREHOSE_SMTP_URL=f"smtp://127.0.0.1:{free_port}",
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    assert warm_airflow.airflow("dags", "reserialize").returncode == 0
    assert warm_airflow.airflow("dags", "pause", "firehose_summaries").returncode == 0
    with mail_server(free_port) as mailbox:
        run()
        run()
    assert [body["key"] for body in webhook.bodies] == ["ingester_down"], "told once, and nothing twice"
    assert [mail["Subject"] for mail in mailbox.received] == ["[firehose] the ingester does not run"]
    book = books.read(Settings(home=str(tmp_path), lake=str(tmp_path)))
    assert book.ran and datetime.now(UTC) - book.ran < timedelta(minutes=5)
    paused = {key for key in book.states if key.startswith("dag_paused/")}
    assert paused == {"dag_paused/firehose_summaries"}, "it is pending"
    assert warm_airflow.airflow("dags", "unpause", "firehose_summaries").returncode == 0


def test_airflows_own_health_is_what_is_read(warm_airflow: Warm) -> None:
    done = warm_airflow.python("-c", _HEALTH)
    assert done.returncode == 0, done.stdout
    said = json.loads(done.stdout.splitlines()[-1])
    with health_server() as page:
        page.said = said
        found = airflow(Settings(airflow_url=page.url), datetime.now(UTC))
    assert isinstance(found, AirflowState)
    assert (found.metadatabase, found.scheduler) == ("healthy", "unhealthy"), "no scheduler has ever run there"
    assert found.scheduler_heartbeat is None and found.scheduler_silent_s is None


def test_every_dag_is_watched_but_the_monitor_itself(warm_airflow: Warm) -> None:
    done = warm_airflow.python("-c", _WATCHED)
    assert done.returncode == 0, done.stdout
    watched = set(json.loads(done.stdout.splitlines()[-1]))
    assert watched == {path.stem for path in (ROOT / "dags").glob("*.py")} - {"firehose_monitor"}
