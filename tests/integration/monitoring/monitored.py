"""What Prometheus and Grafana may ask for: every series of the closed lists, with its labels.

Lives here: the names, and finding them in an expression. Must not: assertions.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from clickhouse_http import metrics as of_endpoint
from firehose import metrics

INCLUDE = Path(__file__).parents[3] / "include"
PROMETHEUS = INCLUDE / "prometheus"
RULE_FILES = [PROMETHEUS / "objectives.yml", PROMETHEUS / "alerts.yml"]
#: Labels that every series gets from Prometheus.
_TARGET = {"job", "instance"}
_WORD = re.compile(r"\b(?:firehose|clickhouse_http|process)_[a-z_]+\b|\bfirehose:[a-z_:]+|\bup\b")
_SELECTOR = re.compile(r"([a-z_:]+)\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|ignoring|on)\s*\(([^)]*)\)")
_MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every file."""
    for path in RULE_FILES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


@cache
def series() -> dict[str, set[str]]:
    """Every series that may be asked for, with its labels."""
    found = {metric.name: {*metric.labels} for metric in metrics.METRICS} | {"up": set()}
    for metric in of_endpoint.METRICS:
        if metric.kind == "histogram":
            found |= {f"{metric.name}_{part}": {*metric.labels} for part in ("sum", "count")}
            found[f"{metric.name}_bucket"] = {*metric.labels, "le"}
        else:
            found[metric.name] = {*metric.labels}
    for rule in rules():
        if "record" in rule:
            found.setdefault(rule["record"], set()).update(rule.get("labels", {}))
    return {name: labels | _TARGET for name, labels in found.items()}


def unknown(expression: str) -> set[str]:
    """What an expression asks for that is not there: series, and labels of them."""
    there = series()
    names = set(_WORD.findall(_GROUPING.sub("", re.sub(r"\"[^\"]*\"", '""', expression))))
    wrong = {name for name in names if name not in there}
    for name, matchers in _SELECTOR.findall(expression):
        labels = set(_MATCHER.findall(re.sub(r"\"[^\"]*\"", '""', matchers)))
        wrong |= {f"{name}{{{label}}}" for label in labels - there.get(name, labels)}
    known = set[str]().union(*(there[name] for name in names - wrong), {"window", "objective"})
    for listed in _GROUPING.findall(expression):
        wrong |= {f"({label})" for label in filter(None, map(str.strip, listed.split(","))) if label not in known}
    return wrong


def promtool() -> str:
    """Prometheus' own checker; a test that needs it is skipped where it is not installed."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: Debian's package prometheus has it")
    return found
