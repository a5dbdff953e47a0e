"""Running batches again, by Airflow's own backfills, which its page *Backfills* shows.

Lives here: which runs, and the requests. Must not: know what a batch does.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from firehose.batch.interval import Batch
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings, SettingsError, redacted

#: The DAG of the batches.
DAG: Final = "firehose_batch"
#: What the embedded Airflow keeps its users' passwords in, below the home.
_EMBEDDED: Final = "airflow/simple_auth_manager_passwords.json"
_TIMEOUT_S: Final = 60.0


class Which(StrEnum):
    """The intervals that are run again. The values are Airflow's."""

    MISSING = "none"  # those without a run
    FAILED = "failed"  # the same, and those whose run has failed
    ALL = "completed"  # every one whose run has ended


class Reruns:
    """Backfills of the batches, asked for at Airflow's web interface with the login of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = ""

    def planned(self, which: Which, since: datetime, until: datetime) -> list[str]:
        """The ids of the batches that begin in [since, until) and would be run, in order. Changes nothing.

        None begins before the DAG's start date: Airflow's backfills would make runs for such intervals, too.

        Raises:
            SettingsError: there is no password for Airflow.
            ServiceUnavailable: Airflow does not answer.
            FirehoseError: Airflow refuses; its reason is in the text.
        """
        body = self._body(which, since, until)
        said = self._ask("/api/v2/backfills/dry_run", body, or_none=True) if body else {}
        starts = sorted(datetime.fromisoformat(one["logical_date"]) for one in said.get("backfills", []))
        return [Batch.of(start, start + timedelta(seconds=1)).id for start in starts]

    def begin(self, which: Which, since: datetime, until: datetime) -> int:
        """Have Airflow run them; returns the number of its backfill. They go on when this has returned.

        Raises:
            SettingsError, ServiceUnavailable, FirehoseError: as for :meth:`planned`; or a backfill still runs.
        """
        return int(self._ask("/api/v2/backfills", self._body(which, since, until))["id"])

    def _body(self, which: Which, since: datetime, until: datetime) -> dict[str, Any]:
        """What a backfill is asked for with; empty if the span ends before the DAG's start date."""
        began = self._ask(f"/api/v2/dags/{DAG}/details")["start_date"]
        begin = max(since, datetime.fromisoformat(began)) if began else since
        # Airflow takes both ends, by the starts of intervals.
        last = until - timedelta(seconds=1)
        if begin > last:
            return {}
        return {
            "dag_id": DAG,
            "from_date": begin.isoformat(),
            "to_date": last.isoformat(),
            "reprocess_behavior": str(which),
        }

    def _ask(self, path: str, body: dict[str, Any] | None = None, *, or_none: bool = False) -> dict[str, Any]:
        if not self._token:
            login = {"username": self._settings.airflow_user, "password": _password(self._settings)}
            self._token = str(self._send("/auth/token", login)["access_token"])
        return self._send(path, body, or_none=or_none)

    def _send(self, path: str, body: dict[str, Any] | None, *, or_none: bool = False) -> dict[str, Any]:
        """POST with a body, GET without."""
        where = self._settings.airflow_at
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{where}{path}", sent)  # noqa: S310 - the setting is http(s)
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            said = _reason(error)
            if or_none and "No runs to create" in said:
                return {}
            if error.code == HTTPStatus.UNAUTHORIZED:
                raise FirehoseError(
                    f"Airflow at {where} refuses the login of {self._settings.airflow_user}: "
                    "see FIREHOSE_AIRFLOW_USER and FIREHOSE_AIRFLOW_PASSWORD"
                ) from None
            raise FirehoseError(f"Airflow at {where} refuses to run batches again: {said}") from None
        except (OSError, ValueError) as error:
            raise ServiceUnavailable(f"Airflow at {where} does not answer ({redacted(str(error))})") from error


def _password(settings: Settings) -> str:
    """The password of the settings, or of the embedded Airflow.

    Raises:
        SettingsError: there is none.
    """
    if settings.airflow_password:
        return settings.airflow_password
    try:
        kept: dict[str, str] = json.loads((settings.home_path / _EMBEDDED).read_text())
        return kept[settings.airflow_user]
    except (OSError, ValueError, KeyError):
        raise SettingsError(
            "FIREHOSE_AIRFLOW_PASSWORD is not set, and FIREHOSE_HOME has no embedded Airflow with a password of "
            f"{settings.airflow_user} (FIREHOSE_AIRFLOW_USER): set it"
        ) from None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        said = json.load(error)["detail"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"
    if isinstance(said, list):  # what is wrong with each part of the request
        said = "; ".join(str(one.get("msg", one)) if isinstance(one, dict) else str(one) for one in said)
    return redacted(str(said))
