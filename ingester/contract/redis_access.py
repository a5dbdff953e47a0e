"""Logins to Redis for the project's roles, and explanations of its refusals. For ingester and pipeline.

Lives here: the only code that reads a password of Redis. Must not: send commands, know what a role does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from redis import AuthenticationError, CredentialProvider, RedisError
from redis.exceptions import NoPermissionError
from redis.maint_notifications import MaintNotificationsConfig

from ingester.contract.settings import DEFAULT_REDIS_PASSWORDS, IngesterSettings, SettingsError, redacted

INGESTER: Final = "ingester"
PIPELINE: Final = "pipeline"
MONITORING: Final = "monitoring"
ROLES: Final = (INGESTER, PIPELINE, MONITORING)

# The words of Redis 6.2 and 7 for a command inside a script, where the error does not begin with NOPERM.
_NO_RIGHT_IN_SCRIPT: Final = ("user executing the script can't", "ACL failure in script")


class RedisAccess(NamedTuple):
    """The address of Redis, and the login of ``role``: the one in ``url``, else the one in ``password_file``."""

    url: str
    role: str = INGESTER
    password_file: Path | None = None

    @classmethod
    def of(cls, settings: IngesterSettings, role: str) -> RedisAccess:
        """The access of a role, from the settings.

        Raises:
            SettingsError: the password file cannot be read, or is missing although its folder was named.
        """
        if has_login(settings.redis_url):
            return cls(settings.redis_url, role)
        path = settings.redis_passwords_path / role
        try:
            _password(path)
            if not path.exists() and settings.redis_passwords != DEFAULT_REDIS_PASSWORDS:
                raise SettingsError(f"FIREHOSE_REDIS_PASSWORDS: there is no file {path}; make it or unset this")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SettingsError(
                f"FIREHOSE_REDIS_PASSWORDS: {path} cannot be read ({reason}); see to its owner"
            ) from None
        return cls(settings.redis_url, role, path)

    def options(self) -> dict[str, Any]:
        """Arguments for ``redis.Redis.from_url``, without the URL."""
        # No role may send redis-py's own greetings: each would be an entry in ACL LOG.
        quiet = {"driver_info": None, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}
        if self.password_file is None:
            return quiet
        return quiet | {"credential_provider": _PasswordFile(self.role, self.password_file)}

    def login(self) -> tuple[str, str] | tuple[()]:
        """User and password as the password file has them now; empty without a file, or if the URL has a login.

        Raises:
            AuthenticationError: the file cannot be read.
        """
        return () if self.password_file is None else _PasswordFile(self.role, self.password_file).get_credentials()

    def refusal(self, error: RedisError) -> str:
        """One line that says what to do if Redis refuses the login or a right; empty for any other error."""
        said = " ".join(str(error).split())
        if (
            isinstance(error, NoPermissionError)
            or "NOPERM" in said
            or any(part in said for part in _NO_RIGHT_IN_SCRIPT)
        ):
            return (
                f"Redis at {self.where} does not allow {self._who} what it needs ({said}); give it the rights "
                "that include/firehose/redis/users.acl has for this role"
            )
        if not isinstance(error, AuthenticationError):
            return ""
        if has_login(self.url):
            remedy = "check the login in FIREHOSE_REDIS_URL"
        elif self.password_file is None or not self.password_file.exists():
            remedy = (
                f"there is no login in FIREHOSE_REDIS_URL, nor a file {self.role} in FIREHOSE_REDIS_PASSWORDS: "
                "give one of them"
            )
        else:
            remedy = f"{self.password_file} must hold the password that Redis has for this user"
        return f"Redis at {self.where} refuses the login of {self._who}: {remedy}"

    @property
    def where(self) -> str:
        """The URL without login, for a log."""
        return redacted(self.url)

    @property
    def _who(self) -> str:
        return "the user of FIREHOSE_REDIS_URL" if has_login(self.url) else f"the user {self.role}"


class _PasswordFile(CredentialProvider):
    """Reads the password for each new connection, so that a rotated one takes effect without a restart."""

    def __init__(self, user: str, path: Path) -> None:
        self._user, self._path = user, path

    def get_credentials(self) -> tuple[str, str] | tuple[()]:  # type: ignore[override]  # empty: no login is sent
        try:
            password = _password(self._path)
        except (OSError, UnicodeDecodeError) as error:
            raise AuthenticationError(f"{self._path} cannot be read") from error
        return (self._user, password) if password else ()


def _password(path: Path) -> str:
    """The content of a password file; empty if there is no file."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def has_login(url: str) -> bool:
    """True if a Redis URL names a user or a password, in either place that redis-py allows."""
    try:
        parts = urlsplit(url)
        return "@" in parts.netloc or bool({"username", "password"} & parse_qs(parts.query).keys())
    except ValueError:  # the connection will fail with a message
        return False
