"""The page of a comparison: one HTML file that needs nothing else, and takes no word of a record for markup.

Must not: compute anything that is not in the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from firehose.legacy.compare.outcome import SAID, Counts, DayResult, Example, Explained, Found

_HEAD: Final = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Old system and lake compared</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root{color-scheme:light dark}.wide{overflow-x:auto}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}code{overflow-wrap:anywhere}
th,td{padding:.35rem .7rem;text-align:left;border-bottom:1px solid #8886;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.ok{color:#176b3a}.bad{color:#a32020;font-weight:600}
@media(prefers-color-scheme:dark){.ok{color:#5fc88d}.bad{color:#ff8f8f}}</style></head><body>
<h1>Old system and lake compared</h1>
"""
_FOOT: Final = "</body></html>\n"
_TITLES: Final = {
    Found.ONLY_OLD: "Only the old system has it",
    Found.DIFFERS: "Both have it, and it differs",
    Found.ONLY_NEW: "Only the lake has it",
}


def page(days: Sequence[DayResult]) -> str:
    """The page of some days of one old store."""
    return _HEAD + "".join(map(_day, days)) + _FOOT


def _day(result: DayResult) -> str:
    scope = result.scope
    verdict = '<span class="ok">passed</span>' if result.passed else '<span class="bad">did not pass</span>'
    problems = "".join(f'<li class="bad">{escape(said)}</li>' for said in result.problems)
    return (
        f"<h2>{result.day}: {verdict}</h2><p>Old store <code>{escape(result.root)}</code>, compared at "
        f"{result.compared_at:%Y-%m-%d %H:%M} UTC. The lake listened for "
        f"{result.heard} of the day. <em>Only new</em> is about the accounts that the old store "
        f"has: {scope.study:,} of the study, {scope.network:,} of its network, {scope.others:,} others. "
        f"{result.others:,} old records are of types that are not compared.</p><ul>{problems}</ul>"
        '<div class="wide"><table><thead><tr><th>type</th>'
        + "".join(f'<th class="n">{name}</th>' for name in ("both", "only old", "only new", "differ", "copies"))
        + "<th>explained</th></tr></thead><tbody>"
        + "".join(_row(name, counts) for name, counts in result.types.items())
        + "</tbody></table></div>"
        + "".join(_examples(name, counts) for name, counts in result.types.items())
    )


def _row(name: str, counts: Counts) -> str:
    numbers = (counts.both, counts.only_old, counts.only_new, counts.differs, counts.copies)
    cells = "".join(f'<td class="n">{number:,}</td>' for number in numbers)
    why = "<br>".join(f"{count:,} {escape(SAID[Explained(kind)])}" for kind, count in counts.explained.items())
    return f"<tr><td>{escape(name)}</td>{cells}<td>{why}</td></tr>"


def _examples(name: str, counts: Counts) -> str:
    made = ""
    for kind, title in _TITLES.items():
        rows = "".join(_example(each) for each in counts.examples if each.found is kind)
        if rows:
            made += f'<h3>{escape(name)}: {title}</h3><div class="wide"><table><tbody>{rows}</tbody></table></div>'
    return made


def _example(example: Example) -> str:
    fields = "<br>".join(
        f"{escape(field)}: <code>{escape(repr(old))}</code> became <code>{escape(repr(new))}</code>"
        for field, (old, new) in example.fields.items()
    )
    where = f"<br>{escape(example.path)}" if example.path else ""
    uri = f"<td><code>{escape(example.uri)}</code>{where}</td>"
    return f"<tr>{uri}<td>{example.at:%H:%M:%S}</td><td>{fields}</td></tr>"
