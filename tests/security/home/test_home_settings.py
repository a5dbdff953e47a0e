"""Rubbish in any setting, env file or folder: one line that names it, no traceback, no secret, exit code not 0."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import ConnectionPool

from devstack.embedded.redis import free_port
from firehose.settings import Settings, SettingsError
from ingester.contract import env_file
from ingester.contract.settings import IngesterSettings, read_settings
from ingester.jetstream.hosts import hosts
from tests.support.command import FIREHOSE

ROOT = Path(__file__).resolve().parents[3]
PORTS = ("0", "99999", "-1", "http", "")
WHOLE = ("", "many", "1.5", "-1", "99999999999999999999999")
SECONDS = ("", "soon", "0", "-1", "nan", "inf", "1e400")
SHARES = ("", "some", "-0.1", "1.1", "nan")
TEXT = ("a\nb", "a\x00b", "\udcff")
ADDRESSES = ("rubbish", "h:port", "h:99999", ":9464", "h:", "a b:1", "http://h:1", "a\nb:1")
WORD = ("", " ", *TEXT)

#: For every setting values that it must refuse.
RUBBISH: dict[str, tuple[str, ...]] = {
    "home": ("", "a\nb", "~nobody-of-this-name/x", "a&b", "a?b", "a\\b"),
    "redis_url": (
        "",
        "rubbish",
        "http://localhost:6379",
        "redis://",
        "redis://localhost:99999/0",
        "redis://localhost:0/0",
        "redis://localhost:port/0",
        "redis://localhost/zero",
        "redis://localhost?db=wrong",
        "redis://a b/0",
        "redis://[::1/0",
        "redis://u:hunter2@local\nhost/0",
        "unix://",
    ),
    "redis_passwords": ("", "a\nb"),
    "jetstream_url": ("", "rubbish", "http://h/subscribe", "ws://", "ws://h:99999/s", "ws://h/s,", "ws://h:p/s"),
    "wanted_collections": ("app.bsky.*.post", "a b", "app..post", "\x07"),
    "start_cursor": WHOLE,
    "lake": ("a\nb", "~nobody-of-this-name/x", "/a/{b}", "/a*", "/a?", '/a"b', "/year=1/a", "s3://", "ftp://h/b"),
    "rewind_ms": WHOLE,
    "zstd_dictionary": TEXT,
    "max_message_bytes": WHOLE,
    "frame_events": WHOLE,
    "flush_events": WHOLE,
    "flush_bytes": WHOLE,
    "flush_ms": WHOLE,
    "data_timeout_s": SECONDS,
    "backoff_max_s": SECONDS,
    "ingester_name": WORD,
    "lease_s": SECONDS,
    "ingester_metrics": ADDRESSES,
    "log_level": ("", "info", "LOUD"),
    "close_after_hours": (*WHOLE, "0", "8761"),
    "maintenance_processes": (*WHOLE, "0", "257"),
    "iceberg": ("", "maybe", "2"),
    "keep_raw_hours": WHOLE,
    "keep_hours_days": WHOLE,
    "keep_quarantine_days": WHOLE,
    "keep_quality_days": WHOLE,
    "keep_aside_days": WHOLE,
    "keep_tables_days": WHOLE,
    "keep_logs_days": WHOLE,
    "disk_warn_percent": (*WHOLE, "0", "101"),
    "disk_reserve_mib": WHOLE,
    "lake_check_days": (*WHOLE, "0", "367"),
    "legacy": ("a\nb",),
    "legacy_from": ("2024-13-01", "20241001", "2024-10-01T00:00:00Z", "a\nb"),
    "legacy_until": ("2024-13-01", "20241001", "2024-10-01T00:00:00Z", "a\nb"),
    "backup": ("s3://", "ftp://h/b", "a\nb", "~nobody-of-this-name/x"),
    "backup_key": TEXT,
    "backup_key_file": ("a\nb", "~nobody-of-this-name/x"),
    "backup_keep_days": (*WHOLE, "0"),
    "backup_keep_weeks": WHOLE,
    "backup_alert_hours": (*WHOLE, "0"),
    "airflow_database_url": ("rubbish", "mysql://h/d", "postgresql://u:hunter2@h:99999/d"),
    "clickhouse_monitoring_password": TEXT,
    "query_max_memory_mib": WHOLE,
    "query_max_seconds": WHOLE,
    "clickhouse_sandbox": ("", "off", "AUTO"),
    "query_total_memory_mib": WHOLE,
    "http_max_body_mib": (*WHOLE, "0"),
    "http_spool_mib": (*WHOLE, "63"),
    "http_disk_reserve_mib": WHOLE,
    "http_timeout_s": SECONDS,
    "http_allowed_hosts": ("https://h", "h:80", "a b", "a,,b", "x\ny"),
    "http_allowed_origins": ("h", "https://", "https://h/p", "ftp://h", "https://u:hunter2@h", "*"),
    "ui_listen": ("", *ADDRESSES),
    "ui_url": ("rubbish", "ftp://h", "http://", "https://h:99999", "https://a b"),
    "ui_certificate": ("a\nb", "~nobody-of-this-name/x"),
    "ui_key": ("a\nb", "~nobody-of-this-name/x"),
    "ui_readers": ("a\nb", "~nobody-of-this-name/x"),
    "ui_requests_a_minute": WHOLE,
    "alert_webhook_url": ("rubbish", "ftp://h/", "https://", "https://h:99999/hunter2", "https://h/a\nb"),
    "alert_email": ("nobody", "a@b@c", "a@b\nBcc: c@d", "a b@c"),
    "smtp_url": ("rubbish", "http://h", "smtp://", "smtp://u:hunter2@h:99999"),
    "alert_slack_url": ("rubbish", "ftp://h/", "https://", "https://h:99999/hunter2", "https://h/a\nb"),
    "alert_escalate_email": ("nobody", "a@b@c", "a@b\nBcc: c@d", "a b@c"),
    "alert_escalate_minutes": WHOLE,
    "alert_repeat_hours": WHOLE,
    "alert_monitor_minutes": (*WHOLE, "1"),
    "alert_buffer_percent": (*WHOLE, "0", "101"),
    "alert_batch_percent": (*WHOLE, "0"),
    "alert_fresh_minutes": (*WHOLE, "0"),
    "alert_lag_minutes": (*WHOLE, "0"),
    "alert_no_data_minutes": (*WHOLE, "0"),
    "alert_gap_minutes": WHOLE,
    "alert_summaries_minutes": (*WHOLE, "0"),
    "alert_certificate_days": (*WHOLE, "0", "366"),
    "alert_archive_percent": (*WHOLE, "0", "101"),
    "source_keeps_hours": (*WHOLE, "0"),
    "slo_percent": ("", "most", "0", "100", "-1"),
    "alert_query_seconds": ("x", "-1", "301", "nan"),
    "airflow_url": ("rubbish", "ftp://h", "https://", "https://h:99999"),
    "archive_url": ("rubbish", "ftp://h", "https://", "https://h:99999"),
    "archive_key": ("hunter2\n", "hunter2\x00", "\udcff"),
    "archive_key_file": ("a\nb", "~nobody-of-this-name/x"),
    "archive_run_mib": WHOLE,
    "archive_day_mib": WHOLE,
    "batch_minutes": (*WHOLE, "0", "7", "61"),
    "user_files_events": WHOLE,
    "user_files_most": (*WHOLE, "0", "1001"),
    "start_date": ("yesterday", "2026-11-23", "2026-11-23T20:40:00", "2026-13-01T00:00:00Z"),
    "clickhouse_url": (
        "",
        "rubbish",
        "clickhouse://h:9000",
        "http://",
        "http://h:99999",
        "http://h:0",
        "http://h:8123/firehose",
        "http://u:hunter2@h:8123",
        "http://h:8123/#a",
    ),
    "clickhouse_loader": (*WORD, "analyst"),
    "clickhouse_loader_password": TEXT,
    "clickhouse_analyst": (*WORD, "loader"),
    "clickhouse_analyst_password": TEXT,
    "clickhouse_lake": ("s3://bucket/*", "/a?", "a\nb"),
    "clickhouse_cluster": ("two words", "a-b", "1st", "a\nb", "a'b"),
    "readers": ("", "old", "new,", "both:0%", "both:101%", "both:x%", "legacy<2024-13-01", "both<", "a\nb"),
    "airflow_port": PORTS,
    "airflow_connections": ("vault", "Settings", "settings\n"),
    "airflow_user": ("", "a\nb"),
    "airflow_password": ("hunter2\n", "hunter2\x00", "\udcff"),
    "exporter_listen": ("", *ADDRESSES),
    "exporter_probe_s": ("x", "-1", "86401", "nan"),
    "docs_port": PORTS,
    "simulator_port": PORTS,
    "max_error_rate": SHARES,
    "max_quarantine_rate": (*SHARES, "0"),
}


def test_every_setting_has_rubbish_to_refuse() -> None:
    assert list(RUBBISH) == [field.name for field in msgspec.structs.fields(Settings)]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in RUBBISH.items() for value in values]
)
def test_rubbish_is_one_line_that_names_the_setting(name: str, value: str, tmp_path: Path) -> None:
    variable = f"FIREHOSE_{name.upper()}"
    with pytest.raises(SettingsError) as caught:
        read_settings(Settings, {"FIREHOSE_HOME": str(tmp_path), variable: value}, closed=True)
    said = str(caught.value)
    assert variable in said
    assert said.isprintable()
    assert "hunter2" not in said


@given(
    name=st.sampled_from([name for name, values in RUBBISH.items() if "" in values or "rubbish" in values]),
    value=st.text(),
)
def test_any_text_is_taken_or_refused_in_one_line(name: str, value: str) -> None:
    given_ = {"FIREHOSE_HOME": "/nowhere", f"FIREHOSE_{name.upper()}": value}
    try:
        settings = read_settings(Settings, given_, closed=True)
    except SettingsError as error:
        assert f"FIREHOSE_{name.upper()}" in str(error)
        assert str(error).isprintable()
        return
    ConnectionPool.from_url(settings.redis_url)
    assert hosts(settings)


@given(scheme=st.sampled_from(["redis", "rediss", "unix"]), rest=st.text(alphabet="a:/@?[]%#=&0169 \t"))
def test_a_redis_url_that_is_taken_can_be_used(scheme: str, rest: str) -> None:
    url = f"{scheme}://{rest}"
    try:
        settings = read_settings(IngesterSettings, {"FIREHOSE_HOME": "/nowhere", "FIREHOSE_REDIS_URL": url})
    except SettingsError:
        return
    ConnectionPool.from_url(settings.redis_url)


def run(command: list[str], tmp_path: Path, **environ: str) -> str:
    """Run a command that must end by itself, with an error of one line; returns that."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FIREHOSE_HOME": str(tmp_path / "home")}
    clean |= {"FIREHOSE_LAKE": str(tmp_path / "lake"), "FIREHOSE_REDIS_URL": f"redis://localhost:{free_port()}/0"}
    clean |= {"FIREHOSE_CLICKHOUSE_URL": f"http://localhost:{free_port()}"}
    clean |= {"FIREHOSE_UI_LISTEN": f"127.0.0.1:{free_port()}"}
    clean |= {f"FIREHOSE_{name}_PORT": str(free_port()) for name in ("AIRFLOW", "DOCS", "SIMULATOR")}
    done = subprocess.run(
        command, cwd=ROOT, env=clean | environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


COMMANDS = {
    "demo": [FIREHOSE, "demo", "--simulate"],
    "query": [FIREHOSE, "query", "SELECT 1"],
    "ingester": [sys.executable, "-m", "ingester"],
    "clickhouse": [FIREHOSE, "clickhouse"],
    "page": [FIREHOSE, "ui"],
    "page of the demo": [sys.executable, "-m", "firehose_ui.serve"],
    "clickhouse of the demo": [sys.executable, "-m", "devstack.embedded.clickhouse"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_it_the_same_way(command: str, tmp_path: Path) -> None:
    said = run(COMMANDS[command], tmp_path, FIREHOSE_REDIS_URL="redis://:hunter2@localhost:99999/0")
    who = "ingester" if command == "ingester" else "firehose"
    assert said.startswith(f"{who}: FIREHOSE_REDIS_URL=(hidden): must be redis://HOST:PORT/DATABASE")
    (tmp_path / "home").mkdir(0o700)
    env_file = tmp_path / "home" / "firehose.env"
    env_file.write_bytes(b"FIREHOSE_BATCH_MINUTES=1\n" + bytes(range(256)))
    assert run(COMMANDS[command], tmp_path).startswith(
        f"{who}: {env_file}: not text in UTF-8; an env file has lines"
    )
    env_file.write_text("FIREHOSE_BATCH_MINUTES=1\nhunter2 is my password\n")
    assert f"{who}: {env_file}: line 2 is not a setting; an env file" in run(COMMANDS[command], tmp_path)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"REDIS_URL": "rediss://localhost:6379/0"}, "FIREHOSE_REDIS_URL: the demo runs a Redis of its own"),
        ({"REDIS_URL": "redis://192.0.2.1:6379/0"}, "FIREHOSE_REDIS_URL: the demo runs a Redis of its own"),
        ({"REDIS_URL": "redis://localhost/16"}, "FIREHOSE_REDIS_URL: the demo's Redis has the databases 0 to 15"),
        (
            {"CLICKHOUSE_URL": "https://localhost:8443"},
            "FIREHOSE_CLICKHOUSE_URL: the demo runs a ClickHouse of its",
        ),
        (
            {"DOCS_PORT": "4711", "AIRFLOW_PORT": "4711"},
            "port 4711 is set for both data-docs and airflow-api-server",
        ),
        (
            {"HOME": "{tmp}/file/below"},
            "FIREHOSE_HOME: {tmp}/file/below cannot be used as a folder (Not a directory)",
        ),
        ({"HOME": "{tmp}/file"}, "FIREHOSE_HOME: {tmp}/file cannot be used as a folder"),
        ({"HOME": "/proc/home"}, "FIREHOSE_HOME: /proc/home cannot be used as a folder"),
        ({"LAKE": "/proc/lake"}, "FIREHOSE_LAKE: /proc/lake/_quality cannot be used as a folder"),
    ],
)
def test_what_the_demo_cannot_do_is_one_line_before_anything_starts(
    tmp_path: Path, environ: dict[str, str], said: str
) -> None:
    (tmp_path / "file").write_text("")
    filled = {f"FIREHOSE_{name}": value.format(tmp=tmp_path) for name, value in environ.items()}
    assert run(COMMANDS["demo"], tmp_path, **filled).startswith(f"firehose: {said.format(tmp=tmp_path)}")
    assert not (tmp_path / "home" / "logs").exists()


