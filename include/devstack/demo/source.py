"""Finds out if live Jetstream can be reached, so that the demo can choose its source.

Must not: choose.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

_TIMEOUT_S = 5.0


def jetstream_answers(url: str) -> str:
    """Open a websocket to the first host of ``url``. Returns why that failed; an empty text if it worked."""
    try:
        asyncio.run(_open(_first(url)))
    except TimeoutError:
        return f"no answer within {_TIMEOUT_S:g} s"
    except (OSError, WebSocketException) as error:
        return str(error) or type(error).__name__
    return ""


def host(url: str) -> str:
    """The first host of a list of URLs, as a user would name it."""
    return urlsplit(_first(url)).netloc


def _first(urls: str) -> str:
    return urls.split(",")[0].strip()


async def _open(url: str) -> None:
    async with asyncio.timeout(_TIMEOUT_S), connect(url, compression=None):
        return
