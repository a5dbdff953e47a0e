"""The endpoint's configuration: one value, made by the caller.

Lives here: its fields, and its form as JSON. Must not: environment variables, measuring the machine, I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from clickhouse_http.errors import InvalidConfig

AUTO: Final = "auto"
REQUIRE: Final = "require"
_Mib = Annotated[int, Meta(ge=1, le=2**24)]
_MibOrZero = Annotated[int, Meta(ge=0, le=2**24)]
_Name = Annotated[str, Meta(min_length=1)]


class EndpointConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of an endpoint. Paths are absolute; in JSON they may be relative to the working folder.

    ``folder``: its data, for one process at a time; made where it is missing. ``lake``: the folder of Parquet
    files that tables and views may read; None: they are in an object store, and the network stays open.
    ``rights``: a ClickHouse server's ``users.xml`` with the profiles ``loader`` and ``analyst``. ``url``: http, on
    loopback. ``total_memory_mib`` 0: half of the machine's memory. ``timeout_s``: a client that neither sends nor
    reads for this long is cut off. ``monitoring_password``: of the user ``monitoring``, for whom alone
    ``/metrics`` is; empty: that page answers 404. ``sandbox``: ``auto``, where the kernel has one, or ``require``.

    ``program``, ``names`` and ``smaller`` are for messages: the names of this program and of each field for the
    caller's users, and what makes a query of theirs smaller.
    """

    folder: Path
    lake: Path | None
    rights: Path
    loader_password: str
    analyst_password: str
    monitoring_password: str = ""
    loader: _Name = "loader"
    analyst: _Name = "analyst"
    url: str = "http://127.0.0.1:8123"
    query_memory_mib: Annotated[int, Meta(ge=64, le=2**24)] = 4096
    query_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 60
    total_memory_mib: _MibOrZero = 0
    max_body_mib: _Mib = 2048
    spool_mib: Annotated[int, Meta(ge=64, le=2**24)] = 8192
    disk_reserve_mib: _MibOrZero = 1024
    timeout_s: Annotated[float, Meta(gt=0, le=86_400)] = 30.0
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    sandbox: Literal["auto", "require"] = AUTO
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    program: str = "clickhouse_http"
    names: Mapping[str, str] = {}
    smaller: str = "read fewer rows and columns"

    def called(self, field: str) -> str:
        """The name of ``field`` for the caller's users."""
        return self.names.get(field, field)

    def __repr__(self) -> str:
        """Without the passwords."""
        return f"EndpointConfig(url={self.url!r}, folder={str(self.folder)!r})"


def to_json(config: EndpointConfig) -> bytes:
    """``config`` as JSON, passwords included."""
    return msgspec.json.encode(config, enc_hook=str)


def from_json(text: bytes, source: str) -> EndpointConfig:
    """A configuration from JSON; ``source`` says where it comes from.

    Raises:
        InvalidConfig: it is not JSON, or a field is missing, unknown or out of range.
    """
    try:
        return msgspec.json.decode(text, type=EndpointConfig, dec_hook=_made)
    except msgspec.MsgspecError as error:
        raise InvalidConfig(f"{source}: {error}; the fields are those of clickhouse_http.EndpointConfig") from None


def _made(kind: Any, value: Any) -> Any:
    return kind(value).absolute()  # Path is the only type here that JSON does not have
