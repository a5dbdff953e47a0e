"""The summaries on the real engine: right numbers, exact reruns, and safe at every point of death."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from filelock import FileLock

from firehose.errors import ServiceUnavailable
from firehose.lake import audit, ledger
from firehose.lake.ledger import LedgerEntry
from firehose.maintenance.run import Maintenance
from firehose.settings import Settings
from firehose.store import LakePath, Listed, LocalLake
from firehose.warehouse import event_tables, summaries
from firehose.warehouse.summaries import load, refresh
from tests.integration.warehouse.dying import DyingClient
from tests.integration.warehouse.lakes import DAY, TABLES, LakeBuilder, Row, at, row, small
from tests.integration.warehouse.test_views import files_opened


def contents(client: Client) -> dict[str, bytes]:
    """Every summary as sorted bytes; of the aggregate states what they stand for."""
    readable = [table for table in TABLES if table != "ops.account_states_by_hour"]
    readable += ["firehose.active_accounts_by_hour", "firehose.active_accounts_by_day"]
    return {table: client.raw_query(f"SELECT * FROM {table} ORDER BY ALL", fmt="RowBinary") for table in readable}


def many_rows(seed: int) -> dict[str, list[Row]]:
    """Some thousand posts and likes of three hours around midnight, Zipf-like in accounts, tags and subjects."""
    rng = random.Random(seed)
    instants = [at(22) + timedelta(seconds=rng.random() * 10_700) for _ in range(6000)]
    posts = [
        row(
            "posts",
            moment,
            f"a{int(rng.paretovariate(0.7)) % 900}",
            operation=rng.choice(["create"] * 8 + ["delete", "update"]),
            langs=rng.choice([None, [], ["en"], ["en", "pt"], ["ja"], ["en", "en"]]),
            hashtags=[f"tag{int(rng.paretovariate(1)) % 50}" for _ in range(rng.randrange(3))],
            links=[f"https://{rng.choice('abc')}.example/{rng.randrange(9)}" for _ in range(rng.randrange(3))],
        )
        for moment in instants[:3000]
    ]
    likes = [
        row("likes", moment, f"b{rng.randrange(2000)}", subject_uri=f"at://s{int(rng.paretovariate(0.5)) % 2500}")
        for moment in instants[3000:]
    ]
    return {"posts": posts, "likes": likes}


def publish_all(lake: LakeBuilder, edition: int = 0) -> None:
    """One batch for each of the three hours."""
    for hour in (22, 23, 24):
        lake.publish(at(hour, 55), {at(hour): ["posts", "likes"]}, edition)


def fetch(client: Client, query: str) -> Any:
    return client.query(query).result_rows


def test_numbers_of_the_small_lake(client: Client, settings: Settings, small_lake: LakeBuilder) -> None:
    result = refresh(settings)
    assert (result.batches, result.days, result.hours) == (
        ("20261123T205500Z", "20261123T215500Z"),
        (DAY.date(),),
        2,
    )
    hour = "day = '2026-11-23' AND hour = '2026-11-23 20:00:00'"
    assert fetch(client, f"SELECT lang, posts FROM firehose.languages_by_hour WHERE {hour} ORDER BY lang") == [
        ("", 1),
        ("en", 2),
        ("fr", 1),
    ]
    assert fetch(client, f"SELECT tag, posts, accounts FROM firehose.hashtags_by_hour WHERE {hour}") == [
        ("coffee", 2, 2)
    ]
    assert fetch(client, f"SELECT domain, posts, accounts FROM firehose.link_domains_by_hour WHERE {hour}") == [
        ("example.com", 1, 1)
    ]
    assert fetch(client, f"SELECT url, domain, posts FROM firehose.links_by_hour WHERE {hour} ORDER BY url") == [
        ("https://example.com/b", "example.com", 1),
        ("https://www.Example.com/a", "example.com", 1),
    ]
    assert fetch(
        client, f"SELECT uri, likes FROM firehose.most_liked_posts_by_hour WHERE {hour} ORDER BY likes"
    ) == [
        ("at://b", 1),
        ("at://did:plc:ann/app.bsky.feed.post/k1", 3),
    ]
    assert fetch(
        client, f"SELECT type, accounts FROM firehose.active_accounts_by_hour WHERE {hour} ORDER BY type"
    ) == [
        ("all", 7),
        ("likes", 4),
        ("posts", 3),
    ]
    assert fetch(client, "SELECT accounts FROM firehose.active_accounts_by_day WHERE type = 'all'") == [(7,)]


def test_summaries_agree_with_a_count_in_python(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    rows = many_rows(1)
    for name, made in rows.items():
        lake.write(name, made)
    publish_all(lake)
    refresh(settings)
    minutes = Counter(
        (r["time_us"] // 60_000_000, name, r["operation"]) for name, made in rows.items() for r in made
    )
    found = fetch(client, "SELECT toUnixTimestamp(minute), type, operation, events FROM firehose.events_by_minute")
    assert {(m // 60, t, o): n for m, t, o, n in found} == minutes
    tags = Counter(
        (r["time_us"] // 3_600_000_000, tag)
        for r in rows["posts"]
        if r["operation"] == "create"
        for tag in set(r["hashtags"])
    )
    found = fetch(client, "SELECT toUnixTimestamp(hour), tag, posts FROM firehose.hashtags_by_hour")
    assert {(h // 3600, tag): n for h, tag, n in found} == tags
    accounts = {(r["time_us"] // 3_600_000_000, r["did"]) for made in rows.values() for r in made}
    found = fetch(
        client, "SELECT toUnixTimestamp(hour), accounts FROM firehose.active_accounts_by_hour WHERE type = 'all'"
    )
    assert {h // 3600: n for h, n in found} == Counter(hour for hour, _ in accounts)
    liking = {(r["time_us"] // 3_600_000_000, r["subject_uri"], r["did"]) for r in rows["likes"]}
    likes = Counter((hour, uri) for hour, uri, _ in liking)
    found = fetch(client, "SELECT toUnixTimestamp(hour), uri, likes FROM firehose.most_liked_posts_by_hour")
    assert {(h // 3600, uri): n for h, uri, n in found} == likes


def test_a_rerun_gives_equal_bytes(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    rows = many_rows(2)
    for name, made in rows.items():
        lake.write(name, made)
    publish_all(lake)
    refresh(settings)
    before = contents(client)
    assert all(kept for table, kept in before.items() if not table.startswith("ops.imported_"))
    for name, made in rows.items():
        lake.write(name, random.Random(3).sample(made, len(made)))
    publish_all(lake, edition=1)
    assert len(refresh(settings).batches) == 3
    assert contents(client) == before
    assert refresh(settings).batches == ()


def test_hours_with_few_rows_are_read_together_and_give_the_same(
    client: Client, settings: Settings, lake: LakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, made in many_rows(4).items():
        lake.write(name, made)
    publish_all(lake)
    refresh(settings)
    before = contents(client)
    monkeypatch.setattr(summaries, "rows_in", lambda _, hours: dict.fromkeys(hours, 1))
    publish_all(lake, edition=1)
    assert len(refresh(settings).batches) == 3
    assert contents(client) == before
    two = f"SELECT count() FROM firehose.seen_posts WHERE hour_start IN ['{at(22):%F %T}', '{at(24):%F %T}']"
    assert files_opened(client, two) == 2


def test_only_the_touched_hours_are_read_again(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    lake.write("posts", [row("posts", at(hour), langs=["en"]) for hour in (5, 6, 29)])
    lake.publish(at(5), {at(5): ["posts"], at(6): ["posts"], at(29): ["posts"]})
    refresh(settings)
    lake.write("posts", [row("posts", at(hour, n), langs=["ja"]) for hour in (5, 6, 29) for n in range(2)])
    lake.publish(at(6), {at(6): ["posts"]})
    assert refresh(settings).hours == 1
    rows = fetch(client, "SELECT toHour(hour), lang, posts FROM firehose.languages_by_hour ORDER BY hour")
    assert rows == [(5, "en", 1), (6, "ja", 2), (5, "en", 1)]


def test_an_hour_that_a_rerun_left_is_emptied(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    (left,) = lake.write("posts", [row("posts", at(7), langs=["en"])])
    lake.publish(at(7), {at(7): ["posts"]})
    refresh(settings)
    left.unlink()
    lake.write("posts", [row("posts", at(8), langs=["en"])])
    lake.publish(at(7), {at(8): ["posts"]}, edition=1)
    refresh(settings)
    assert fetch(client, "SELECT toHour(hour) FROM firehose.languages_by_hour") == [(8,)]
    left_alone = fetch(client, "SELECT hour FROM firehose.hashtags_by_hour")
    assert left_alone == []


def test_the_thousand_most_liked_and_ties_by_uri(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    likes = [row("likes", at(9, 0, n / 100), f"f{n}", subject_uri=f"at://{n % 1500:04d}") for n in range(2000)]
    lake.write("likes", likes)
    lake.publish(at(9), {at(9): ["likes"]})
    refresh(settings)
    rows = fetch(client, "SELECT uri, likes FROM firehose.most_liked_posts_by_hour ORDER BY likes DESC, uri")
    assert rows == [(f"at://{n:04d}", 2 if n < 500 else 1) for n in range(1000)]


def test_the_accounting_is_queryable(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    entry = lake.publish(at(9), {at(9): ["likes", "posts"]})
    refresh(settings)
    lake.publish(at(9), {at(9): ["likes", "posts"]}, edition=1)
    refresh(settings)
    assert fetch(
        client, "SELECT batch, type, received, good, quarantined, duplicates, stored FROM ops.batch_counts"
    ) == [
        (entry.start, "likes", 10, 7, 2, 1, 7),
        (entry.start, "posts", 10, 7, 2, 1, 7),
    ]


def test_good_means_one_thing(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    """What the ledger counts as good is what was new and stored; ClickHouse says the same of it."""
    counts = next(iter(lake.publish(at(9), {at(9): ["likes"]}).counts.values()))
    refresh(settings)
    assert counts.received == counts.good + counts.quarantined + counts.duplicates and counts.good == counts.stored
    told = client.query(
        "SELECT name, comment FROM system.columns WHERE database = 'ops' AND table = 'batch_counts'"
        " AND name IN ('received', 'good')"
    ).result_rows
    assert {name: comment for name, comment in told} == {  # noqa: C416 - rows are sequences of any length
        "received": "Raw events drained from Redis: good + quarantined + duplicates",
        "good": "Events that passed every rule and were new; always equal to stored",
    }


def test_a_refresh_killed_before_any_command_is_completed_by_the_next(client: Client, lake: LakeBuilder) -> None:
    small(lake)
    load(client, LocalLake(lake.root))
    wanted = contents(client)
    died = 0
    while True:
        client.command("TRUNCATE TABLE ops.batches")
        try:
            load(DyingClient(client, died), LocalLake(lake.root))  # type: ignore[arg-type]  # a proxy, not a subclass
            break
        except SystemExit:
            died += 23  # not every point, but each kind: a rebuild has seven commands
        # What is visible meanwhile is a partition as it was or as it will be: equal here. Then the next run.
        assert contents(client) == wanted
    assert died > 4 * len(TABLES)
    assert contents(client) == wanted
    assert fetch(client, "SELECT count() FROM ops.batches FINAL") == [(2,)]
    assert fetch(client, "SHOW TABLES FROM ops LIKE 'staging%'") == []


def test_a_batch_counts_as_loaded_only_after_its_swaps(client: Client, lake: LakeBuilder) -> None:
    small(lake)
    with pytest.raises(SystemExit):
        load(DyingClient(client, 20), LocalLake(lake.root))  # type: ignore[arg-type]  # a proxy, not a subclass
    assert fetch(client, "SELECT count() FROM ops.batches") == [(0,)]
    assert len(load(client, LocalLake(lake.root)).batches) == 2


def test_an_entry_that_was_only_put_back_is_read_once_and_rebuilds_nothing(
    client: Client, settings: Settings, lake: LakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(lake)
    assert len(refresh(settings).batches) == 2
    wanted, read = contents(client), list[str]()
    listed_entry = ledger.listed_entry

    def seen(root: LakePath, listed: Listed) -> LedgerEntry | None:
        read.append(listed.key)
        return listed_entry(root, listed)

    monkeypatch.setattr(summaries, "listed_entry", seen)

    def refreshed() -> list[str]:
        read.clear()
        done = refresh(settings)
        assert (done.batches, done.hours) == ((), 0)
        return read

    assert refreshed() == []
    entry = LocalLake(lake.root).find("_ledger/*/*.json")[0]
    entry.write(entry.read_bytes())
    assert refreshed() == [f"{entry.parent.name}/{entry.name}"]
    assert refreshed() == [] and contents(client) == wanted


def test_refreshes_exclude_each_other(
    client: Client, settings: Settings, small_lake: LakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    threads = [threading.Thread(target=lambda: results.append(refresh(settings).batches)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, results)) == [0, 0, 2]
    monkeypatch.setattr(summaries, "_LOCK_TIMEOUT_S", 0.01)
    with (
        FileLock(Path(settings.lake) / ".locks" / "summaries.lock"),
        pytest.raises(ServiceUnavailable, match="holds"),
    ):
        refresh(settings)


def test_days_of_tables_that_are_kept_no_longer_are_dropped_on_record(
    settings: Settings, client: Client, small_lake: LakeBuilder
) -> None:
    """The day of the lake's two hours goes from each table that has it, and a refresh does not bring it back."""
    refresh(settings)
    kept = msgspec.structs.replace(settings, keep_tables_days=30, keep_raw_hours=0, keep_quality_days=0)

    def after(days: int) -> Maintenance:
        return Maintenance(kept, "a test", clock=lambda: at(0) + timedelta(days=days))

    tables = (*TABLES, *event_tables.TABLES)
    held = [table for table in tables if client.command(f"SELECT count() FROM {table}")]
    assert held and not after(29).plan().removals
    assert [removal.what for removal in after(30).plan().removals] == [f"{table} {DAY:%Y-%m-%d}" for table in held]
    assert after(30).expire().removed == {"tables": len(held)}
    assert not any(client.command(f"SELECT count() FROM {table}") for table in tables)
    (log,) = audit.log_paths(settings.lake_path)
    assert {line.what for line in audit.read(log)} == {f"{table} {DAY:%Y-%m-%d}" for table in held}
    refresh(settings)
    assert not any(client.command(f"SELECT count() FROM {table}") for table in tables)
