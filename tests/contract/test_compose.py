"""docker-compose.yaml without a container engine: its schema, and every name in it against what it means."""

from __future__ import annotations

import configparser
import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # no stubs in the lock
import msgspec
import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from devstack.embedded.airflow import options
from devstack.embedded.redis import RedisServer, executable
from firehose.settings import Settings
from firehose.warehouse.views import DATABASE
from ingester.contract.settings import PREFIX, IngesterSettings, read_settings
from scripts.pages import compose
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AIRFLOW = [name for name in SERVICES if name.startswith("airflow-")]
LOCK = (ROOT / "requirements.txt").read_text()
#: What a service calls itself for those outside.
OWN_ADDRESSES = ("AIRFLOW__API__BASE_URL", "FIREHOSE_UI_URL")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([?-])([^}]*))?\}")


def environment(service: str) -> dict[str, str]:
    """A service's variables, with ``word`` (or a date) in place of every required one."""

    def value(found: re.Match[str]) -> str:
        if found[2] == "-":
            return str(found[3])
        return "2026-11-23T20:40:00Z" if found[1].endswith("_DATE") else "word"

    given = SERVICES[service].get("environment", {})
    return {name: VARIABLE.sub(value, text) for name, text in given.items() if text is not None}


def scraped() -> dict[str, str]:
    """The services that Prometheus asks, with their ports."""
    config = yaml.safe_load((ROOT / "include/prometheus/prometheus.yml").read_text())
    targets = [
        target for job in config["scrape_configs"] for of in job["static_configs"] for target in of["targets"]
    ]
    return dict(target.split(":") for target in targets)


