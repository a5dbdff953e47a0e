"""The one client of boto3 for a place, made for each process. Must not: send a request.

boto3 repeats a request that fails or is throttled: five attempts in all, or AWS_MAX_ATTEMPTS.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Final

from firehose.store.objects.place import Place

_ATTEMPTS: Final = 5
_CONNECT_S: Final = 5
#: The store copies a file of some hundred MiB before it answers.
_READ_S: Final = 60


@cache
def connected(place: Place, pid: int) -> Any:
    """A client of its own for each process: connections must not be shared after a fork."""
    from botocore.config import Config

    attempts = {} if "AWS_MAX_ATTEMPTS" in os.environ else {"total_max_attempts": _ATTEMPTS}
    return _description().client(
        "s3",
        region_name=place.region or None,
        endpoint_url=place.endpoint or None,
        config=Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"mode": "standard", **attempts},
            s3={"addressing_style": "path"} if place.endpoint else None,
        ),
    )


@cache
def _description() -> Any:
    """What boto3 knows of S3 and of this machine's credentials: read once, also for processes that are forked."""
    import boto3  # here: see failures.py

    return boto3.session.Session()
