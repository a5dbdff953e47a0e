"""What lasts is told of once a day, and at once when it changes; what an alert could not say is said again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firehose.maintenance.told import news
from firehose.store import LocalLake


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path)


NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def told(lake: LocalLake, *said: str, hours: int = 0, about: str = "kept") -> bool:
    with news(lake, about, said, NOON + timedelta(hours=hours)) as untold:
        return untold


def test_the_same_is_told_once_a_day(lake: LocalLake) -> None:
    assert not told(lake), "there is nothing to tell"
    assert told(lake, "a", "b") and not told(lake, "b", "a", hours=1)
    assert told(lake, "a", "b", hours=12) and not told(lake, "a", "b", hours=13)
    assert told(lake, "a", hours=14), "one of them was seen to"
    assert told(lake, "a", hours=14, about="another") and not told(lake, "a", hours=15)
    assert not told(lake, hours=16) and told(lake, "a", hours=17), "it is back"


def test_what_was_not_sent_is_told_again(lake: LocalLake) -> None:
    with pytest.raises(ConnectionError), news(lake, "kept", ["a"], NOON):
        raise ConnectionError
    assert told(lake, "a")
    (lake / "_audit" / "told.json").write(b"{")
    assert told(lake, "a") and not told(lake, "a"), "a file that cannot be read costs an alert more"
