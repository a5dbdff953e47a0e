"""The endpoint's two users, the one who may only read its metrics, and the login of a request.

Lives here: reading credentials from a request and comparing them. Must not: rights (the engine holds them).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.config import EndpointConfig
from clickhouse_http.errors import InvalidConfig

LOADER: Final = "loader"
ANALYST: Final = "analyst"
#: May read the metrics, and cannot send a query.
MONITORING: Final = "monitoring"


@dataclass(frozen=True)
class User:
    """A user, with the role that its queries run in."""

    name: str
    role: str


class Users:
    """The users and their passwords.

    Raises:
        InvalidConfig: a password is missing, or both have the same name.
    """

    def __init__(self, config: EndpointConfig) -> None:
        self._known: dict[str, tuple[User, bytes]] = {}
        logins = {LOADER: (config.loader, config.loader_password)}
        logins[ANALYST] = (config.analyst, config.analyst_password)
        for role, (name, password) in logins.items():
            if not password:
                raise InvalidConfig(
                    f"{config.called(f'{role}_password')} is not set; "
                    f"choose a password for the ClickHouse user {name!r} and set it"
                )
            if name in self._known:
                raise InvalidConfig(f"both users are called {name!r}; give them different names")
            self._known[name] = (User(name, role), password.encode())
        self._monitoring = config.monitoring_password.encode()

    @property
    def monitored(self) -> bool:
        """True if there is a user who may read the metrics."""
        return bool(self._monitoring)

    def may_monitor(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request comes from the user ``monitoring``, by its headers (by lower-case name)."""
        try:
            name, password = _credentials(headers, {})
        except exceptions.QueryError:
            return False
        matches = hmac.compare_digest(password.encode("utf-8", "surrogateescape"), self._monitoring)
        return self.monitored and matches and name == MONITORING

    def authenticate(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> User:
        """The user of a request. ``headers`` are by lower-case name, ``parameters`` those of the URL.

        Raises:
            QueryError: 516 for wrong credentials, 194 where there are none.
        """
        name, password = _credentials(headers, parameters)
        if not name.isprintable():
            raise exceptions.refused(
                exceptions.BAD_ARGUMENTS, "The user's name has characters that cannot be printed."
            )
        user, expected = self._known.get(name, (None, b""))
        # Compared for unknown names as well, so that the time does not tell which names exist.
        matches = hmac.compare_digest(password.encode("utf-8", "surrogateescape"), expected)
        if user is not None and matches:
            return user
        if not name:
            raise exceptions.refused(
                exceptions.REQUIRED_PASSWORD, "Authentication failed: user and password required."
            )
        raise exceptions.refused(
            exceptions.AUTHENTICATION_FAILED,
            f"{name}: Authentication failed: password is incorrect, or there is no user with such name.",
        )


def _credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """User and password from ClickHouse's headers, else Basic authentication, else the URL: ClickHouse's order."""
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", ""), headers.get("x-clickhouse-key", "")
    authorization = headers.get("authorization", "")
    if authorization:
        return _basic(authorization)
    return parameters.get("user", ""), parameters.get("password", "")


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        raise exceptions.refused(
            exceptions.AUTHENTICATION_FAILED, "The Authorization header is not HTTP Basic authentication."
        ) from None
    return name, password