def test_an_env_file_that_lost_its_lines_gets_no_other_values(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(0o700)
    (home / "firehose.env").write_text("")
    lacks = f"firehose: {home / 'firehose.env'} lacks FIREHOSE_START_DATE, FIREHOSE_CLICKHOUSE_LOADER_PASSWORD, "
    assert run(COMMANDS["demo"], tmp_path).startswith(lacks)
    (home / "airflow").mkdir(0o700)  # it has run before
    (home / "firehose.env").write_text("FIREHOSE_BATCH_MINUTES=5\n")
    assert run(COMMANDS["demo"], tmp_path).startswith(lacks)
    assert (home / "firehose.env").read_text() == "FIREHOSE_BATCH_MINUTES=5\n"


def test_an_env_file_from_before_the_first_start_is_completed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (home / "firehose.env").write_text(f"# mine\nFIREHOSE_DOCS_PORT={port}\nFIREHOSE_BATCH_MINUTES=5\n")
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FIREHOSE_HOME": str(home)}
        environ |= {
            "FIREHOSE_LAKE": str(tmp_path / "lake"),
            "FIREHOSE_REDIS_URL": f"redis://localhost:{free_port()}",
        }
        environ |= {"FIREHOSE_CLICKHOUSE_URL": f"http://localhost:{free_port()}"}
        done = subprocess.run(
            COMMANDS["demo"], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr
    lines = (home / "firehose.env").read_text().splitlines()
    assert lines[:3] == ["# mine", f"FIREHOSE_DOCS_PORT={port}", "FIREHOSE_BATCH_MINUTES=5"]
    assert [line.partition("=")[0] for line in lines[3:]] == [
        "FIREHOSE_START_DATE",
        "FIREHOSE_CLICKHOUSE_LOADER_PASSWORD",
        "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD",
    ]
    assert (home / "firehose.env").stat().st_mode & 0o777 == 0o600


@given(
    value=st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"])).filter(
        lambda text: "${" not in text
    )
)
def test_a_line_of_an_env_file_gives_its_value_back(value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "env"
        path.write_text(env_file.line("LAKE", value), encoding="utf-8")
        assert env_file.read(path) == {"FIREHOSE_LAKE": value}
