"""Checks of the source: names, TLS, one message of each host, and the dictionary of a compressed stream."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import zstandard

from firehose.errors import FirehoseError
from firehose.jetstream import NAMESPACE, Host, host_of
from firehose.settings import Settings
from firehose.tap.live import messages
from firehose.tap.wanted import Wanted
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning

_WITHIN_S: Final = 10.0
_FETCH: Final = "fetch"
_REMEDY: Final = "see whether this machine reaches it, and FIREHOSE_JETSTREAM_URL; docs/ingester.md"


def _hosts(settings: Settings) -> list[Host]:
    return [host_of(url) for url in settings.jetstream_url.split(",")]


def names(settings: Settings) -> Finding:
    """Every host has an address."""
    for host in _hosts(settings):
        name = urlsplit(host.base).hostname or ""
        try:
            socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError as error:
            return failure(f"{name} has no address ({error.strerror or error})", "see to this machine's DNS")
    return ok(", ".join(host.name for host in _hosts(settings)))


def message(settings: Settings) -> Finding:
    """Each host sends an event: names, route, TLS and subscription are right."""
    fine, away = [], []
    for host in _hosts(settings):
        try:
            next(messages(host, Wanted(), silence_s=_WITHIN_S))
            fine.append(host.name)
        except FirehoseError as error:
            away.append(str(error))
    if not fine:
        return failure("; ".join(away), _REMEDY)
    if away:
        return warning(f"{', '.join(fine)} sends events; {'; '.join(away)}", _REMEDY)
    return ok(f"{', '.join(fine)}: an event within {_WITHIN_S:g} s")


def dictionary(settings: Settings) -> Finding:
    """The dictionary is one, and its id is known."""
    if not settings.zstd_dictionary:
        return ok("the stream is not compressed, so it needs no dictionary")
    said = []
    for host in _hosts(settings):
        if host.v2:
            answer = httpx.get(f"{host.base}/xrpc/{NAMESPACE}getZstdDictionary", timeout=_WITHIN_S)
            if answer.status_code != 200:
                return warning(
                    f"{host.name} serves no dictionary (HTTP {answer.status_code}): its stream comes uncompressed",
                    "nothing is lost by that; unset FIREHOSE_ZSTD_DICTIONARY to have no compression on purpose",
                )
            said.append(f"{host.name} serves {_id(answer.content)}")
        elif settings.zstd_dictionary != _FETCH:
            path = Path(settings.zstd_dictionary).expanduser()
            if not path.is_file():
                return failure(f"FIREHOSE_ZSTD_DICTIONARY: there is no file {path}", "name the host's dictionary")
            said.append(f"{path} is {_id(path.read_bytes())}")
    return ok("; ".join(said)) if said else not_checked("v1 hosts have no dictionary with `fetch`")


def _id(content: bytes) -> str:
    """The dictionary's id.

    Raises:
        FirehoseError: it is not a dictionary.
    """
    try:
        found = zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_FULLDICT)
        found.precompute_compress(level=1)
    except zstandard.ZstdError as error:
        raise FirehoseError(
            f"FIREHOSE_ZSTD_DICTIONARY: not a zstd dictionary ({error}); take the host's"
        ) from None
    return f"dictionary {found.dict_id()}"


CHECKS: Final = (
    Check("jetstream.names", names),
    Check("jetstream.message", message, timeout_s=45.0, after="jetstream.names"),
    Check("jetstream.dictionary", dictionary, after="jetstream.names"),
)
