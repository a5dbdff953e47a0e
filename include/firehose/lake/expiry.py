"""What an hour's record says of a file that was removed because its time was over. Plain values, no I/O."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Expiry(msgspec.Struct, frozen=True, kw_only=True):
    """The file with this digest has expired; ``audit`` is the key of the file of the audit log that says so.

    ``batches``: every batch that had written into it, or into one that had gone before, with the rows that it has
    stored there, as the ledger counts them.
    """

    at: datetime
    sha256: str
    audit: str
    batches: dict[str, int]
