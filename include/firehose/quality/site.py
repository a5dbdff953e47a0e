"""How our Data Docs are written: a page that fails is an error, files are whole, and no event's text is markup.

Pages have our own frame and style (templates/), since those of Great Expectations load both from nine hosts.

Great Expectations' own builder of sites logs what a page fails with and goes on without it, copies fonts and
scripts that our pages do not use, and needs a context that stores what it shows. So only its renderers are used.
Must not: know batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

import msgspec
from great_expectations.core import ExpectationSuite, ExpectationSuiteValidationResult
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResultSchema
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.render.renderer import ExpectationSuitePageRenderer, ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from firehose.store import LakePath

#: Characters of a sampled value on a page; an event may hold one of megabytes.
LONGEST: Final = 2000
_SCHEMA: Final = ExpectationSuiteValidationResultSchema()
#: Pages of suites that are kept: some tens of kilobytes each.
_MOST_DRAWN: Final = 100
_drawn: Final[dict[bytes, bytes]] = {}


def drawn(
    docs: LakePath, suite: ExpectationSuite, described: dict[str, Any], run: RunIdentifier
) -> Iterator[tuple[LakePath, bytes]]:
    """The page of a suite, and that of its result, ``described`` as JSON has it. Raises what one fails with."""
    result: ExpectationSuiteValidationResult = _SCHEMA.load(described)
    _disarm(result)
    of_suite = "/".join(suite.name.split("."))
    time = f"{run.run_time:%Y%m%dT%H%M%S.%fZ}"
    yield docs / "expectations" / f"{of_suite}.html", _suite_page(suite, described)
    page = docs / "validations" / of_suite / run.run_name / time / f"batch-{suite.name}.html"
    yield page, _rendered(ValidationResultsPageRenderer().render(result))


def _suite_page(suite: ExpectationSuite, described: dict[str, Any]) -> bytes:
    """The page of a suite. It comes again with each batch: this process keeps those that it has drawn."""
    shown = [suite.name, *(expectation["expectation_config"] for expectation in described["results"])]
    key = msgspec.json.encode(shown)
    if key not in _drawn:
        if len(_drawn) >= _MOST_DRAWN:
            _drawn.clear()
        _drawn[key] = _rendered(ExpectationSuitePageRenderer().render(suite))  # type: ignore[no-untyped-call]  # not ours
    return _drawn[key]


def _rendered(document: Any) -> bytes:
    return bytes(_view().render(document).encode())  # type: ignore[no-untyped-call]  # not ours


def write(path: LakePath, content: bytes) -> None:
    """Write a page, unless it is there. The file is the old one or the new one, as everywhere in the lake.

    Raises:
        OSError: it cannot be written.
    """
    if not path.exists() or path.read_bytes() != content:
        path.write(content)


def _disarm(result: ExpectationSuiteValidationResult) -> None:
    """Great Expectations writes unexpected values on the page as they are, and anybody may have sent them."""
    for expectation in result.results:
        expectation.result = _as_text(expectation.result)
        expectation.exception_info = _as_text(expectation.exception_info)


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value[:LONGEST] + "…" if len(value) > LONGEST else value)
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, dict):
        return {name: _as_text(item) for name, item in value.items()}
    return value


class View(DefaultJinjaPageView):
    """A page in our own frame."""

    _template = "quality_page.j2"


@cache
def _view() -> View:
    """One for the process: each new one would compile its templates, a third of the time of a build."""
    return View(custom_views_directory=str(resources.files("firehose.quality") / "templates"))
