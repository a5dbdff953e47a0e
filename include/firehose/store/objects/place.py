"""The address of a lake in an object store. Must not: credentials, I/O.

The form is that of `pyarrow.fs.FileSystem.from_uri`, so that the same text opens the lake with Arrow:
``s3://BUCKET/PREFIX?region=…&endpoint_override=HOST:PORT&scheme=http``.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_HOST: Final = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_REGION: Final = re.compile(r"[a-z0-9-]+")
_OPTIONS: Final = ("region", "endpoint_override", "scheme")


class BadPlace(ValueError):
    """The text is not the address of a lake; the message says why, and holds nothing of a login."""


class Place(NamedTuple):
    """A bucket, the keys below a prefix of it, and where it is asked for; empty: where Amazon has it."""

    bucket: str
    prefix: str
    region: str = ""
    endpoint: str = ""

    @classmethod
    def of(cls, uri: str) -> Self:
        """Read an address.

        Raises:
            BadPlace: it is not one that a lake can have.
        """
        try:
            parts = urlsplit(uri)
            given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise BadPlace("is not a URI") from error
        if parts.scheme != "s3":
            raise BadPlace(
                f"{parts.scheme}:// is not offered: a lake needs a folder of a local disk, or s3://BUCKET/PREFIX, "
                "S3 or a store with its interface, whose writes can be conditional"
            )
        if "@" in parts.netloc:
            raise BadPlace("must not hold a login: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")
        if unknown := [name for name in given if name not in _OPTIONS]:
            raise BadPlace(f"has the option {unknown[0]!r}; there are {', '.join(_OPTIONS)}")
        prefix = parts.path.strip("/")
        if (
            not _BUCKET.fullmatch(parts.netloc)
            or not _PREFIX.fullmatch(prefix)
            or ".." in prefix
            or parts.fragment
        ):
            raise BadPlace("must be s3://BUCKET/PREFIX, with letters, digits, '-', '_', '.' and '/' in the prefix")
        if not _REGION.fullmatch(given.get("region", "-")):
            raise BadPlace("has a region that is not a name such as eu-central-1")
        return cls(parts.netloc, prefix, given.get("region", ""), _endpoint(given))

    @property
    def url(self) -> str:
        """The address over HTTP, without a login: as ClickHouse's ``s3()`` takes it."""
        if self.endpoint:
            return f"{self.endpoint}/{self.bucket}/{self.prefix}"
        region = f".{self.region}" if self.region else ""
        return f"https://{self.bucket}.s3{region}.amazonaws.com/{self.prefix}"

    def __str__(self) -> str:
        """``s3://BUCKET/PREFIX``."""
        return f"s3://{self.bucket}/{self.prefix}"


def _endpoint(given: dict[str, str]) -> str:
    """Scheme, host and port of the store; empty where it is Amazon's."""
    scheme, host = given.get("scheme", "https"), given.get("endpoint_override", "")
    if "://" in host:
        scheme, _, host = host.partition("://")
    if scheme not in ("http", "https") or (host and not _HOST.fullmatch(host)):
        raise BadPlace("has an endpoint that is not HOST:PORT, with scheme http or https")
    if not host and "scheme" in given:
        raise BadPlace("has a scheme without endpoint_override")
    return f"{scheme}://{host}" if host else ""
