"""The quality pages' front: one static page that lists the latest batches and links to their Data Docs.

Great Expectations' own index shows one batch and needs scripts from the network; this one needs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from html import escape
from urllib.parse import quote

from firehose.areas import Area, F
from firehose.errors import CorruptBatch
from firehose.quality.result import docs_folder, latest_results, load_result
from firehose.store import L, LakePath

#: Batches on the page, latest first.
SHOWN = 200

_HEAD = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Data quality by batch</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root{color-scheme:light dark}.wide{overflow-x:auto}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}
th,td{padding:.35rem .7rem;text-align:left;border-bottom:1px solid #8886}
td.n{text-align:right;font-variant-numeric:tabular-nums}.ok{color:#176b3a}.bad{color:#a32020;font-weight:600}
a{color:#0b57a4;margin-right:.6rem}
@media(prefers-color-scheme:dark){.ok{color:#5fc88d}.bad{color:#ff8f8f}a{color:#7db8f5}}</style></head><body>
<h1>Data quality by batch</h1>
<p>The suites that failed and the pages of Great Expectations (Data Docs) for each batch, latest first. The latest
{shown} batches have pages; what earlier ones counted is in the ledger and in ClickHouse's
<code>ops.batch_counts</code>.</p>
<div class="wide"><table><thead><tr><th>batch</th><th>suites</th><th>good</th><th>quarantined</th>
<th>error rate</th><th>Data Docs</th></tr></thead><tbody>
"""
_FOOT = "</tbody></table></div></body></html>\n"
# Where the Data Docs' own pages lead home: we keep no index of Great Expectations' there.
_HOME = '<!doctype html><meta http-equiv="refresh" content="0; url=../index.html">Home\n'


def front_page(lake: F) -> F:
    """Where the page lies."""
    return Area.QUALITY.of(lake) / "index.html"


def write_front_page(lake: LakePath) -> None:
    """Write the page from the stored results, and remove the Data Docs of batches that it no longer shows."""
    with (docs_folder(lake) / ".lock").lock():  # of two batches that end at once, each would write the same file
        _write_front_page(lake)


def _write_front_page(lake: LakePath) -> None:
    latest = latest_results(lake, SHOWN)
    pages = _pages(lake)
    rows = "".join(_row(path, pages) for path in latest)
    front_page(lake).write((_HEAD.replace("{shown}", str(SHOWN)) + rows + _FOOT).encode())
    (docs_folder(lake) / "index.html").write(_HOME.encode())
    if len(latest) == SHOWN:
        oldest = latest[-1].parent.name.removeprefix("batch=")
        for folder in _validations(lake).folders("*/*"):
            if folder.name < oldest:
                with suppress(OSError):  # another batch may be at it as well, or a later one will be
                    folder.discard_all()


def _validations(lake: L) -> L:
    return docs_folder(lake) / "validations"


def _pages(lake: LakePath) -> dict[str, str]:
    """Links to the pages of each batch, one a suite, by one listing of all: there are thousands."""
    found: dict[str, dict[str, LakePath]] = {}
    for page in _validations(lake).find("*/*/*/*.html"):
        found.setdefault(page.parents[1].name, {})[page.parents[2].name] = page
    root = Area.QUALITY.of(lake)
    return {
        batch: " ".join(  # the spaces let a browser break the line
            f'<a href="{quote(str(page.key_in(root)))}">{escape(suite)}</a>' for suite, page in of_batch.items()
        )
        for batch, of_batch in found.items()
    }


def pages_of(lake: L, batch_id: str) -> dict[str, L]:
    """The Data Docs of one batch, by suite; empty once they are not kept any more."""
    return {page.parents[2].name: page for page in _validations(lake).find(f"*/{batch_id}/*/*.html")}


def _row(path: LakePath, pages: Mapping[str, str]) -> str:
    batch = path.parent.name.removeprefix("batch=")
    try:
        result = load_result(path)
    except CorruptBatch as error:  # of any batch, while another one's page is written
        return f'<tr><td>{escape(batch)}</td><td colspan="5" class="bad">{escape(str(error))}</td></tr>\n'
    failed = "; ".join(result.failed_expectations)
    state = (
        '<span class="ok">passed</span>' if result.suite_success else f'<span class="bad">{escape(failed)}</span>'
    )
    return (
        f'<tr><td>{escape(batch)}</td><td>{state}</td><td class="n">{result.good:,}</td>'
        f'<td class="n">{result.quarantined:,}</td><td class="n">{result.error_rate:.2%}</td>'
        f"<td>{pages.get(batch, '')}</td></tr>\n"
    )
