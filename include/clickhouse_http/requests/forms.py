"""A form (multipart/form-data): its fields as text, its files in the spool.

Lives here: reading a form piece by piece, within limits. Must not: what its parts mean, the engine, waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from clickhouse_http import exceptions
from clickhouse_http.requests.body import MAX_TEXT
from clickhouse_http.requests.decoding import BodyDecoder
from clickhouse_http.requests.spool import Spool, SpoolFile

#: Largest form of an analyst, in bytes.
MAX_SIZE: Final = 256 * 1024 * 1024
_KIND: Final = b"multipart/form-data"
_MAX_FIELDS: Final = 1000
_MAX_FILES: Final = 16
_MAX_HEADERS: Final = 16
_MAX_HEADER: Final = 4096
#: Bytes of each file that stay in memory: all files together as much as one body.
_IN_MEMORY: Final = 64 * 1024


@dataclass
class Form:
    """The content of a form. ``files``: by name, in the order of the form."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, SpoolFile] = field(default_factory=dict)

    def close(self) -> None:
        """Drop the files."""
        for file in self.files.values():
            file.close()


def is_form(content_type: str) -> bool:
    """True if a body of this Content-Type is a form."""
    return parse_options_header(content_type)[0] == _KIND


class FormBody:
    """A form as it arrives. Its methods block: call them in a worker thread.

    ``max_size``: bytes of the whole form, compressed or not; ``in_blocks``: as for :class:`Body`, each
    block no larger than an analyst's statement. A part is a file if it names one, as in ClickHouse.

    Raises (also its methods):
        QueryError: as for :class:`BodyDecoder`; the form is broken or has too many parts; the disk has no room.
    """

    def __init__(
        self, spool: Spool, role: str, content_type: str, encoding: str, max_size: int, *, in_blocks: bool
    ) -> None:
        self._spool = spool
        self._role = role
        self._plain = BodyDecoder(
            encoding, max_size, self._parse, spool.file(role) if in_blocks else None, MAX_TEXT
        )
        self._form = Form()
        self._text_size = 0
        self._ended = False
        self._header = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._text = bytearray()
        self._file: SpoolFile | None = None
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise _broken("its Content-Type names no boundary")
        try:
            self._parser = self._made(boundary)
        except FormParserError as error:
            raise _broken(str(error)) from None

    def feed(self, data: bytes) -> None:
        """The next piece."""
        self._plain.feed(data)

    def finish(self) -> Form:
        """All of it has come. The caller owns the form, and with it the files."""
        self._plain.finish()
        if not self._ended:
            raise _broken("it ends in the middle of a part")
        return self._form

    def close(self) -> None:
        """Drop what was received."""
        self._plain.close()
        self._form.close()

    def _made(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER,
        )

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _broken(str(error)) from None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0] + data[start:end], b""

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0], self._header[1] + data[start:end]

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = b"", b""

    def _on_headers(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("latin-1")
        options = parse_options_header(disposition)[1]
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._text.clear()
        self._file = self._opened() if b"filename" in options else None

    def _opened(self) -> SpoolFile:
        name = self._name
        if name in self._form.files or len(self._form.files) >= _MAX_FILES:
            raise _broken(f"it may hold {_MAX_FILES} files, each with a name of its own")
        file = self._form.files[name] = self._spool.file(self._role, _IN_MEMORY)
        return file

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        self._text_size += end - start
        if self._text_size > MAX_TEXT:
            raise exceptions.refused(
                exceptions.QUERY_IS_TOO_LARGE, f"The fields of the form have more than {MAX_TEXT} bytes."
            )
        self._text += data[start:end]

    def _on_part_end(self) -> None:
        if self._file is not None:
            self._file.seek(0)
            return
        if len(self._form.fields) >= _MAX_FIELDS:
            raise _broken(f"it has more than {_MAX_FIELDS} fields")
        self._form.fields[self._name] = self._text.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self._ended = True


def _broken(why: str) -> exceptions.QueryError:
    return exceptions.refused(exceptions.BAD_ARGUMENTS, f"The form cannot be read: {why}.")
