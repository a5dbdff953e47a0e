"""What an archive is asked with: a key for its own host, and how many bytes may come.

Lives here: the key and where it may go, the budget of a run and of a day. Must not: connections; say the key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from firehose.errors import BudgetSpent, FirehoseError
from firehose.jetstream import Host, host_of
from firehose.settings import Settings
from ingester.contract.logs import get_logger

log = get_logger(__name__)
MIB: Final = 1 << 20
_PORTS: Final = {"http": 80, "https": 443}
#: The calls that a hosted archive may ask for a key for.
KEYED: Final = ("planSnapshot", "getSegment", "getBlock")
_Origin = tuple[str, str, int]


class Key(NamedTuple):
    """A secret, and the one origin (scheme, host, port) that it is sent to. Never shown, not even by accident."""

    secret: str
    origin: _Origin

    def __repr__(self) -> str:
        return f"Key(***, {self.origin})"

    def header(self, url: str) -> dict[str, str]:
        """The header for a request to ``url``; none for any other host."""
        return {"Authorization": f"Bearer {self.secret}"} if origin(url) == self.origin else {}


def origin(url: str) -> _Origin:
    """Scheme, host and port of a URL over HTTP."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


def key_for(settings: Settings, host: Host) -> Key | None:
    """The key to ask ``host`` with; None: there is none, or it belongs to another host.

    Raises:
        FirehoseError: nothing says which host it belongs to, it cannot be read, or it would go unencrypted.
    """
    if not (secret := _secret(settings)):
        return None
    if not settings.archive_url:
        raise FirehoseError(
            "FIREHOSE_ARCHIVE_KEY is sent to the host of FIREHOSE_ARCHIVE_URL only, and that is not set: set it"
        )
    owner = origin(host_of(settings.archive_url).base)
    if owner != origin(host.base):
        log.warning("archive key not sent to another host than FIREHOSE_ARCHIVE_URL names", host=host.name)
        return None
    if owner[0] != "https" and not _is_loopback(owner[1]):
        raise FirehoseError(
            f"FIREHOSE_ARCHIVE_KEY would go to {host.name} unencrypted: name it by wss:// or https:// in "
            "FIREHOSE_ARCHIVE_URL"
        )
    return Key(secret, owner)


def _secret(settings: Settings) -> str:
    name, secret = "FIREHOSE_ARCHIVE_KEY", settings.archive_key.strip()
    if not secret and settings.archive_key_file:
        name, path = "FIREHOSE_ARCHIVE_KEY_FILE", Path(settings.archive_key_file).expanduser()
        try:
            secret = path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a text of ASCII characters"
            raise FirehoseError(f"{name}: {path}: {why}; name a file that holds the key alone") from None
        if not secret:
            raise FirehoseError(f"{name}: {path} is empty; write the key into it")
    if not all("!" <= character <= "~" for character in secret):
        raise FirehoseError(f"{name}: a key has visible ASCII characters only, and no blank; copy it again")
    return secret


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Budget:
    """Counts the bytes that a run downloads, and says when they are enough.

    ``run`` and ``day`` are limits in bytes, 0 for none. ``today`` are those of earlier runs of the day; ``keep``
    adds to them, so that the next run knows.
    """

    def __init__(
        self, run: int = 0, day: int = 0, today: int = 0, keep: Callable[[int], None] = lambda count: None
    ) -> None:
        self.spent = 0
        self._run, self._day, self._today, self._keep = run, day, today, keep
        self._kept = 0

    def count(self, received: int) -> None:
        """So many bytes have come, wanted or not."""
        self.spent += received

    def settle(self) -> None:
        """Keep what was counted since the last call."""
        count, self._kept = self.spent - self._kept, self.spent
        if count:
            self._keep(count)

    def allow(self, wanted: int, what: str) -> None:
        """To be asked before a download of ``wanted`` bytes (0: not known), named ``what``.

        Raises:
            BudgetSpent: it would be too much.
        """
        for limit, used, span, later in (
            (self._run, self.spent, "RUN", "heal again"),
            (self._day, self._today + self.spent, "DAY", "heal again tomorrow (UTC)"),
        ):
            if limit and used + max(wanted, 1) > limit:
                needed = f", {mib(wanted)} needed" if wanted else ""
                again = "raise it" if wanted > limit else f"{later}, or raise it: it goes on from here"
                name = f"FIREHOSE_ARCHIVE_{span}_MIB={limit // MIB}"
                raise BudgetSpent(f"{name} leaves no room for {what} ({mib(used)} used{needed}); {again}")


def mib(count: int) -> str:
    """Bytes for a human."""
    return f"{count / MIB:.1f} MiB" if count >= MIB else f"{count / 1024:.1f} KiB"
