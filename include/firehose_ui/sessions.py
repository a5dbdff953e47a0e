"""Who reads: passwords of the analyst and of named readers, and the sessions that a login begins.

Sessions are in memory, so a restart ends them. Must not: HTTP, ClickHouse.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Final

from firehose.errors import FirehoseError
from firehose.settings import Settings

COOKIE: Final = "firehose_ui"
#: A session ends twelve hours after its login.
LIFE_S: Final = 12 * 3600
_MOST: Final = 1000
_COST: Final = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


class Sessions:
    """The sessions of those who have logged in; ``clock`` is monotonic."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._by_token: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def begin(self, reader: str) -> str:
        """A new session; returns its token. With too many sessions the oldest ends."""
        token = secrets.token_urlsafe(32)
        self._by_token[_digest(token)] = (reader, self._clock() + LIFE_S)
        if len(self._by_token) > _MOST:
            self._by_token.popitem(last=False)
        return token

    def reader(self, token: str) -> str | None:
        """Whose session it is; None: there is none."""
        reader, ends = self._by_token.get(_digest(token), ("", 0.0))
        return reader if reader and self._clock() < ends else None

    def end(self, token: str) -> None:
        """End it, if it is one."""
        self._by_token.pop(_digest(token), None)


class Readers:
    """The passwords: the analyst's is that of the settings, others' are kept as scrypt's keys."""

    def __init__(self, settings: Settings) -> None:
        self._analyst = (settings.clickhouse_analyst, settings.clickhouse_analyst_password)
        self._others = _read(settings.ui_readers)

    def knows(self, name: str, password: str) -> bool:
        """Whether it is the password of ``name``. An unknown name takes as long as a wrong password."""
        given = password.encode(errors="surrogatepass")
        if name == self._analyst[0]:
            return bool(password) and hmac.compare_digest(given, self._analyst[1].encode())
        salt, key = self._others.get(name, ("00", "00"))
        return hmac.compare_digest(_key(given, salt), key)


def line(name: str, password: str) -> str:
    """The line of the file of readers for a name and a password.

    Raises:
        FirehoseError: the name cannot stand in it.
    """
    if not name.isprintable() or not name or ":" in name or name != name.strip():
        raise FirehoseError(f"{name!r} cannot be a reader's name: choose one without colon and blanks around it")
    salt = secrets.token_hex(16)
    return f"{name}:{salt}:{_key(password.encode(), salt)}"


def _read(file: str) -> Mapping[str, tuple[str, str]]:
    if not file:
        return {}
    path = Path(file).expanduser()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FirehoseError(f"FIREHOSE_UI_READERS: {path} cannot be read: {error}") from None
    found: dict[str, tuple[str, str]] = {}
    for number, each in enumerate(lines, 1):
        if not each.strip() or each.startswith("#"):
            continue
        name, _, rest = each.partition(":")
        salt, _, key = rest.strip().partition(":")
        if not name or len(salt) != 32 or len(key) != 64:
            raise FirehoseError(
                f"FIREHOSE_UI_READERS: line {number} of {path} is not one that `firehose ui --reader NAME` prints"
            )
        found[name] = (salt, key)
    return found


def _key(password: bytes, salt: str) -> str:
    return hashlib.scrypt(password, salt=bytes.fromhex(salt), **_COST).hex()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
