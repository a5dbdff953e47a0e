"""Settings of the page for readers (``firehose ui``): a part of :class:`firehose.settings.Settings`.

Must not: read them, or know what follows from them (:mod:`firehose_ui` does).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from firehose.endpoint_settings import EndpointSettings
from ingester.contract import checks
from ingester.contract.settings import must


class UiSettings(EndpointSettings, frozen=True, kw_only=True):
    """Where the page is, who may read it. Each field is the variable ``FIREHOSE_<FIELD>``."""

    ui_listen: Annotated[
        str,
        Meta(
            description="Address HOST:PORT of the page that `firehose ui` serves; beyond this machine it asks "
            "for a password, and needs TLS",
            extra=must(checks.address),
        ),
    ] = "127.0.0.1:8082"
    ui_url: Annotated[
        str,
        Meta(
            description="Address under which readers open the page, where it is another one: https:// of a proxy "
            "that has TLS, or http://localhost:PORT of a container's port that only its machine reaches",
            extra=must(checks.optional(checks.url("http", "https"))),
        ),
    ] = ""
    ui_certificate: Annotated[
        str, Meta(description="PEM file of the page's certificate", extra=must(checks.optional(checks.folder)))
    ] = ""
    ui_key: Annotated[
        str, Meta(description="PEM file of its private key", extra=must(checks.optional(checks.folder)))
    ] = ""
    ui_readers: Annotated[
        str,
        Meta(
            description="File of the page's readers beside the analyst: a line for each, as `firehose ui --reader "
            "NAME` prints it",
            extra=must(checks.optional(checks.folder)),
        ),
    ] = ""
    ui_requests_a_minute: Annotated[
        int,
        Meta(ge=0, le=100_000, description="Questions that one reader of the page may ask in a minute; 0: any"),
    ] = 600
