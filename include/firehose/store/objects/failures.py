"""What an object store answers, or that it does not, as the errors of a lake. Must not: repeat (boto3 does).

No message holds a header, a signature or a key: only the store's code and its own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from firehose.errors import StoreAway, StoreRefused

_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_CHANGED: Final = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})
#: Codes of a store that may answer a moment later. Those of the server itself (5xx) belong to them.
_LATER: Final = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded", "TooManyRequests"}
)


class Changed(Exception):
    """A condition of the request does not hold: the object is another one, is there already, or is gone."""


@contextmanager
def answered(what: str, where: str) -> Iterator[None]:
    """Turn a request's failure into an error of a lake; ``what`` is tried with the object or bucket ``where``.

    Raises:
        FileNotFoundError: there is no such object.
        Changed: a condition does not hold.
        StoreRefused: no such bucket, no right, no or wrong credentials.
        StoreAway: no answer, or none that can be used, also when asked again.
    """
    # Here, since it takes 28 MiB and a second, which a lake on a local disk does without.
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except ClientError as error:
        raise _of_answer(error.response, what, where) from None
    except (NoCredentialsError, PartialCredentialsError):
        raise StoreRefused(
            f"{where}: cannot {what}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE, or give this machine a role"
        ) from None
    except BotoCoreError as error:
        raise StoreAway(
            f"{where}: cannot {what}: the object store does not answer ({_shortly(error)}); nothing is lost: see "
            "to the store and the network, then repeat"
        ) from None


def _of_answer(response: Any, what: str, where: str) -> Exception:
    said = response.get("Error", {})
    code, status = str(said.get("Code", "")), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _MISSING:
        return FileNotFoundError(2, "no such object", where)
    if code in _CHANGED:
        return Changed()
    words = " ".join(str(said.get("Message", "")).split())[:200]
    if code in _LATER or status >= 500:
        return StoreAway(
            f"{where}: cannot {what}: the object store answers {code or status} also when it is asked again; "
            "nothing is lost: repeat later"
        )
    if code == "NoSuchBucket":
        return StoreRefused(f"{where}: cannot {what}: there is no such bucket; make it, or correct FIREHOSE_LAKE")
    return StoreRefused(
        f"{where}: cannot {what}: the object store refuses it ({code or status}: {words}); see to the credentials "
        "(AWS_ACCESS_KEY_ID or a role) and their rights to the bucket"
    )


def _shortly(error: Exception) -> str:
    """The kind of failure: the words may hold a signed address."""
    return type(error).__name__
