"""The rules of Prometheus: each alert fires and clears, asks for what there is, and names its runbook section."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from firehose.alerts.limits import Limits
from firehose.settings import Settings
from tests.integration.monitoring.monitored import INCLUDE, PROMETHEUS, RULE_FILES, promtool, rules, unknown

OPERATIONS = INCLUDE.parent / "docs" / "operations.md"
HOUR = 60
DAY = 24 * HOUR
#: What may stand in a rule as a number, since no setting says it: 0 and 1, and what only Prometheus knows.
NUMBERS = {
    "FirehoseExporterDown": {"120"},  # eight looks
    "FirehoseSchedulerDown": {"120"},  # Airflow itself calls a scheduler healthy for 30 s
    "FirehoseQueriesRefused": {"0.05"},
}
#: By alert: its series, each as it is while something is wrong and when it is right again. A rate is "rising by".
#: Then for how long it is wrong, and the minutes after that until the alert has cleared.
Case = tuple[dict[str, tuple[str, str]], int, int]
CASES: dict[str, Case] = {
    "FirehoseExporterDown": (
        {
            'up{job="firehose-exporter"}': ("0", "1"),
            'firehose_limit{job="firehose-exporter",limit="lag_seconds"}': ("600", "600"),
        },
        10,
        5,
    ),
    "FirehoseIngesterDown": ({'up{job="firehose-ingester"}': ("0", "1")}, 10, 5),
    "FirehoseIngesterSilent": ({"firehose_ingester_silent_seconds": ("90", "1")}, 10, 5),
    "FirehoseNoData": ({"firehose_ingester_unheard_seconds": ("181", "179")}, 10, 5),
    "FirehoseIngesterLags": ({"firehose_ingester_lag_seconds": ("601", "599")}, 10, 5),
    "FirehoseSchedulerDown": ({'firehose_airflow_healthy{part="scheduler"}': ("0", "1")}, 10, 5),
    "FirehoseAirflowDown": ({'firehose_part_known{part="airflow"}': ("0", "1")}, 10, 5),
    "FirehoseRedisDown": ({'firehose_part_known{part="buffer"}': ("0", "1")}, 10, 5),
    "FirehoseClickHouseDown": ({'firehose_part_known{part="summaries"}': ("0", "1")}, 10, 5),
    "FirehoseBufferFillsUp": ({"firehose_redis_used_ratio": ("0.81", "0.79")}, 10, 5),
    "FirehoseRedisCannotWrite": ({"firehose_redis_aof_ok": ("0", "1")}, 10, 5),
    "FirehoseNoBatch": (
        {"firehose_batch_late_seconds": ("301", "299"), "firehose_batch_length_seconds": ("300", "300")},
        10,
        5,
    ),
    "FirehoseBatchSlow": ({"firehose_batch_seconds": ("601", "599")}, 20, 5),
    "FirehoseBatchesMissing": ({"firehose_missing_batches": ("1", "0")}, 40, 5),
    "FirehoseBatchesUnpublished": ({"firehose_unpublished_oldest_seconds": ("601", "599")}, 30, 5),
    "FirehoseBadData": ({"firehose_error_ratio": ("0.011", "0.009")}, 10, 5),
    "FirehoseGapOpen": ({"firehose_gap_waited_seconds": ("1801", "0")}, 10, 5),
    "FirehoseRowsLost": ({'firehose_lost_rows_total{type="likes"}': ("+1", "+0")}, 10, 70),
    "FirehoseForeignData": ({"firehose_foreign_keys_total": ("+1", "+0")}, 10, 70),
    "FirehoseEventsUnwritten": (
        {'firehose_ingester_losses_total{path="unwritten",instance="a"}': ("+3", "+0")},
        10,
        70,
    ),
    "FirehoseDiskFillsUp": (
        {
            'firehose_disk_used_bytes{disk="lake"}': ("91", "89"),
            'firehose_disk_free_bytes{disk="lake"}': ("9", "11"),
        },
        10,
        5,
    ),
    "FirehoseSummariesBehind": ({"firehose_summaries_behind_seconds": ("901", "899")}, 10, 5),
    "FirehoseRawUnverified": ({"firehose_expiring_unverified_batches": ("2", "0")}, 70, 5),
    "FirehoseBackupOld": ({"firehose_backup_age_seconds": ("133200", "3600")}, 20, 5),
    "FirehoseQueriesRefused": (
        {
            'clickhouse_http_queries_total{role="analyst",outcome="ok"}': ("+10", "+10"),
            'clickhouse_http_queries_total{role="analyst",outcome="memory"}': ("+2", "+0"),
        },
        30,
        20,
    ),
    # Late for a part of each hour that uses the allowance 14.4, 6 and 1 times too fast.
    "FirehoseObjectiveBurnsFast": (
        {'firehose_probe_queries_total{query="lake",outcome="failed"}': ("+1", "+0")}
        | {'firehose_probe_queries_total{query="lake",outcome="in_time"}': ("+19", "+20")},
        90,
        30,
    ),
    "FirehoseObjectiveBurns": (
        {'firehose_missing_seconds{hours="6"}': ("150", "0"), 'firehose_missing_seconds{hours="1"}': ("30", "0")},
        60,
        40,
    ),
    "FirehoseObjectiveBurnsSlowly": (
        {'firehose_missing_seconds{hours="6"}': ("30", "0"), 'firehose_missing_seconds{hours="24"}': ("120", "0")},
        3 * HOUR,
        2 * HOUR,
    ),
}


def values(bad: str, good: str, minutes: int, after: int) -> str:
    """The series in promtool's notation: one value a minute."""
    if bad.startswith("+"):
        until = int(bad) * minutes
        return f"0{bad}x{minutes} {until}{good}x{after}"
    return f"{bad}x{minutes} {good}x{after}"


