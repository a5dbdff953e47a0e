"""What a backup's contents look like outside: as they are, or encrypted with a key; and how they are named.

AES-256-GCM by the package ``cryptography``; keys are derived from the operator's by scrypt and HMAC-SHA-256. Names
are SHA-256 digests, with a key HMACs, so that a name does not tell whoever reads the place that a known file is
there. Must not: keep, log or show a key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from firehose.backup.target import Target
from firehose.errors import CorruptBackup, FirehoseError, NoBackup
from firehose.settings import Settings

_HEADER: Final = "backup.json"
_FORMAT: Final = 1
_NONCE: Final = 12
_SHORTEST: Final = 12
# 16 MiB and some 50 ms: once a command. A passphrase is weaker than a random key, so it is made slow to guess.
_SCRYPT_N: Final = 2**14


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first file of a place: ``salt`` and ``check`` are hex, and empty where nothing is encrypted."""

    format: int = _FORMAT
    salt: str = ""
    check: str = ""


class Plain:
    """No encryption."""

    def name(self, content: bytes) -> str:
        """The name of a content."""
        return hashlib.sha256(content).hexdigest()

    def seal(self, content: bytes, label: str) -> bytes:
        """What is stored for a content."""
        return content

    def open(self, stored: bytes, label: str) -> bytes:
        """The inverse of :meth:`seal`."""
        return stored


class Sealed:
    """Encryption with a key. ``label`` is authenticated with the content: it cannot be put in another's place."""

    def __init__(self, key: str, salt: bytes) -> None:
        master = hashlib.scrypt(key.encode(), salt=salt, n=_SCRYPT_N, r=8, p=1, dklen=32)
        self._cipher = AESGCM(hmac.digest(master, b"seal", "sha256"))
        self._names = hmac.digest(master, b"name", "sha256")
        self.check = hmac.digest(master, b"check", "sha256").hex()

    def name(self, content: bytes) -> str:
        """The name of a content."""
        return hmac.digest(self._names, content, "sha256").hex()

    def seal(self, content: bytes, label: str) -> bytes:
        """What is stored for a content: a random nonce, and the ciphertext with its tag."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, content, label.encode())

    def open(self, stored: bytes, label: str) -> bytes:
        """The inverse of :meth:`seal`.

        Raises:
            CorruptBackup: it is not what was stored under this label.
        """
        try:
            return self._cipher.decrypt(stored[:_NONCE], stored[_NONCE:], label.encode())
        except (InvalidTag, ValueError):
            raise CorruptBackup(f"{label}: is not what was stored there") from None


Sealing = Plain | Sealed


def open_sealing(settings: Settings, target: Target, *, begin: bool) -> Sealing:
    """The sealing of a place. ``begin``: make its header if there is none.

    Raises:
        NoBackup: there is none.
        FirehoseError: its key is missing, wrong or cannot be read; or the place was begun
            without one.
    """
    key = _key(settings)
    try:
        header = msgspec.json.decode(target.read(_HEADER), type=Header)
    except FileNotFoundError:
        return _begin(target, key, begin=begin)
    except msgspec.MsgspecError as error:
        raise CorruptBackup(f"{target}: its file {_HEADER} cannot be read ({error}); restore that file") from error
    if header.format != _FORMAT:
        raise FirehoseError(f"{target}: a backup of format {header.format}, which this version does not know")
    if not header.salt:
        if key:
            raise FirehoseError(
                f"{target}: was begun without FIREHOSE_BACKUP_KEY: unset it, or begin another place"
            )
        return Plain()
    if not key:
        raise FirehoseError(f"{target}: is encrypted; give its key in FIREHOSE_BACKUP_KEY or …_KEY_FILE")
    sealed = Sealed(key, bytes.fromhex(header.salt))
    if not hmac.compare_digest(sealed.check, header.check):
        raise FirehoseError(f"{target}: FIREHOSE_BACKUP_KEY is not the key that it was begun with")
    return sealed


def _begin(target: Target, key: str, *, begin: bool) -> Sealing:
    if not begin:
        raise NoBackup(f"{target}: no backup there; make one with firehose backup, or see to FIREHOSE_BACKUP")
    salt = secrets.token_bytes(16) if key else b""
    sealing = Sealed(key, salt) if key else Plain()
    check = sealing.check if isinstance(sealing, Sealed) else ""
    target.write(_HEADER, msgspec.json.format(msgspec.json.encode(Header(salt=salt.hex(), check=check))))
    return sealing


def _key(settings: Settings) -> str:
    if settings.backup_key and settings.backup_key_file:
        raise FirehoseError("FIREHOSE_BACKUP_KEY and FIREHOSE_BACKUP_KEY_FILE are both set: keep one of them")
    key = settings.backup_key
    if settings.backup_key_file:
        path = Path(settings.backup_key_file).expanduser()
        try:
            key = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise FirehoseError(f"FIREHOSE_BACKUP_KEY_FILE: {path} cannot be read ({reason})") from None
        if not key:
            raise FirehoseError(f"FIREHOSE_BACKUP_KEY_FILE: {path} is empty")
    if key and len(key) < _SHORTEST:
        raise FirehoseError(f"FIREHOSE_BACKUP_KEY is shorter than {_SHORTEST} characters: `openssl rand -hex 32`")
    return key
