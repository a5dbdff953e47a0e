"""How our Data Docs are built: a page that fails is an error, files are whole, and no event's text is markup.

Pages have our own frame and style (templates/), since those of Great Expectations load both from nine hosts.

Great Expectations' own builder logs what a page fails with and goes on without it. The site's configuration
(suites.py) names these classes, and Great Expectations makes the objects. Must not: know batches.
"""

from __future__ import annotations

import tempfile
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

from great_expectations.core import ExpectationSuite, ExpectationSuiteValidationResult
from great_expectations.data_context.store.html_site_store import SiteSectionIdentifier
from great_expectations.data_context.store.tuple_store_backend import TupleFilesystemStoreBackend
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier
from great_expectations.render.renderer.site_builder import DefaultSiteSectionBuilder
from great_expectations.render.view import DefaultJinjaPageView

from firehose.store import LakePath

#: Characters of a sampled value on a page; an event may hold one of megabytes.
LONGEST: Final = 2000


#: The sites' folders by their names, which are all that a configuration of Great Expectations can hold.
TARGETS: Final[dict[str, LakePath]] = {}


class Section(DefaultSiteSectionBuilder):
    """One kind of pages. Raises what a page fails with."""

    def build(self, resource_identifiers: object = None) -> None:
        """Write a page for each suite or result that the context holds; ``resource_identifiers`` must be None."""
        for key in self.source_store.list_keys():
            resource = self.source_store.get(key)
            if isinstance(key, ExpectationSuiteIdentifier):
                resource = ExpectationSuite(**resource)
            elif isinstance(resource, ExpectationSuiteValidationResult):
                _disarm(resource)
            page = _view().render(  # type: ignore[no-untyped-call]  # not ours
                self.renderer_class.render(resource),
                data_context_id=self.data_context_id,
                show_how_to_buttons=self.show_how_to_buttons,
            )
            self.target_store.set(SiteSectionIdentifier(self.name, key), page)


class Folder(TupleFilesystemStoreBackend):
    """A folder of the site: each file is the old one or the new one, as everywhere in the lake."""

    def __init__(self, base_directory: str, **options: Any) -> None:
        super().__init__(base_directory=tempfile.gettempdir(), **options)  # any folder: nothing is written to it
        self._site = TARGETS[base_directory]

    def _set(self, key: tuple[str, ...], value: str | bytes, **_: Any) -> None:
        if key[0] == "static":  # fonts, pictures and scripts, of which our pages use none
            return
        named: str = self._convert_key_to_filepath(key)  # type: ignore[no-untyped-call]  # not ours
        path = self._site / named
        content = value.encode() if isinstance(value, str) else value
        # A suite's page comes again with each build.
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