def limits(settings: Settings, minutes: int = 10 * DAY) -> list[dict[str, str]]:
    """The limits of these settings, as the exporter says them."""
    found = msgspec.structs.asdict(Limits.of(settings)).items()
    return [
        {"series": f'firehose_limit{{limit="{name}"}}', "values": f"{value}x{minutes}"} for name, value in found
    ]


def case(alert: str, given: Case, settings: Settings | None = None) -> dict[str, Any]:
    """A test for promtool: silent before, firing at the end of what is wrong, silent when it is right again."""
    series, minutes, after = given
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    return {
        "interval": "1m",
        "name": alert,
        "input_series": [
            *({"series": name, "values": values(*pair, minutes, after + 5)} for name, pair in series.items()),
            *limits(settings or Settings(), minutes + after + 5),
        ],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{minutes}m", "exp_samples": [{"labels": "{}", "value": 1}]},
            {"expr": firing, "eval_time": f"{minutes + after}m", "exp_samples": []},
        ],
    }


def promtool_says(*arguments: str | Path) -> None:
    done = subprocess.run([promtool(), *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def run(tests: list[dict[str, Any]], folder: Path) -> None:
    """Let promtool run these tests on the rules."""
    path = folder / "rules_test.yml"
    given = {"rule_files": [*map(str, RULE_FILES)], "evaluation_interval": "1m", "tests": tests}
    path.write_text(yaml.safe_dump(given))
    promtool_says("test", "rules", path)


def test_promtool_finds_nothing_wrong_with_rules_and_configuration() -> None:
    promtool_says("check", "rules", *RULE_FILES)
    promtool_says("check", "config", PROMETHEUS / "prometheus.yml")


def test_each_alert_fires_and_clears(tmp_path: Path) -> None:
    run([case(alert, given) for alert, given in CASES.items()], tmp_path)


def test_a_case_that_is_wrong_is_told(tmp_path: Path) -> None:
    """Otherwise the test above would show nothing."""
    harmless: Case = ({"firehose_redis_used_ratio": ("0.79", "0.79")}, 10, 5)
    with pytest.raises(AssertionError, match="FirehoseBufferFillsUp"):
        run([case("FirehoseBufferFillsUp", harmless)], tmp_path)


def test_data_that_is_ten_minutes_old_is_stale(tmp_path: Path) -> None:
    """The end of the last interval stands still: stale from the tenth minute on, and firing soon after."""
    firing = 'count(ALERTS{alertname="FirehoseObjectiveBurnsFast",alertstate="firing",objective="freshness"})'
    stale = [{"labels": "firehose:stale:bool", "value": value} for value in (0, 1)]
    run(
        [
            {
                "interval": "1m",
                "input_series": [
                    {"series": "firehose_newest_batch_end_timestamp_seconds", "values": "0x60"},
                    *limits(Settings(), 60),
                ],
                "promql_expr_test": [
                    {"expr": "firehose:stale:bool", "eval_time": "10m", "exp_samples": [stale[0]]},
                    {"expr": "firehose:stale:bool", "eval_time": "11m", "exp_samples": [stale[1]]},
                    {"expr": firing, "eval_time": "10m", "exp_samples": []},
                    {"expr": firing, "eval_time": "14m", "exp_samples": [{"labels": "{}", "value": 1}]},
                ],
            }
        ],
        tmp_path,
    )


def test_rules_follow_a_setting_that_is_changed(tmp_path: Path) -> None:
    """One value a limit, between the default and another one, that fires with one of them only."""
    later = Settings(alert_lag_minutes=20, alert_buffer_percent=90, alert_gap_minutes=60, slo_percent=99.0)
    between: dict[str, Case] = {
        "FirehoseIngesterLags": ({"firehose_ingester_lag_seconds": ("900", "1")}, 10, 5),
        "FirehoseBufferFillsUp": ({"firehose_redis_used_ratio": ("0.85", "0.1")}, 10, 5),
        "FirehoseGapOpen": ({"firehose_gap_waited_seconds": ("2700", "0")}, 10, 5),
        "FirehoseObjectiveBurns": CASES["FirehoseObjectiveBurns"],
    }
    run([case(alert, given) for alert, given in between.items()], tmp_path)
    for alert, given in between.items():
        with pytest.raises(AssertionError, match=alert):
            run([case(alert, given, later)], tmp_path)


def test_an_exporter_without_limits_is_told(tmp_path: Path) -> None:
    """Its rules could not fire: it is of an earlier version."""
    firing = 'count(ALERTS{alertname="FirehoseExporterDown",alertstate="firing"})'
    here = 'job="firehose-exporter",instance="a"'
    up = {"series": f"up{{{here}}}", "values": "1x20"}
    said = {"series": f'firehose_limit{{limit="lag_seconds",{here}}}', "values": "600x20"}
    silent: dict[str, Any] = {"expr": firing, "eval_time": "10m", "exp_samples": []}
    told = silent | {"exp_samples": [{"labels": "{}", "value": 1}]}
    tests = [
        {"interval": "1m", "input_series": [up], "promql_expr_test": [told]},
        {"interval": "1m", "input_series": [up, said], "promql_expr_test": [silent]},
    ]
    run(tests, tmp_path)


def test_no_rule_has_a_limit_of_its_own() -> None:
    """A number that a setting has would be right for who never changes it only."""
    for rule in rules():
        compared = set(re.findall(r"[<>]=?\s*(?:bool\s+)?\(?(\d[\d.]*)", rule["expr"]))
        allowed = {"0", "1"} | NUMBERS.get(rule.get("alert", ""), set())
        assert compared <= allowed, f"{rule.get('alert', rule.get('record'))}: use firehose_limit"


def test_every_alert_is_tested_and_tells_its_section_of_the_runbook() -> None:
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    assert set(alerts) == set(CASES)
    text = OPERATIONS.read_text()
    anchors = set(re.findall(r'<a id="([a-z-]+)">', text)) | {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for name, rule in alerts.items():
        page, _, section = rule["annotations"]["runbook"].partition("#")
        assert (page, section in anchors) == ("docs/operations.md", True), f"{name}: {section}"
        assert rule["labels"]["severity"] in ("error", "warning")
        assert {"summary", "description"} <= set(rule["annotations"])


def test_every_limit_that_a_rule_compares_with_is_one() -> None:
    named = {name for rule in rules() for name in re.findall(r'firehose_limit\{limit="([^"]*)"', rule["expr"])}
    assert named <= set(Limits.__struct_fields__)


def test_every_rule_asks_for_series_and_labels_of_the_lists() -> None:
    assert {
        str(rule.get("alert", rule.get("record"))): wrong for rule in rules() if (wrong := unknown(rule["expr"]))
    } == {}
