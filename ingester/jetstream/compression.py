"""Chooses the dictionary for a host's compression: v1's file, or the one that a v2 host serves, fetched once.

Lives here: the choice by host, and the fetched dictionaries. Must not: decompression (dictionary), connections.
"""

from __future__ import annotations

import asyncio

from ingester.contract.logs import get_logger
from ingester.contract.settings import IngesterSettings
from ingester.jetstream import dictionary
from ingester.jetstream.dictionary import Dictionary, DictionaryUnavailable
from ingester.jetstream.hosts import V1, Host

log = get_logger(__name__)


class Dictionaries:
    """The dictionaries of all hosts.

    Raises:
        SettingsError: the file that the settings name is not a dictionary.
    """

    def __init__(self, settings: IngesterSettings) -> None:
        self._named = settings.zstd_dictionary
        self._most = settings.max_message_bytes
        from_file = self._named and self._named != dictionary.FETCH
        self._file = dictionary.from_file(self._named, self._most) if from_file else None
        self._fetched: dict[str, Dictionary] = {}

    async def of(self, host: Host) -> Dictionary | None:
        """The dictionary to request from ``host``; None: its stream should not be compressed."""
        if host.protocol == V1 or not self._named:
            return self._file if host.protocol == V1 else None
        if host.name not in self._fetched:
            try:
                self._fetched[host.name] = await asyncio.to_thread(dictionary.fetch, host.url, self._most)
            except DictionaryUnavailable as error:
                log.warning("dictionary_unavailable", host=host.name, reason=error, hint="not compressed")
        return self._fetched.get(host.name)

    def forget(self, host: Host) -> bool:
        """Forget a dictionary that ``host`` no longer knows. True if it was fetched and can be fetched again."""
        return self._fetched.pop(host.name, None) is not None
