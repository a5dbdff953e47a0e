"""OpenLineage's events of a real run: what is read and written, with counts, quality and the batch."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

import openlineage.client.generated as generated
import pytest

from firehose.batch.interval import Batch
from firehose.lake.ledger import entry_path, read_entry
from firehose.settings import Settings
from tests.dags import test_end_to_end
from tests.dags.test_end_to_end import EVENTS, variables
from tests.support.sinks import Webhook
from tests.support.warm import Warm

batch, settings = test_end_to_end.batch, test_end_to_end.settings

#: The provider's plugin as a process loads it that has the configuration; this one has loaded it without.
_RUN = """
import importlib, sys
from airflow.listeners.listener import get_listener_manager
from airflow.providers.openlineage import conf
from airflow.providers.openlineage.plugins import openlineage
for one in vars(conf).values():
    getattr(one, "cache_clear", lambda: None)()
(listener,) = importlib.reload(openlineage).OpenLineageProviderPlugin.listeners
get_listener_manager().add_listener(listener)
from airflow.__main__ import main
sys.argv[0] = "airflow"
try:
    main()
finally:
    listener.before_stopping(None)  # its processes, as when a scheduler stops
"""


@pytest.mark.timeout(900)  # processes for the events of runs are spawned
def test_each_task_says_what_it_read_and_wrote(
    warm_airflow: Warm, settings: Settings, batch: Batch, webhook: Webhook
) -> None:
    transport = f'{{"type": "http", "url": "{webhook.url("")}", "endpoint": "lineage"}}'
    for dag_id in ("firehose_batch", "firehose_summaries"):
        done = warm_airflow.python(
            *("-c", _RUN, "dags", "test", dag_id, f"{batch.end:%Y-%m-%dT%H:%M:%SZ}"),
            **variables(settings),
            AIRFLOW__OPENLINEAGE__TRANSPORT=transport,
        )
        assert done.returncode == 0 and "state=success" in done.stdout, done.stdout[-8000:]
    ended = {one["job"]["name"]: one for one in webhook.bodies if one["eventType"] == "COMPLETE"}
    for event in webhook.bodies:
        check(event)
    drained, validated, published, refreshed = (
        ended[name]
        for name in (
            *(f"firehose_batch.{task}" for task in ("drain", "validate", "publish")),
            "firehose_summaries.refresh",
        )
    )
    facet = drained["run"]["facets"]["firehose_batch"]
    assert (facet["batch"], facet["start"]) == (batch.id, batch.start.isoformat())
    redis = settings.redis_url.removesuffix("/0")
    assert {one["namespace"] for one in drained["inputs"]} == {redis}
    assert rows(drained, "inputs") == rows(drained, "outputs") == rows(validated, "inputs") == EVENTS
    assert named(drained, "outputs") == named(validated, "inputs")
    assert rows(validated, "outputs") == EVENTS
    said = [one for of in validated["inputs"] for one in of["inputFacets"]["dataQualityAssertions"]["assertions"]]
    assert len(said) > 20 and {one["success"] for one in said} <= {True, False}
    entry = read_entry(entry_path(settings.lake_path, batch))
    assert entry is not None
    assert named(published, "inputs") <= named(validated, "outputs")
    lake = settings.local_lake
    for of in published["outputs"]:
        name = of["name"].removeprefix(f"{lake}/").removesuffix(".parquet")
        facets, files = of["outputFacets"], [file for file in entry.files if file.record_type == name]
        assert facets["outputStatistics"]["rowCount"] == entry.counts[name].stored
        paths = [file.path(lake) for file in files]
        assert facets["outputStatistics"]["size"] == sum(path.stat().st_size for path in paths)
        assert facets["subset"]["outputCondition"]["locations"] == [path.uri for path in paths]
    assert named(refreshed, "inputs") == named(published, "outputs")
    clickhouse = settings.clickhouse_url.replace("http://", "clickhouse://")
    assert (clickhouse, "ops.events") in named(refreshed, "outputs")
    assert not re.search("password|did:plc:", str(webhook.bodies))


def named(event: dict[str, Any], side: str) -> set[tuple[str, str]]:
    """The data sets on one side."""
    return {(one["namespace"], one["name"]) for one in event[side]}


def rows(event: dict[str, Any], side: str) -> int:
    """The rows of all data sets on one side."""
    key = side.removesuffix("s")
    return sum(one[f"{key}Facets"][f"{key}Statistics"]["rowCount"] for one in event[side])


def check(event: dict[str, Any]) -> None:
    """See that event and facets are made of the fields that OpenLineage's own classes have, by their schema."""
    assert event["schemaURL"].endswith("/OpenLineage.json#/$defs/RunEvent")
    facets = [*event["run"]["facets"].values(), *event["job"]["facets"].values()]
    for side in ("input", "output"):
        for one in event[f"{side}s"]:
            facets += [*one.get("facets", {}).values(), *one.get(f"{side}Facets", {}).values()]
    known = classes()
    for facet in facets:
        if made := known.get(facet["_schemaURL"]):
            made(**{key: value for key, value in facet.items() if not key.startswith("_")})


def classes() -> dict[str, Any]:
    """OpenLineage's facets by the address of their schema."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        if module.name == "base":  # what Airflow adds has fields of its own, and no schema but the base's
            continue
        for one in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if hasattr(one, "_get_schema") and not one.__module__.endswith(".base"):
                found[one._get_schema()] = one
    return found
