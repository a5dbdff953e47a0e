"""The generator: same seed same bytes, a mix like the network's, and events that hold together."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest

from jetstream_simulator import generate, identifiers, malformed, records

N = 30_000


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return list(generate.events(N, seed=7))


@pytest.fixture(scope="module")
def events(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def commits(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == "commit"]


def test_same_seed_gives_same_bytes(lines: list[bytes]) -> None:
    assert list(generate.events(500, seed=7)) == lines[:500]
    assert list(generate.events(500, seed=8)) != lines[:500]


def test_times_rise_evenly_from_the_start() -> None:
    events = [json.loads(line) for line in generate.events(100, start_us=1_000_000_000_000_000, rate=1000)]
    assert [event["time_us"] for event in events] == [1_000_000_000_000_000 + i * 1000 for i in range(100)]


def test_times_never_repeat_however_fast() -> None:
    times = [json.loads(line)["time_us"] for line in generate.events(100, rate=5e6)]
    assert len(set(times)) == 100


def test_every_record_has_its_real_cid(commits: list[dict[str, Any]]) -> None:
    checked = 0
    for event in commits:
        commit = event["commit"]
        if commit["operation"] != "delete":
            assert commit["cid"] == identifiers.record_cid(commit["record"], links=True), commit
            checked += 1
        else:
            assert commit.keys() == {"rev", "operation", "collection", "rkey"}
    assert checked > 0.9 * N


def test_mix_is_the_networks(events: list[dict[str, Any]]) -> None:
    shares = Counter(event["commit"]["collection"] if "commit" in event else event["kind"] for event in events)
    for kind in (records.LIKE, records.POST, records.REPOST, records.FOLLOW):
        assert shares[kind] / N * 100 == pytest.approx(records.MIX[kind], rel=0.12)
    assert {"identity", "account", records.BLOCK, records.PROFILE} <= shares.keys()
    operations = Counter(event["commit"]["operation"] for event in events if "commit" in event)
    assert 0.03 < operations["delete"] / N < 0.05
    assert 0.002 < operations["update"] / N < 0.012


def test_sizes_and_accounts_are_like_the_networks(lines: list[bytes], events: list[dict[str, Any]]) -> None:
    sizes = sorted(len(line) for line in lines)
    assert 450 < sizes[N // 2] < 560
    assert 1000 < sizes[N * 99 // 100] < 1800
    assert 900 < len({event["did"] for event in events[5000:6000]}) < 980


def test_languages_include_japanese_and_none(commits: list[dict[str, Any]]) -> None:
    posts = [e["commit"]["record"] for e in commits if "record" in e["commit"] and _is_post(e)]
    first = Counter(post.get("langs", ["none"])[0] for post in posts)
    assert 0.07 < first["ja"] / len(posts) < 0.14
    assert 0.08 < first["none"] / len(posts) < 0.15
    assert any(post["text"] == "" for post in posts)
    assert 0.4 < sum("reply" in post for post in posts) / len(posts) < 0.65
    for post in posts:
        for facet in post.get("facets", []):
            span = post["text"].encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode()
            assert span and " " not in span


def test_revs_of_an_account_rise_and_keys_are_its_own(commits: list[dict[str, Any]]) -> None:
    last: dict[str, str] = {}
    created: set[tuple[str, str, str]] = set()
    for event in commits:
        commit = event["commit"]
        assert commit["rev"] >= last.get(event["did"], "")
        last[event["did"]] = commit["rev"]
        key = (event["did"], commit["collection"], commit["rkey"])
        if commit["operation"] == "delete":
            created.discard(key)
        elif commit["operation"] == "update" and commit["collection"] == records.POST:
            assert key in created
        elif commit["rkey"].startswith("3m") and "gate" not in commit["collection"]:
            assert key not in created
            created.add(key)


def test_clocks_are_those_of_servers_and_clients(commits: list[dict[str, Any]]) -> None:
    distances: set[int] = set()
    for event in commits:
        commit = event["commit"]
        rev, rev_clock = clock(commit["rev"])
        assert rev_clock < 32
        assert rev < event["time_us"]
        if commit["operation"] == "create" and commit["collection"] in (records.LIKE, records.POST):
            key, key_clock = clock(commit["rkey"])
            if commit["collection"] == records.POST:
                assert key % 1000 == 0
            elif 0 < rev - key < 1_000_000:  # not a key that was there before, nor one of a commit of many
                assert key_clock == rev_clock
                distances.add((rev - key) // 1000)
                assert abs((rev - key + 500) % 1000 - 500) <= 1  # the server counted on
    assert min(distances) < 5 < 40 < max(distances)


def clock(tid: str) -> tuple[int, int]:
    """Microseconds and clock id."""
    value = 0
    for letter in tid:
        value = value * 32 + identifiers.TID_ALPHABET.index(letter)
    return value >> 10, value & 1023


def test_a_commit_may_hold_several_operations(commits: list[dict[str, Any]]) -> None:
    operations = Counter((event["did"], event["commit"]["rev"]) for event in commits)
    assert max(operations.values()) > 5
    assert 0.9 < sum(1 for count in operations.values() if count == 1) / len(operations) < 1.0


def test_most_deletes_name_a_record_that_was_created(commits: list[dict[str, Any]]) -> None:
    created: set[tuple[str, str, str]] = set()
    known = total = 0
    for event in commits:
        commit = event["commit"]
        key = (event["did"], commit["collection"], commit["rkey"])
        if commit["operation"] == "delete":
            total += 1
            known += key in created
            created.discard(key)
        else:
            created.add(key)
    assert known / total > 0.5


def test_few_posts_get_most_likes_and_subjects_are_simulated(commits: list[dict[str, Any]]) -> None:
    posts = {
        (f"at://{e['did']}/{records.POST}/{e['commit']['rkey']}", e["commit"]["cid"])
        for e in commits
        if _is_post(e) and "cid" in e["commit"]
    }
    uris = {uri for uri, _ in posts}
    subjects = [
        e["commit"]["record"]["subject"]
        for e in commits
        if e["commit"]["collection"] == records.LIKE and "record" in e["commit"]
    ]
    likes = Counter(subject["uri"] for subject in subjects)
    assert sum(count for _, count in likes.most_common(len(likes) // 10)) > 0.3 * len(subjects)
    known = [subject for subject in subjects if subject["uri"] in uris]
    assert len(known) > 0.3 * len(subjects)
    assert sum((subject["uri"], subject["cid"]) in posts for subject in known) > 0.99 * len(known)


def test_people_do_again_what_they_undid_and_write_twice(commits: list[dict[str, Any]]) -> None:
    deleted: set[tuple[str, str, str]] = set()
    undone: set[tuple[str, str]] = set()
    about: dict[tuple[str, str, str], str] = {}
    standing: Counter[tuple[str, str]] = Counter()
    seen: Counter[str] = Counter()
    for event in commits:
        commit = event["commit"]
        key = (event["did"], commit["collection"], commit["rkey"])
        if commit["operation"] == "delete":
            deleted.add(key)
            if key in about:
                pair = (event["did"], about.pop(key))
                undone.add(pair)
                standing[pair] -= 1
        else:
            seen["under its key"] += commit["operation"] == "create" and key in deleted and _is_post(event)
            seen["edits"] += commit["operation"] == "update" and _is_post(event)
            subject = commit["record"].get("subject", "")
            if subject and commit["collection"] in (records.LIKE, records.FOLLOW):
                pair = (event["did"], subject["uri"] if isinstance(subject, dict) else subject)
                seen["again"] += pair in undone
                seen["twice"] += standing[pair] > 0
                about[key] = pair[1]
                standing[pair] += 1
    assert all(seen[habit] > 2 for habit in ("again", "twice", "edits", "under its key")), seen


def test_few_links_and_tags_are_shared_in_many_spellings(commits: list[dict[str, Any]]) -> None:
    posts = [e["commit"]["record"] for e in commits if "record" in e["commit"] and _is_post(e)]
    cards = [post["embed"]["external"]["uri"] for post in posts if "external" in post.get("embed", {})]
    links = Counter(cards)
    assert links.most_common(1)[0][1] > 5
    assert 0.3 < len(links) / len(cards) < 0.9
    assert any("media.tenor.com" in uri for uri in cards)
    features = [f for post in posts for facet in post.get("facets", []) for f in facet["features"]]
    tags = Counter(feature["tag"] for feature in features if "tag" in feature)
    assert len({tag for tag in tags if tag.casefold() == "art"}) == 3
    assert any(tag.startswith("#") for tag in tags) and "\uff41\uff52\uff54" in tags
    langs = {lang for post in posts for lang in post.get("langs", [])}
    assert {"en", "en-US", "en-us", "pt_br"} <= langs


def test_created_at_takes_many_forms(commits: list[dict[str, Any]]) -> None:
    endings: dict[str, int] = defaultdict(int)
    for event in commits:
        created = event["commit"].get("record", {}).get("createdAt", "")
        endings[f"{len(created)}{created[-1:]}"] += 1
    assert {"24Z", "320", "20Z", "30Z"} <= endings.keys()


def test_go_escapes_are_on_the_wire(lines: list[bytes]) -> None:
    assert any(rb"\u0026" in line for line in lines)
    assert not any(b"&" in line or b"<" in line for line in lines)


def test_odd_is_a_share_of_the_events_and_off_by_default() -> None:
    plain, spoilt = [list(generate.events(5000, seed=3, malformed=rate)) for rate in (0.0, 0.1)]
    assert all(_valid(line) for line in plain)
    assert 0.07 < sum(not _valid(line) for line in spoilt) / 5000 < 0.13


@pytest.mark.parametrize("name", malformed.FAULTS)
def test_every_fault_is_one(name: str) -> None:
    record = {"cid": identifiers.hash_cid(bytes(32)), "uri": "at://did:plc:x/app.bsky.feed.post/3k"}
    e = malformed.Envelope(
        "did:plc:" + "a" * 24, 1, "3laaaaaaaaa2c", "3laaaaaaaaa2d", "2026-01-01T00:00:00Z", record
    )
    line = malformed.FAULTS[name](e)
    assert b"\n" not in line
    assert not _valid(line)


def _is_post(event: dict[str, Any]) -> bool:
    return bool(event["commit"]["collection"] == records.POST)


def _valid(line: bytes) -> bool:
    """A small reader of its own, as strict as the lexicons on what the faults touch."""
    try:
        event = json.loads(line)
        line.decode()
        json.dumps(event, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    if not isinstance(event, dict) or not isinstance(event.get("time_us"), int):
        return False
    if not str(event["did"]).startswith("did:") or event.get("kind") not in ("commit", "identity", "account"):
        return False
    return event["kind"] != "commit" or _valid_commit(event["commit"])


def _valid_commit(commit: dict[str, Any]) -> bool:
    if commit["operation"] not in ("create", "update", "delete") or "rkey" not in commit:
        return False
    record = commit.get("record")
    if commit["operation"] == "delete":
        return record is None
    if not isinstance(record, dict) or "cid" not in commit:
        return False
    subject = record.get("subject")
    collection = commit["collection"]
    if collection == records.POST:
        shapes = isinstance(record.get("text"), str) and isinstance(record.get("langs", []), list)
        return shapes and isinstance(record.get("reply", {}), dict) and isinstance(record.get("createdAt"), str)
    if collection in (records.LIKE, records.REPOST):
        return isinstance(subject, dict) and {"cid", "uri"} <= subject.keys()
    return collection not in (records.FOLLOW, records.BLOCK) or isinstance(subject, str)
