"""Check of the archive that gaps are filled from."""

from __future__ import annotations

from typing import Final

from firehose.backfill.access import key_for
from firehose.backfill.client import ArchiveClient
from firehose.backfill.run import archive_host
from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, not_checked, ok, warning


def answers(settings: Settings) -> Finding:
    """It has sealed segments, and the key for it can be read."""
    try:
        host = archive_host(settings)
    except FirehoseError as error:
        return not_checked(f"there is no archive: {error}")
    key = key_for(settings, host)
    try:
        segments = ArchiveClient(host, sleep=lambda _: None, key=key).segments()
    except FirehoseError as error:
        return warning(str(error), "gaps stay open until it answers; another one: FIREHOSE_ARCHIVE_URL")
    if not segments:
        return warning(f"{host.name} has no sealed segment yet", "gaps can be filled once it has")
    return ok(f"{host.name} has {len(segments)} segments{', with a key' if key else ''}")


CHECKS: Final = (Check("archive.answers", answers, timeout_s=30.0),)
