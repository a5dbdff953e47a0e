"""Requests to one bucket: reading, conditional writing, copying, conditional removal, and pages of listings.

Must not: know what keys mean. boto3 repeats a request that fails or is throttled (connection.py), so a conditional
write may be repeated after it has succeeded: each write carries a nonce, by which its own success is told from
another one's.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, BinaryIO, Final, NamedTuple

from firehose.store.objects.connection import connected
from firehose.store.objects.failures import Changed, answered
from firehose.store.objects.place import Place

_NONCE: Final = "firehose-nonce"
PAGE: Final = 1000  # keys that one request lists, at most


class Seen(NamedTuple):
    """An object as the store described it; ``age_s`` by the store's own clock, in whole seconds."""

    etag: str
    size: int
    age_s: float


class Page(NamedTuple):
    """One request's part of a listing: keys with their ETags and ages, folders, and whether more follow."""

    keys: dict[str, Seen]
    folders: list[str]
    more: bool


class Bucket(NamedTuple):
    """The objects of a place, by keys below its prefix."""

    place: Place

    def named(self, key: str) -> str:
        """The object's name in messages."""
        return f"{self.place}/{key}"

    def get(self, key: str) -> tuple[bytes, Seen]:
        """The content."""
        with self._trying("read", key):
            answer = self._client.get_object(**self._at(key))
            return answer["Body"].read(), _seen(answer)

    def get_range(self, key: str, span: str, etag: str = "") -> tuple[bytes, Seen, int]:
        """A part of the content (``0-9``, or ``-10`` for the last ten bytes), and the size of the whole.

        Raises:
            Changed: the object is not the one of this ETag any more.
        """
        condition = {"IfMatch": etag} if etag else {}
        with self._trying("read", key):
            answer = self._client.get_object(**self._at(key), Range=f"bytes={span}", **condition)
            whole = answer.get("ContentRange", "").rpartition("/")[2]
            return answer["Body"].read(), _seen(answer), int(whole or answer["ContentLength"])

    def pieces(self, key: str, size: int = 1 << 20) -> Iterator[bytes]:
        """The content of one version, in pieces."""
        with self._trying("read", key):
            yield from self._client.get_object(**self._at(key))["Body"].iter_chunks(size)

    def head(self, key: str) -> Seen | None:
        """The object's description; None where there is none."""
        try:
            with self._trying("look at", key):
                return _seen(self._client.head_object(**self._at(key)))
        except FileNotFoundError:
            _require_bucket(self, os.getpid())  # the answer has no body: the bucket may be missing as well
            return None

    def put(self, key: str, body: bytes | BinaryIO, *, etag: str | None) -> str:
        """Write the object in place of the one with this ETag, or a new one where it is None; returns its ETag.

        Raises:
            Changed: the object is another one, or is gone; or there is one already.
        """
        nonce = uuid.uuid4().hex
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            with self._trying("write", key):
                answer = self._client.put_object(**self._at(key), Body=body, Metadata={_NONCE: nonce}, **condition)
                return str(answer["ETag"])
        except FileNotFoundError:
            raise Changed from None
        except Changed:
            if (ours := self._written(key, nonce)) is None:
                raise
            return ours

    def copy(self, source: str, etag: str, target: str) -> None:
        """Let the store replace an object by another one, if that still has this ETag. Readers see either whole.

        Raises:
            Changed: the source is another one, or is gone.
        """
        try:
            with self._trying("write", target):
                self._client.copy_object(
                    **self._at(target),
                    CopySource={"Bucket": self.place.bucket, "Key": self._key(source)},
                    CopySourceIfMatch=etag,
                )
        except FileNotFoundError:
            raise Changed from None

    def delete(self, key: str, etag: str = "") -> None:
        """Remove the object, with an ETag only the one that has it; nothing happens where there is none.

        Raises:
            Changed: the object is another one.
        """
        condition = {"IfMatch": etag} if etag else {}
        try:
            with self._trying("remove", key):
                self._client.delete_object(**self._at(key), **condition)
        except FileNotFoundError:
            return

    def page(self, prefix: str, *, after: str = "", folders: bool = False) -> Page:
        """The first keys that begin with ``prefix`` and come after ``after``, in order.

        ``folders``: keys that have a ``/`` behind the prefix are gathered into folders.
        """
        options: dict[str, Any] = {"Delimiter": "/"} if folders else {}
        if after:
            options["StartAfter"] = self._key(after)
        with self._trying("list", prefix):
            answer = self._client.list_objects_v2(
                Bucket=self.place.bucket, Prefix=self._key(prefix), MaxKeys=PAGE, **options
            )
        cut, now = len(self._key("")), _date(answer)
        return Page(
            {
                one["Key"][cut:]: Seen(one["ETag"], one["Size"], (now - one["LastModified"]).total_seconds())
                for one in answer.get("Contents", ())
            },
            [one["Prefix"][cut:].rstrip("/") for one in answer.get("CommonPrefixes", ())],
            bool(answer["IsTruncated"]),
        )

    @property
    def _client(self) -> Any:
        return connected(self.place, os.getpid())

    def _trying(self, what: str, key: str) -> Any:
        return answered(what, self.named(key))

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self._key(key)}

    def _key(self, key: str) -> str:
        return f"{self.place.prefix}/{key}"

    def _written(self, key: str, nonce: str) -> str | None:
        """The ETag of the object, if it is the one that was written with this nonce."""
        try:
            with self._trying("look at", key):
                answer = self._client.head_object(**self._at(key))
        except FileNotFoundError:
            return None
        return str(answer["ETag"]) if answer.get("Metadata", {}).get(_NONCE) == nonce else None


@cache
def _require_bucket(bucket: Bucket, pid: int) -> None:
    bucket.page("")


def _seen(answer: Mapping[str, Any]) -> Seen:
    age = _date(answer) - answer["LastModified"]
    return Seen(str(answer["ETag"]), int(answer["ContentLength"]), age.total_seconds())


def _date(answer: Mapping[str, Any]) -> datetime:
    """The store's clock at the answer."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
