"""Access to an archive: the key for its host, and the limits on how much may be downloaded.

Lives here: the key and where it may be sent, budgets for a run and for a day. Must not: connections; show the key.
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
#: The calls for which a hosted archive may require a key.
KEYED: Final = ("planSnapshot", "getSegment", "getBlock")
_Origin = tuple[str, str, int]


class Key(NamedTuple):
    """A secret, and the one origin (scheme, host, port) that it is sent to. Its ``repr`` hides the secret."""

    secret: str
    origin: _Origin

    def __repr__(self) -> str:
        return f"Key(***, {self.origin})"

    def header(self, url: str) -> dict[str, str]:
        """The header for a request to ``url``; empty if that is another host."""
        return {"Authorization": f"Bearer {self.secret}"} if origin(url) == self.origin else {}


def origin(url: str) -> _Origin:
    """Scheme, host and port of a URL over HTTP."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


def key_for(settings: Settings, host: Host) -> Key | None:
    """The key for requests to ``host``; None if no key is set, or if it belongs to another host.

    Raises:
        FirehoseError: the setting that names its host is missing, it cannot be read, or it would go unencrypted.
    """
    if not (secret := _secret(settings)):
        return None
    if not settings.archive_url:
        raise FirehoseError(
            "FIREHOSE_ARCHIVE_KEY is only sent to the host of FIREHOSE_ARCHIVE_URL, which is not set: set it"
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
        raise FirehoseError(f"{name}: a key consists of visible ASCII characters, without spaces; copy it again")
    return secret


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Budget:
    """Counts the bytes that a run downloads, and refuses what would exceed a limit.

    ``run`` and ``day`` are limits in bytes, 0 for no limit. ``today`` is what earlier runs of the day downloaded;
    ``keep`` adds to it, so that the next run knows.
    """

    def __init__(
        self, run: int = 0, day: int = 0, today: int = 0, keep: Callable[[int], None] = lambda count: None
    ) -> None:
        self.spent = 0
        self._run, self._day, self._today, self._keep = run, day, today, keep
        self._kept = 0

    def count(self, received: int) -> None:
        """Count bytes that have arrived, whether or not they are of use."""
        self.spent += received

    def settle(self) -> None:
        """Pass what was counted since the last call to ``keep``."""
        count, self._kept = self.spent - self._kept, self.spent
        if count:
            self._keep(count)

    def allow(self, wanted: int, what: str) -> None:
        """Check a download of ``wanted`` bytes (0: not known) before it starts; ``what`` names it.

        Raises:
            BudgetSpent: it would exceed a limit.
        """
        for limit, used, span, later in (
            (self._run, self.spent, "RUN", "run the backfill again"),
            (self._day, self._today + self.spent, "DAY", "run the backfill again tomorrow (UTC)"),
        ):
            if limit and used + max(wanted, 1) > limit:
                needed = f", {mib(wanted)} needed" if wanted else ""
                again = "raise it" if wanted > limit else f"{later}, or raise it: it continues from here"
                name = f"FIREHOSE_ARCHIVE_{span}_MIB={limit // MIB}"
                raise BudgetSpent(f"{name} leaves no room for {what} ({mib(used)} used{needed}); {again}")


def mib(count: int) -> str:
    """Bytes for a human."""
    return f"{count / MIB:.1f} MiB" if count >= MIB else f"{count / 1024:.1f} KiB"
