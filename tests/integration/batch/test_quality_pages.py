"""A validation whose pages cannot be written fails, and its retry makes the pages of every suite whole."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest

from firehose import schema
from firehose.areas import Area
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import NotStaged, PagesNotWritten
from firehose.lake.publish import publish
from firehose.quality import validate as validating
from firehose.quality.pages import front_page
from firehose.quality.result import docs_folder, read_result, staged_folder, staged_result
from firehose.quality.suites import ACCOUNTING
from firehose.quality.validate import validate
from firehose.settings import Settings
from jetstream_simulator import generate

Fill = Callable[[Iterable[bytes], Batch], None]
EVENTS = list(generate.events(600, seed=8, start_us=1_780_002_000_000_000, rate=5, malformed=0.02))


@pytest.mark.parametrize("fork_bytes", [1 << 40, 0], ids=["one process", "two processes"])
@pytest.mark.parametrize("suite", [schema.POSTS, ACCOUNTING])
def test_a_retry_writes_the_pages_that_failed(
    settings: Settings,
    batches: list[Batch],
    fill: Fill,
    monkeypatch: pytest.MonkeyPatch,
    fork_bytes: int,
    suite: str,
) -> None:
    monkeypatch.setattr(validating, "_FORK_BYTES", fork_bytes)
    lake, batch = settings.local_lake, batches[0]
    fill(EVENTS, batch)
    drain(settings, batch)
    wrong = docs_folder(lake) / "validations" / suite
    wrong.parent.mkdir(parents=True)
    wrong.touch()
    with pytest.raises(PagesNotWritten, match=f"{batch.id}: .*{wrong}"):
        validate(settings, batch)
    assert read_result(lake, batch) is None
    assert staged_result(lake, batch) is None
    with pytest.raises(NotStaged, match="Clear its validate task"):
        publish(settings, batch)
    kept = {path: path.stat().st_mtime_ns for path in staged_folder(lake, batch).glob("*.slice.json")}
    assert len(kept) > 3 or suite != ACCOUNTING, "every slice had its page before the accounting"

    wrong.unlink()
    result = validate(settings, batch)
    assert result.good + result.quarantined == len(EVENTS)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "what had its page is not done again"
    said = (batch.folder(lake, Area.QUALITY) / "suites.json.gz").read_bytes()
    stored = msgspec.json.decode(gzip.decompress(said))
    assert suite in {one["suite"] for one in stored}
    assert linked(lake) == {one["suite"] for one in stored}


def linked(lake: Path) -> set[str]:
    """The suites whose pages the front page links to, each of which is whole."""
    front = front_page(lake)
    page = front.read_text()
    assert "</a><a" not in page, "a browser breaks a line of links only between them"
    found = re.findall(r'href="([^"]+)">([^<]+)</a>', page)
    assert all((front.parent / unquote(at)).read_text().rstrip().endswith("</html>") for at, _ in found)
    return {name for _, name in found}
