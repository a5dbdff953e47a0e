"""Makes an old store: the stream's events go to caches, queues and Parquet folders, and a listing says where.

Lives here: what goes where, and what is lost. Must not: formats (files.py, shapes.py).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, TextIO

from jetstream_simulator import generate
from jetstream_simulator.errors import SimulatorError
from jetstream_simulator.old_store import faults, shapes
from jetstream_simulator.old_store.files import Caches, Lake, Queue
from jetstream_simulator.old_store.plan import Plan

Object = dict[str, Any]
Where = dict[str, str]
LISTING: Final = "truth.jsonl"
STORE: Final = "old"
_KINDS: Final = {f"app.bsky.feed.{kind}": kind for kind in ("post", "like", "repost")} | {
    f"app.bsky.graph.{kind}": kind for kind in ("follow", "block")
}
_EXPORT_US: Final = 300_000_000
_ROUNDS: Final = 24  # restarts a day, where there are gaps


def make(folder: Path, plan: Plan) -> Counter[str]:
    """Write ``old/`` and ``truth.jsonl`` into ``folder``; how many records are where.

    Raises:
        SimulatorError: the folder has something in it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SimulatorError(f"{folder} is not empty: name a new folder")
    (folder / STORE).mkdir(parents=True)
    with (folder / LISTING).open("w") as listing:
        return _Maker(folder / STORE, plan, listing).run()


