"""Hosts and registered domains of links, in one spelling whatever the client wrote.

Lives here: pure functions from a link's text. Must not: network access. The public suffix list is the one that its
package ships, so the same version of the lock gives the same domains.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

import idna
from publicsuffixlist import PublicSuffixList

#: Hosts whose links are GIFs that a client's picker inserted: a picture, not a reference to a page.
GIF_HOSTS: Final = ("media.tenor.com", "static.klipy.com", "media.giphy.com", "i.giphy.com")

# Before the host: a scheme with slashes, slashes alone, or a scheme that takes an address of its own.
_PREFIX: Final = re.compile(r"(?:https?:[/\\]*|mailto:|(?:([a-z][a-z0-9+.-]*):)?[/\\]{2,})", re.IGNORECASE)
_OTHER_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*:", re.IGNORECASE)
_WITHOUT_HOST: Final = frozenset({"at", "data", "file"})
_PORT: Final = re.compile(r":\d*$")
_END: Final = re.compile(r"[/\\?#]")
_IMPOSSIBLE: Final = re.compile(r"[\s<>\"%:@\x00-\x20\x7f]")
_MAX_HOST: Final = 253
_CACHED: Final = 1 << 16
_suffixes: Final = PublicSuffixList()


class Site(NamedTuple):
    """Where a link leads: its host, and the registered domain (of an IP address, the address)."""

    host: str
    domain: str


def site(link: str) -> Site | None:
    """The site of a link; None where it names no host (``tel:``, ``at://``) or one that cannot exist."""
    text = link.strip()
    prefix = _PREFIX.match(text)
    if prefix:
        if (prefix[1] or "").lower() in _WITHOUT_HOST:
            return None
        text = text[prefix.end() :]
    elif _OTHER_SCHEME.match(text):
        return None
    return _site(_END.split(text, 1)[0])


@lru_cache(_CACHED)
def _site(authority: str) -> Site | None:
    host = _host(authority.rsplit("@", 1)[-1])
    if not host:
        return None
    if host.startswith("[") or _is_ipv4(host):
        return Site(host, host)
    rest = host.removeprefix("www.")
    if rest != host and not _suffixes.is_public(rest):
        host = rest
    return Site(host, _suffixes.privatesuffix(host) or host)


def _host(text: str) -> str:
    """The host in lower case and ASCII, without port and trailing dots; empty where there cannot be one."""
    if text.startswith("["):
        return _ipv6(text[1:].partition("]")[0])
    host = unquote(_PORT.sub("", text))
    if not host.isascii():
        host = _ascii(host)
    host = host.lower().strip(".")
    return "" if len(host) > _MAX_HOST or _IMPOSSIBLE.search(host) else host


def _ascii(host: str) -> str:
    """A host with letters beyond ASCII as browsers send it, emoji too, which IDNA 2008 refuses."""
    try:
        mapped = idna.uts46_remap(host, std3_rules=False)
    except idna.IDNAError:
        mapped = unicodedata.normalize("NFKC", host).casefold()
    return ".".join(map(_label, re.split("[.\u3002\uff0e\uff61]", mapped)))


def _label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode()
    except idna.IDNAError:
        return "xn--" + label.encode("punycode", "replace").decode()


def _ipv6(text: str) -> str:
    try:
        return f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        return ""


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