def test_prometheus_and_grafana_ask_who_listens() -> None:
    where = {
        "ingester": environment("ingester")["FIREHOSE_INGESTER_METRICS"],
        "exporter": environment("exporter")["FIREHOSE_EXPORTER_LISTEN"],
    }
    assert scraped() == {name: address.rpartition(":")[2] for name, address in where.items()}
    (source,) = yaml.safe_load((ROOT / "include/grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((ROOT / "include/grafana/provisioning/dashboards/firehose.yml").read_text())[
        "providers"
    ]
    assert any(provider["options"]["path"] in volume for volume in SERVICES["grafana"]["volumes"])


def test_monitoring_is_a_profile_of_its_own() -> None:
    chosen = {name for name, entry in SERVICES.items() if entry.get("profiles") == ["monitoring"]}
    assert chosen == {"exporter", "prometheus", "grafana"}
    assert all("profiles" not in entry for name, entry in SERVICES.items() if name not in chosen)


def test_follows_the_compose_specification() -> None:
    found = importlib.util.find_spec("check_jsonschema")
    if found is None or found.origin is None:
        pytest.skip("check-jsonschema, which carries the schema, is not installed")
    path = Path(found.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(path.read_text()))


def test_secrets_are_required_and_have_no_default() -> None:
    example = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    used = {name: operator for name, operator, _ in VARIABLE.findall(TEXT)}
    assert used.keys() <= example.keys()
    assert example.keys() - used.keys() <= COMPOSE["x-settings"].keys()
    # Of a profile: the next test.
    assert used.pop("GRAFANA_ADMIN_PASSWORD") == "-"
    for name, operator in used.items():
        assert operator, f"{name}: neither required nor with a default"
        if re.search("PASSWORD|SECRET|KEY|START_DATE", name):
            assert operator == "?", name
            assert example[name] == "", name
    for name in re.findall(r"^\s*(?!GF_)(\w*(?:PASSWORD|SECRET|KEY|AUTH))\b: ", TEXT, re.MULTILINE):
        assert re.search(rf"{name}: .*\$\{{\w+:\?", TEXT), f"{name} is not taken from .env"


@pytest.mark.parametrize("password", ["", "word"])
def test_grafana_does_not_start_without_a_password(password: str) -> None:
    shell, option, script = SERVICES["grafana"]["entrypoint"]
    assert VARIABLE.fullmatch(SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"])[3] == ""  # type: ignore[index]
    done = subprocess.run(
        [shell, option, script.replace("$$", "$").replace("exec /run.sh", "echo started")],
        env={"GF_SECURITY_ADMIN_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == ((0, "started\n") if password else (1, ""))
    assert len(done.stderr.splitlines()) == (not password)


def test_every_setting_reaches_the_containers_or_is_set_there() -> None:
    assert compose.with_settings(TEXT) == TEXT, "write them again: make docs"
    assert set(COMPOSE["x-settings"].values()) | set(COMPOSE["x-ingester-settings"].values()) == {None}
    assert environment("ingester").keys() >= {"FIREHOSE_REDIS_URL", "FIREHOSE_LAKE"}
    for service in ("ingester", *AIRFLOW):
        kind = IngesterSettings if service == "ingester" else Settings
        every = {f"{PREFIX}{field.name.upper()}" for field in msgspec.structs.fields(kind)}
        given = SERVICES[service]["environment"]
        assert {name for name in given if name.startswith(PREFIX)} <= every
        # What stays outside: paths and ports of the host, and what is the embedded endpoint's.
        assert {name.removeprefix(PREFIX) for name in every - given.keys() if "_HTTP_" not in name} <= {
            *("HOME", "REDIS_PASSWORDS", "AIRFLOW_PORT", "DOCS_PORT", "SIMULATOR_PORT", "CLICKHOUSE_SANDBOX"),
            *("QUERY_MAX_MEMORY_MIB", "QUERY_TOTAL_MEMORY_MIB"),
        }


def test_postgres_is_not_healthy_while_its_image_prepares_an_empty_volume() -> None:
    # The server of that time listens on no address.
    assert "--host=127.0.0.1" in SERVICES["postgres"]["healthcheck"]["test"]


def test_each_image_is_built_once_and_ours_are_pulled_from_no_registry() -> None:
    built = [entry["image"] for entry in SERVICES.values() if "build" in entry]
    assert sorted(built) == sorted(set(built))
    for name, entry in SERVICES.items():
        if entry["image"].startswith("bluesky-firehose/"):
            assert "build" in entry or entry["pull_policy"] == "never", name
            assert entry["image"] in built


@pytest.mark.parametrize("service", SERVICES)
def test_project_settings_exist_and_are_valid(service: str) -> None:
    kind = IngesterSettings if service == "ingester" else Settings
    ours = {name: value for name, value in environment(service).items() if name.startswith("FIREHOSE_")}
    read_settings(kind, ours, closed=True)
    assert bool(ours) == (service in ("ingester", "exporter", "ui") or service in AIRFLOW)


def test_airflow_options_exist() -> None:
    found = importlib.util.find_spec("airflow")
    assert found is not None
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0])
    options = yaml.safe_load((folder / "config_templates" / "config.yml").read_text())
    for service in AIRFLOW:
        names = [name for name in environment(service) if name.startswith("AIRFLOW__")]
        assert names
        for name in names:
            _, section, option = name.lower().split("__", 2)
            assert option in options[section]["options"], name


def test_airflow_recovers_as_fast_as_the_embedded_one(tmp_path: Path) -> None:
    config = configparser.ConfigParser(interpolation=None)
    config.read_dict(options(tmp_path, tmp_path, tmp_path, 8080))
    for service in AIRFLOW:
        given = environment(service)
        for section in ("scheduler", "workers"):
            for option, value in config[section].items():
                assert given.get(f"AIRFLOW__{section}__{option}".upper()) == value, (service, option)


def test_airflow_commands_exist(tmp_path: Path) -> None:
    commands = [entry for name in AIRFLOW if isinstance(entry := SERVICES[name]["command"], str)]
    check = SERVICES["airflow-dag-processor"]["healthcheck"]["test"][1]
    script = (ROOT / "docker/airflow-init.sh").read_text()
    commands += [
        line.removeprefix("airflow ") for line in [check, *script.splitlines()] if line.startswith("airflow ")
    ]
    assert len(commands) == 6
    code = """
import shlex, sys
from airflow.cli.cli_parser import get_parser
for command in sys.argv[1:]:
    get_parser().parse_args(shlex.split(command))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *commands],
        env=os.environ | {"AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_dependencies_can_be_met(service: str) -> None:
    for other, how in SERVICES[service].get("depends_on", {}).items():
        needed = SERVICES[other]
        if how["condition"] == "service_healthy":
            assert "healthcheck" in needed, other
        else:
            assert how["condition"] == "service_completed_successfully"
            assert needed["restart"].startswith("on-failure"), f"{other} would be restarted for ever"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_watched_limited_and_pinned(service: str) -> None:
    entry = SERVICES[service]
    assert set(entry["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert "restart" in entry
    assert ("healthcheck" in entry) == (service != "airflow-init")
    assert re.search(r":v?\d+\.\d+", entry["image"]), "a tag that moves"
    for port in entry.get("ports", []):
        assert port.startswith("127.0.0.1:"), port


@pytest.mark.parametrize("service", SERVICES)
def test_addresses_name_services_and_their_ports(service: str) -> None:
    listening = {"redis": "6379", "postgres": "5432", "clickhouse": "8123", "airflow-api-server": "8080"}
    listening |= {"grafana": "3000", "ui": "8082"}
    for name, value in environment(service).items():
        for host, port in re.findall(r"//(?:[^@/\s]*@)?([\w.-]+):(\d+)", value):
            assert listening.get(host) == port or name in OWN_ADDRESSES, f"{name}={value}"
    for port in SERVICES[service].get("ports", []):
        assert port.rsplit(":", 1)[1] == listening[service]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_has_more_rights_than_it_needs(service: str) -> None:
    entry = SERVICES[service]
    assert entry["cap_drop"] == ["ALL"]
    assert "cap_add" not in entry
    assert entry["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & entry.keys()
    assert entry.get("read_only", False) == (service not in AIRFLOW)
    if not entry["image"].startswith("bluesky-firehose/"):  # ours say so in their Dockerfile
        assert entry["user"] not in ("root", "0", "0:0")
    for volume in entry.get("volumes", []):
        assert "docker.sock" not in volume


def test_services_share_a_network_only_where_one_needs_the_other() -> None:
    networks = COMPOSE["networks"]
    members = {
        network: {name for name, entry in SERVICES.items() if network in entry["networks"]} for network in networks
    }
    needed: set[frozenset[str]] = set()
    for name in SERVICES:
        for value in environment(name).values():
            hosts = re.findall(r"//(?:[^@/\s]*@)?([\w.-]+):\d+", value)
            needed |= {frozenset((name, host)) for host in hosts if host != name}
    needed |= {frozenset(("prometheus", host)) for host in scraped()} | {frozenset(("grafana", "prometheus"))}
    # Airflow's services share one environment; of them only the tasks, which the scheduler forks, work with data.
    tasks = {"redis", "clickhouse"}
    needed -= {frozenset((name, other)) for name in AIRFLOW if name != "airflow-scheduler" for other in tasks}
    for a, b in map(tuple, needed):
        assert not {a, b} <= SERVICES.keys() or any({a, b} <= found for found in members.values()), (a, b)
    for network, found in members.items():
        for a, b in itertools.combinations(found, 2):
            both = [c for c in found if {frozenset((a, c)), frozenset((b, c))} <= needed]
            assert frozenset((a, b)) in needed or both or {a, b} <= set(AIRFLOW), f"{a} and {b} on {network}"
    internal = {network for network, options in networks.items() if options and options["internal"]}
    assert internal == {"buffer", "airflow", "warehouse", "monitoring"}
    for name, entry in SERVICES.items():
        outside = set(entry["networks"]) - internal
        assert bool(entry.get("ports")) <= bool(outside), f"{name}: its ports would not be published"
        assert not outside or name in {"clickhouse", "ingester", "grafana", "ui", *AIRFLOW}, name


def test_volumes_and_mounted_files_exist() -> None:
    mounted = {entry.split(":")[0] for service in SERVICES.values() for entry in service.get("volumes", [])}
    files = {source for source in mounted if source.startswith(".")}
    assert mounted - files == set(COMPOSE["volumes"])
    for source in files:
        assert (ROOT / source).exists(), source


def test_both_sides_see_the_lake_at_the_path_that_settings_say() -> None:
    (lake,) = {environment(name)["FIREHOSE_LAKE"] for name in AIRFLOW}
    assert all(f"lake:{lake}" in SERVICES[name]["volumes"] for name in AIRFLOW)
    assert f"lake:{environment('ingester')['FIREHOSE_LAKE']}:ro" in SERVICES["ingester"]["volumes"]
    seen = environment("airflow-scheduler")["FIREHOSE_CLICKHOUSE_LAKE"]
    assert f"lake:{seen}:ro" in SERVICES["clickhouse"]["volumes"]
    config = ET.parse(ROOT / "include/firehose/clickhouse/server/config.xml")  # noqa: S314 - our own file
    allowed = config.getroot().findtext("user_files_path")
    assert allowed
    assert Path(seen).is_relative_to(allowed)


def test_clickhouse_has_the_users_that_the_pipeline_logs_in_as() -> None:
    root = ET.parse(ROOT / "include/firehose/clickhouse/server/users.xml").getroot()  # noqa: S314 - our own file
    users = root.find("users")
    assert users is not None
    default, *ours = list(users)
    assert default.tag == "default"
    assert default.get("remove")
    settings = Settings()
    assert [user.tag for user in ours] == [settings.clickhouse_loader, settings.clickhouse_analyst]
    for user in ours:
        password = user.find("password")
        assert password is not None
        assert password.get("from_env") in environment("clickhouse")
    grants = [grant.text for grant in ours[1].findall("grants/query")]
    assert f"GRANT SELECT ON {DATABASE}.*" in grants
    # 1: of all settings, a server lets the analyst change those that are marked as changeable, and no others.
    assert root.findtext("profiles/analyst/readonly") == "1"
    marked = root.findall("profiles/analyst/constraints/*")
    assert marked
    assert all(each.find("changeable_in_readonly") is not None for each in marked)
    assert [user.findtext("profile") for user in ours] == ["loader", "analyst"]


def test_redis_starts_with_its_users_limit_and_durability(tmp_path: Path, free_port: int) -> None:
    command = SERVICES["redis"]["command"]
    mounted = dict(reversed(entry.split(":")[:2]) for entry in SERVICES["redis"]["volumes"])
    assert mounted[command[-1]] == "./docker/redis-entry.sh"
    assert {mounted[f"/etc/redis/{name}"] for name in ("redis.conf", "users.acl")} == {
        "./include/firehose/redis/redis.conf",
        "./include/firehose/redis/users.acl",
    }
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/redis-server").symlink_to(executable())
    variables = environment("redis") | {
        "REDIS_RUN": f"{tmp_path}/run",
        "REDIS_DATA": str(tmp_path),
        "REDIS_PORT": str(free_port),
        "REDIS_CONFIG": str(ROOT / "include/firehose/redis"),
        "REDIS_INGESTER_PASSWORD": "in & out/1",
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
    }
    assert variables["REDISCLI_AUTH"] == variables["REDIS_MONITORING_PASSWORD"]
    server = subprocess.Popen(
        ["sh", str(ROOT / "docker/redis-entry.sh")], env=variables, stdout=subprocess.DEVNULL
    )
    admin = tmp_path / "run/admin"
    try:
        until(lambda: _answers(free_port, "monitoring", "word") or server.poll() is not None)
        assert server.poll() is None
        assert _answers(free_port, "ingester", "in & out/1")
        assert _answers(free_port, "pipeline", "word")
        assert not _answers(free_port, "default", "word")
        with redis.Redis(
            unix_socket_path=f"{tmp_path}/run/admin.sock", username="admin", password=admin.read_text().strip()
        ) as client:
            settings: dict[str, str] = client.config_get()
            wanted = {"maxmemory": str(4 << 30), "maxmemory-policy": "noeviction", "appendfsync": "always"}
            assert settings | wanted | {"appendonly": "yes", "dir": str(tmp_path)} == settings
            entries = {
                name: client.acl_getuser(name) for name in ("ingester", "pipeline", "monitoring", "default")
            }
        with RedisServer(tmp_path / "embedded") as embedded, embedded.client() as client:
            assert {name: _rights(client.acl_getuser(name)) for name in entries} == {
                name: _rights(entry) for name, entry in entries.items()
            }
        assert admin.stat().st_mode & 0o777 == 0o600 and admin.parent.stat().st_mode & 0o777 == 0o700
        assert "in & out/1" not in Path(f"/proc/{server.pid}/cmdline").read_text()
    finally:
        server.terminate()
        server.wait(20)


def _rights(user: Any) -> dict[str, list[str]]:
    return {name: sorted(map(str, user[name])) for name in ("flags", "commands", "categories", "keys", "channels")}


def _answers(port: int, user: str, password: str) -> bool:
    try:
        with redis.Redis(port=port, username=user, password=password, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False
