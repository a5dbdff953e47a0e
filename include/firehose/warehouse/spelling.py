"""The one spelling of texts in SQL, for what is stored and what is asked: functions that a statement begins with.

Lives here: where they are found. Must not: define them; tables/post_texts.sql does, which fills the table.
"""

from __future__ import annotations

from typing import Final

from firehose.warehouse.sql import SQL_FOLDER

_FILE: Final = SQL_FOLDER / "tables" / "post_texts.sql"
_TEXT: Final = _FILE.read_text(encoding="utf-8")
#: ``in_one_spelling(text)`` and ``emoji_of(text)``, to follow WITH.
FUNCTIONS: Final = _TEXT[_TEXT.index("WITH") + len("WITH") : _TEXT.index("\nSELECT")].strip()
