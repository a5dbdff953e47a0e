"""Access to a hosted archive: a key, a quota, and redirects to the host of its files.

Lives here: who may ask, how much, and where. Must not: what the calls answer.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

from websockets.http11 import Request

from jetstream_simulator.v2.options import Refused

#: The calls behind the gate; the live stream, the list of segments and the dictionary never are.
_BEHIND: Final = ("planSnapshot", "getSegment", "getBlock")
_FILES: Final = ("getSegment", "getBlock")
#: A file's address on the other host ends in it: whoever has it needs no key.
_TICKET: Final = "ticket"


class GateOptions(NamedTuple):
    """``key`` empty: none is needed. ``quota``: bytes in ``window_s`` seconds, 0 for any; ``redirect``: files are
    on another host, ``localhost`` instead of an address."""

    key: str = ""
    quota: int = 0
    window_s: float = 60.0
    redirect: bool = False


#: No gate at all.
OPEN: Final = GateOptions()


class Gate:
    """The gate of one server. ``clock`` is in seconds."""

    def __init__(self, given: GateOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._given, self._clock = given, clock
        self._began, self._spent = clock(), 0

    def enter(self, call: str, parameters: dict[str, str], request: Request) -> str:
        """Let a call pass; returns the address to go to instead, or nothing.

        Raises:
            Refused: 401 without the key, 400 for a key where none is asked for, 429 past the quota.
        """
        if call not in _BEHIND:
            return ""
        if parameters.get(_TICKET) == self._ticket and call in _FILES:
            if "Authorization" in request.headers:  # as stores do that are asked with a signature and a key
                raise Refused("InvalidRequest", "a ticket and a key exclude each other")
            return ""
        if self._given.key and request.headers.get("Authorization") != f"Bearer {self._given.key}":
            raise Refused("AuthenticationRequired", "this archive asks for a key", HTTPStatus.UNAUTHORIZED)
        self._check_quota()
        return self._elsewhere(request) if self._given.redirect and call in _FILES else ""

    def passed(self, call: str, size: int) -> None:
        """Count the bytes of an answer."""
        if call in _BEHIND:
            self._spent += size

    @property
    def _ticket(self) -> str:
        return hashlib.sha256(self._given.key.encode()).hexdigest()[:16]

    def _check_quota(self) -> None:
        left_s = self._began + self._given.window_s - self._clock()
        if left_s <= 0:
            self._began, self._spent, left_s = self._clock(), 0, self._given.window_s
        if self._given.quota and self._spent >= self._given.quota:
            refusal = Refused("RateLimitExceeded", "the quota is used up", HTTPStatus.TOO_MANY_REQUESTS)
            refusal.retry_after_s = int(left_s) + 1
            raise refusal

    def _elsewhere(self, request: Request) -> str:
        port = request.headers.get("Host", "").rpartition(":")[2]
        return f"http://localhost:{port}{request.path}&{_TICKET}={self._ticket}"
