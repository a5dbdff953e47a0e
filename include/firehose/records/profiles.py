"""Profiles: app.bsky.actor.profile, what an account says about itself. Its record key is ``self``."""

from __future__ import annotations

from typing import Final

from firehose.records.columns import STRING, Column
from firehose.records.fields import Json, Text
from firehose.records.operations import operations
from firehose.records.references import StrongRef
from firehose.records.view import blob_cid, self_labels
from ingester.contract import wire

_FIELDS: Final = (
    Text(
        "displayName", Column("display_name", STRING, "The name that the account shows; NULL where it gives none")
    ),
    Text("description", Column("description", STRING, "What it says about itself; NULL where it says nothing")),
    Text("pronouns", Column("pronouns", STRING, "Its pronouns, as written")),
    Text("website", Column("website", STRING, "Its website, as written")),
    Json("avatar", Column("avatar", STRING, "JSON of the blob of its picture, as in the record"), in_cid=True),
    Json("banner", Column("banner", STRING, "JSON of the blob of its banner, as in the record"), in_cid=True),
    StrongRef(
        "pinnedPost",
        Column("pinned_uri", STRING, "The post that it shows first"),
        Column("pinned_cid", STRING, "Its content identifier"),
    ),
    StrongRef(
        "joinedViaStarterPack",
        Column("starterpack_uri", STRING, "The starter pack through which it came to the network"),
        Column("starterpack_cid", STRING, "Its content identifier"),
    ),
)

PROFILES: Final = operations(
    "profiles",
    wire.OTHER,
    "app.bsky.actor.profile",
    _FIELDS,
    sort="did",
    claimed=False,  # most profiles do not say when they were made
    view=(
        blob_cid("avatar_cid", "avatar", "its picture"),
        blob_cid("banner_cid", "banner", "its banner"),
        self_labels("the profile"),
    ),
)