class _Maker:
    """One store in the making."""

    def __init__(self, root: Path, plan: Plan, listing: TextIO) -> None:
        self._root, self._plan, self._listing = root, plan, listing
        self._rng = Random(plan.seed + 1)
        self._caches, self._lake = Caches(root), Lake(root)
        self._queues = {
            name: Queue(root, name) for name in ("jetstream_sync", "sync_firehose_likes", "sync_firehose_posts")
        }
        self._count: Counter[str] = Counter()
        self._last_post: Object | None = None

    def run(self) -> Counter[str]:
        """Take all events of the stream, then add what it never had."""
        plan = self._plan
        for line in generate.events(plan.records, seed=plan.seed, start_us=plan.start_us, rate=plan.rate):
            self._take(json.loads(line))
        if self._last_post:
            self._invent(self._last_post)
            self._plant(self._last_post)
        for queue in self._queues.values():
            queue.close(plan.wal)
        self._lake.close()
        return self._count

    def _take(self, event: Object) -> None:
        commit = event.get("commit") or {}
        kind = _KINDS.get(commit.get("collection", ""), "")
        about: Object = {
            "uri": _uri(event),
            "cid": commit.get("cid"),
            "operation": commit.get("operation", event["kind"]),
            "collection": commit.get("collection", ""),
            "time_us": event["time_us"],
        }
        if self._in_gap(event["time_us"]):
            self._note(about, [], lost="gap")
            return
        usual = kind and commit["operation"] == "create" and "createdAt" in commit["record"]
        if not usual or (kind == "post" and "text" not in commit["record"]):
            self._note(about, [self._queue(event, kind)])
            return
        self._last_post = event if kind == "post" else self._last_post
        altered = kind == "post" and self._rng.random() < self._plan.altered
        where = list(self._stores(event, kind, altered))
        planted = ["text"] if altered and any(each["store"] != "queue" for each in where) else []
        self._note(about, where, planted=planted, lost="" if where else "cache")

    def _in_gap(self, time_us: int) -> bool:
        span = 86_400_000_000 // _ROUNDS
        return (time_us - self._plan.start_us) % span < span * self._plan.gaps

    def _stores(self, event: Object, kind: str, altered: bool) -> Iterator[Where]:
        """Where one record goes: to files, a queue or the lake, now and then to two of them."""
        rng = self._rng
        writers = [self._file, self._row, self._queue]
        drawn = rng.random()
        first = 0 if drawn < self._plan.files else 1 if drawn < (1 + self._plan.files) / 2 else 2
        chosen = {first, rng.randrange(3)} if rng.random() < self._plan.copies else {first}
        changed = _with_text(event, "altered: ") if altered else event
        for each in sorted(chosen):
            if found := writers[each](event if each == 2 else changed, kind):
                yield found

    def _file(self, event: Object, kind: str) -> Where | None:
        if kind in ("repost", "block"):
            return self._row(event, kind)  # the caches never had these
        rng, plan, did, commit = self._rng, self._plan, event["did"], event["commit"]
        if rng.random() < plan.cleared or (plan.likes_lost and kind != "post"):
            return None
        generation = 1 + (plan.day(event["time_us"]) >= plan.days // 2)
        time_key, rkey = rng.choice(("created_at", "createdAt")), commit["rkey"]
        if kind == "post":
            return self._post_file(event, generation) or self._row(event, kind)
        if kind == "like":
            folder = rng.choice(("like", "like_on_user_post"))
            liked = commit["record"]["subject"]["uri"].rpartition("/")[2]
            name = f"{'like_' if generation == 1 else ''}author_did={did}_like_uri_suffix={rkey}"
            record = shapes.like(_uri(event), did, commit, generation, time_key)
            folder += f"/{liked}"
        else:
            name = f"follower_did={did}_followee_did={commit['record']['subject']}"
            record = shapes.follow(_uri(event), did, commit, time_key)
            folder = f"follow/{rng.choice(('follower', 'followee'))}"
        return self._written(generation, f"study_user_activity/create/{folder}", name, record) or self._row(
            event, kind
        )

    def _post_file(self, event: Object, generation: int) -> Where | None:
        did, commit = event["did"], event["commit"]
        record = shapes.post(_uri(event), did, commit, event["time_us"] + 2_000_000)
        roots = [record["reply_root"].rpartition("/")[2]] if record["reply_root"] else []
        folders = ["study_user_activity/create/post", f"in_network_user_activity/create/post/{did}"]
        folders += [f"study_user_activity/create/reply_to_user_post/{root}" for root in roots]
        name = f"author_did={did}_post_uri_suffix={commit['rkey']}"
        return self._written(generation, self._rng.choice(folders), name, record)

    def _written(self, generation: int, folder: str, name: str, record: Object) -> Where | None:
        """None where an earlier record has the name: the later one would take its place."""
        path = self._caches.write(generation, folder, name, record)
        return {"store": f"cache-{generation}", "path": path, "place": ""} if path else None

    def _queue(self, event: Object, kind: str) -> Where:
        name = {"like": "sync_firehose_likes", "post": "sync_firehose_posts"}.get(kind, "jetstream_sync")
        queue = self._queues[name]
        place = queue.add(shapes.queued(event, event["time_us"] + 1_000_000))
        return {"store": "queue", "path": queue.path, "place": place}

    def _row(self, event: Object, kind: str) -> Where:
        rng, plan, did, commit, uri = self._rng, self._plan, event["did"], event["commit"], _uri(event)
        exported = event["time_us"] + rng.randrange(_EXPORT_US)
        date = "2016-01-01" if rng.random() < 0.01 else shapes.stamp(exported)[:10]
        day = plan.day(event["time_us"])
        service = rng.choice(_SERVICES[kind])
        if service.startswith("raw_sync"):
            name = "reply" if kind == "post" and commit["record"].get("reply") else kind
            service, row = f"raw_sync/create/{name}", shapes.raw(uri, did, commit, name)
            date = row["synctimestamp"][:10]
        elif kind == "post":
            # The older files joined lists by commas.
            row = shapes.post(uri, did, commit, exported, "," if day < plan.days // 4 else ";")
        elif kind == "like":
            row = {**shapes.like(uri, did, commit, 1, "created_at"), "synctimestamp": shapes.stamp(exported)}
        else:
            row = shapes.network(did, commit, exported)
        age = "active" if day >= plan.days - 2 else "cache"
        path, place = self._lake.add(service, age, date, row, deep=day < plan.days // 3)
        return {"store": "parquet", "path": path, "place": place}

    def _invent(self, event: Object) -> None:
        """Posts that the stream never had."""
        for i in range(self._plan.only_old):
            commit = {**event["commit"], "rkey": f"3only{i:08d}"}
            invented = {**event, "commit": commit}
            about = {"uri": _uri(invented), "cid": commit["cid"], "operation": "create"}
            about |= {"collection": commit["collection"], "time_us": event["time_us"]}
            where = None if i % 2 else self._post_file(invented, 1 + i // 2 % 2)
            where = where or self._row(invented, "post")
            self._note(about, [where], planted=["only-old"])

    def _plant(self, event: Object) -> None:
        post = shapes.post(_uri(event), event["did"], event["commit"], event["time_us"])
        queue = self._queues["jetstream_sync"]
        planted = list(faults.plant(self._root, self._caches, queue, post, self._plan.faults))
        if self._plan.foreign:
            planted.append(faults.plant_foreign(self._caches))
        for fault in planted:
            self._listing.write(json.dumps(fault) + "\n")
            self._count["faults"] += 1

    def _note(self, about: Object, where: list[Where], planted: list[str] | None = None, lost: str = "") -> None:
        line = {**about, "stores": where, "lost": lost or None, "planted": planted or []}
        self._listing.write(json.dumps(line) + "\n")
        self._count["lost" if not where else "kept"] += 1
        self._count.update(each["store"] for each in where)


_SERVICES: Final = {
    "post": (
        *("in_network_user_activity", "study_user_activity/create/post", "preprocessed_posts/firehose"),
        *("study_user_activity/create/reply_to_user_post", "sync/most_liked", "raw_sync"),
    ),
    "like": ("study_user_activity/create/like", "study_user_activity/create/like_on_user_post", "raw_sync"),
    "follow": ("scraped_user_social_network", "raw_sync"),
    **{"repost": ("raw_sync",), "block": ("raw_sync",)},
}


def _uri(event: Object) -> str:
    commit = event.get("commit")
    return f"at://{event['did']}/{commit['collection']}/{commit['rkey']}" if commit else f"at://{event['did']}"


def _with_text(event: Object, before: str) -> Object:
    commit = event["commit"]
    record = {**commit["record"], "text": before + commit["record"]["text"]}
    return {**event, "commit": {**commit, "record": record}}
