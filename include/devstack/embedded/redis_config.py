"""The configuration and passwords of an embedded Redis server: copies of ``firehose/redis`` in a private folder.

The server starts from these copies, so CONFIG REWRITE and ACL SAVE never change a file of the package. Must not:
start or query a server.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from importlib import resources
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from firehose import files
from firehose.errors import FirehoseError
from ingester.contract.redis_access import ROLES, has_login

TEMPLATES: Final = Path(str(resources.files("firehose") / "redis"))
ADMIN: Final = "admin"
#: The administrator's socket, in the folder with its password.
SOCKET: Final = "admin.sock"
_CONFIG: Final = "redis.conf"
ACL: Final = "users.acl"
# A user without any rights.
_NOTHING: Final = "resetchannels -@all"
USERS: Final = (*ROLES, ADMIN)


def write_access(folder: Path, *, login: tuple[str, str] | None = None, rotate: str = "") -> None:
    """Make ``folder`` (mode 0700): a password file for each user, made once and kept, and ``users.acl`` from them.

    ``rotate`` names a user that gets a new password. ``login`` is one more user and its password, with the
    rights of all roles together: the login of a URL that every service connects with.

    Raises:
        FirehoseError: no such user, an impossible login, or a file that cannot be written.
    """
    if rotate and rotate not in USERS:
        raise FirehoseError(f"Redis has no user {rotate!r} of this project; choose one of {', '.join(USERS)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        hashes = {user: _sha256(_password(folder / user, new=user == rotate)) for user in USERS}
        files.write_bytes(folder / ACL, _acl(hashes, login).encode(), mode=0o600)
    except OSError as error:
        raise FirehoseError(
            f"{folder}: cannot be written ({error.strerror}); check its owner and the disk"
        ) from error


def write_config(folder: Path, options: dict[str, object]) -> Path:
    """Copy the configuration into ``folder``, followed by ``options``; returns the path to start a server with."""
    options = options | {"aclfile": folder / ACL, "unixsocketperm": "700"}
    lines = "".join(f"{name} {_quoted(str(value))}\n" for name, value in options.items())
    files.write_bytes(folder / _CONFIG, ((TEMPLATES / _CONFIG).read_text() + "\n" + lines).encode(), mode=0o600)
    return folder / _CONFIG


def login_of(url: str) -> tuple[str, str] | None:
    """User and password of a Redis URL; no user means Redis' ``default``.

    Raises:
        FirehoseError: a user without a password, or one whose name is reserved.
    """
    if not has_login(url):
        return None
    parts = urlsplit(url)
    user, password = unquote(parts.username or "") or "default", unquote(parts.password or "")
    if not password or user == ADMIN or re.search(r"[\s\0]", user):
        raise FirehoseError(
            f"FIREHOSE_REDIS_URL: the server that is started here cannot have a user {user!r} from it; write "
            f"redis://user:password@host:port, with another user than {ADMIN}, or no login at all"
        )
    return user, password


def _password(path: Path, *, new: bool) -> str:
    if not path.exists() or new:
        files.write_bytes(path, f"{secrets.token_hex(32)}\n".encode(), mode=0o600)
    path.chmod(0o600)
    if password := path.read_text().strip():
        return password
    raise FirehoseError(f"{path}: contains no password; remove it, and the next start makes one")


def _acl(hashes: dict[str, str], login: tuple[str, str] | None) -> str:
    """``users.acl`` in the form that Redis reads: one user per line, no comments."""
    text = re.sub(r"^#.*\n|^\n", "", (TEMPLATES / ACL).read_text(), flags=re.MULTILINE)
    text = re.sub(r"\n +", " ", text)
    for user, digest in hashes.items():
        text = text.replace(f"#{user.upper()} ", f"#{digest} ")
    users = {line.split(" ", 2)[1]: line for line in text.splitlines()}
    if login:
        user, password = login
        rights = " ".join(users[role].split(" ", 4)[4] for role in ROLES)
        users[user] = f"user {user} on #{_sha256(password)} {_NOTHING} {rights.replace(_NOTHING, '')}"
    return "".join(f"{line}\n" for line in users.values())


def _sha256(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _quoted(value: str) -> str:
    """A quoted argument of redis.conf; any path can be written so."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
