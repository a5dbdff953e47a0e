"""Runs checks side by side, each within its time, and keeps secrets and tracebacks out of what they say.

Must not: know any check, print.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from threading import Thread
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from msgspec import structs

from firehose.errors import FirehoseError
from firehose.settings import Settings, SettingsError, redacted
from firehose_cli.doctor.check import Check, Finding, State, failure, not_checked
from firehose_cli.explanations.errors import name_of
from ingester.contract.settings import read_settings

#: Shorter values are no secrets worth the name, and would make other words unreadable.
_SECRET: Final = 4


class Result(NamedTuple):
    """A check's name, what it found, and how long it took."""

    name: str
    finding: Finding
    seconds: float


def run(checks: Sequence[Check]) -> Iterator[Result]:
    """The results in the order of ``checks``, each as soon as those before it are there.

    An unknown variable is a finding of its own, and keeps no other check from its work.
    """
    try:
        settings, wrong = read_settings(Settings), ""
    except SettingsError:
        settings, wrong = Settings(), "the settings cannot be read: see settings.values"
    secrets = _secrets(settings)
    started = [(check, _begin(check, settings, wrong), time.monotonic()) for check in checks]
    failed: set[str] = set()
    for check, answers, began in started:
        try:
            finding, seconds = answers.get(timeout=max(0.0, began + check.timeout_s - time.monotonic()))
        except queue.Empty:
            finding, seconds = _too_slow(check), check.timeout_s
        if finding.state is State.FAILURE:
            if check.after in failed:  # one cause is one failure
                finding = not_checked(f"{check.after} has failed")
            else:
                failed.add(check.name)
        yield Result(check.name, _without(secrets, finding), seconds)


def _begin(check: Check, settings: Settings, wrong: str) -> queue.Queue[tuple[Finding, float]]:
    """Start a check. Its thread ends with the process: a call that hangs holds nothing up."""
    answers: queue.Queue[tuple[Finding, float]] = queue.Queue()

    def work() -> None:
        began = time.monotonic()
        found = not_checked(wrong) if wrong and check.needs_settings else _found(check, settings)
        answers.put((found, time.monotonic() - began))

    Thread(target=work, name=check.name, daemon=True).start()
    return answers


def _found(check: Check, settings: Settings) -> Finding:
    try:
        return check.run(settings)
    except (FirehoseError, SettingsError) as error:
        return failure(" ".join(str(error).split()), f"firehose explain {name_of(error)}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return failure(f"{where}{error.strerror or error}", "see to its rights and its place")
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide what the others found
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return failure(f"the check itself failed ({said:.300})", "report this; the other checks are not affected")


def _too_slow(check: Check) -> Finding:
    return failure(
        f"no answer within {check.timeout_s:g} s",
        "see whether the service hangs, or whether a firewall swallows what is sent to it",
    )


def _secrets(settings: Settings) -> list[str]:
    """Every password and key of the settings, the longest first."""
    found = set()
    for name, value in structs.asdict(settings).items():
        if not isinstance(value, str):
            continue
        if name.endswith(("password", "_key")):
            found.add(value)
        elif "://" in value and "," not in value:
            found.update(_login(value))
    found |= {settings.alert_webhook_url, settings.alert_slack_url}  # whoever knows one may post there
    return sorted((secret for secret in found if len(secret) >= _SECRET), key=len, reverse=True)


def _login(url: str) -> set[str]:
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return set()
    return {password, unquote(password)}


def _without(secrets: Sequence[str], finding: Finding) -> Finding:
    said, remedy = redacted(finding.said), finding.remedy
    for secret in secrets:
        said, remedy = said.replace(secret, "***"), remedy.replace(secret, "***")
    return finding._replace(said=said, remedy=remedy)
