"""Live events of one Jetstream host, over a connection of our own: the ingester does not notice.

Must not: resume, retry, keep anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.jetstream import Host
from firehose.settings import redacted
from firehose.tap.events import Notice, Seen, Unreadable, read_frame, read_line
from firehose.tap.wanted import Wanted
from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: How long a host may be silent.
SILENCE_S: Final = 60.0
_MAX_MESSAGE: Final = 32 << 20
_SUBPROTOCOL: Final = Subprotocol("xrpc.v1.json")
_SCHEMES: Final = {"http": "ws", "https": "wss"}
#: Parameters of a URL that would make the stream something else than what is read here.
_NOT_ASKED: Final = ("compress", "zstdDictionary", "requireHello")
_FAILURES: Final = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidURI)


def messages(host: Host, wanted: Wanted, silence_s: float = SILENCE_S) -> Iterator[Seen]:
    """The events that come from now on, without end, and are wanted. What is not an event is left out.

    Raises:
        ServiceUnavailable: the host cannot be reached, falls silent, or ends the stream.
        FirehoseError: it refuses the subscription.
    """
    read = read_frame if host.v2 else read_line
    try:
        with _connected(host, wanted) as connection:
            while True:
                message = connection.recv(timeout=silence_s, decode=False)
                try:
                    event = read(message)
                except Unreadable as error:
                    log.info("a message that is not an event", host=host.name, reason=error)
                    continue
                except Notice as notice:
                    if notice.ends:
                        raise ServiceUnavailable(f"{host.name} has ended the stream ({notice})") from None
                    log.warning("the host says", host=host.name, notice=notice)
                    continue
                if wanted.has(event):
                    yield event
    except InvalidStatus as error:
        raise FirehoseError(
            f"{host.name} refuses the subscription (HTTP {error.response.status_code}): see to its URL, or to the "
            "names that are asked for"
        ) from None
    except TimeoutError:
        raise ServiceUnavailable(f"{host.name} has sent nothing for {silence_s:g} s; try another host") from None
    except _FAILURES as error:
        why = redacted(" ".join(f"{type(error).__name__}: {error}".split()))[:200]
        raise ServiceUnavailable(f"{host.name} cannot be read ({why}); check its URL, or try again") from None


def _connected(host: Host, wanted: Wanted) -> ClientConnection:
    parts = urlsplit(host.url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    query = [(name, value) for name, value in given if name not in _NOT_ASKED] + wanted.query(host)
    scheme = _SCHEMES.get(parts.scheme, parts.scheme)
    url = urlunsplit(parts._replace(scheme=scheme, query=urlencode(query)))
    return connect(
        url,
        subprotocols=[_SUBPROTOCOL] if host.v2 else None,
        max_size=_MAX_MESSAGE,
        compression=None,
        open_timeout=10,
        close_timeout=0.5,
    )
