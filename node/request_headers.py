"""Cuts what comes over a connection into requests, so that the header of each has its bounds.

The parser of aiohttp bounds each header field and their number, and so lets 2 MiB of header pass. A
`BoundedParser` stands in front of it and counts: from the end of one request to the empty line that
ends the header of the next. What is over is refused before the parser sees it.

It has to know where each request begins. A header ends with its first empty line, for the parser
refuses any line that does not end with CR LF; a body has the length that its header declares. Where
only the parser could tell (a body in chunks or compressed, another protocol asked for), the request
is the last one of its connection: it is answered, and what comes behind it is dropped.

Source: the design's architecture, section 6.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from aiohttp import hdrs
from aiohttp.http import HttpProcessingError, RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import MAX_MSG_QUEUE_SIZE  # with so many it stops reading

from ledger.limits import REQUEST_HEADER_BYTES_MAX, REQUEST_HEADER_FIELDS_MAX
from node.public_errors import HeaderTooLargeError

_EMPTY_LINE: Final = b"\r\n\r\n"
_LINES_BESIDE_FIELDS: Final = 2
"""The request line and the empty one."""
_Parsed = tuple[RawRequestMessage, StreamReader]


class RequestParser(Protocol):
    """What a connection needs of its parser."""

    def feed_data(self, data: bytes, /) -> tuple[Sequence[_Parsed], bool, bytes]:
        """Parse more; return requests whose headers are whole, with what their bodies come by."""

    def pause_reading(self) -> None:
        """Keep back the rest of a body until there is room for it."""

    def message_consumed(self) -> None:
        """Learn that a request is no longer waiting."""


class BoundedParser:
    """Gives a parser one header or one body at a time.

    Args:
        parser: Fresh.
    """

    def __init__(self, parser: RequestParser) -> None:
        self._parser = parser
        self._header = bytearray()
        self._body_bytes = 0
        self._payload: StreamReader | None = None
        self._begun = 0
        self._waiting = 0
        self._held = b""
        self._is_last = False

    @property
    def awaited(self) -> int | None:
        """Number of the request whose header is under way, or of the first; None between two."""
        if self._is_last or (self._begun and not self._header):
            return None
        return self._begun

    def feed_data(self, data: bytes) -> tuple[list[_Parsed], bool, bytes]:
        """Parse more, as aiohttp asks its parser to; nobody is given another protocol.

        Raises:
            HttpProcessingError: It is not HTTP; or caused by a HeaderTooLargeError.
        """
        data, self._held = self._held + data, b""
        try:
            return self._parse_all(data), False, b""
        except HttpProcessingError:
            self._is_last, self._payload = True, None
            raise

    def pause_reading(self) -> None:
        """Keep back the rest of a body until there is room for it."""
        self._parser.pause_reading()

    def message_consumed(self) -> None:
        """Learn that a request is no longer waiting."""
        self._waiting -= 1
        self._parser.message_consumed()

    def _parse_all(self, data: bytes) -> list[_Parsed]:
        found = self._parse(b"")  # what the parser has kept back
        start = 0
        while start < len(data):
            if self._body_bytes:
                end = min(start + self._body_bytes, len(data))
                self._body_bytes -= end - start
            elif self._is_last:
                end = len(data)
            elif self._waiting < MAX_MSG_QUEUE_SIZE and self._has_whole_body():
                end = start + self._header_bytes(data, start)
            else:
                self._held = data[start:]
                break
            found += self._parse(data[start:end])
            start = end
        return found

    def _has_whole_body(self) -> bool:
        return self._payload is None or self._payload.is_eof()

    def _header_bytes(self, data: bytes, start: int) -> int:
        """Return how many bytes of the data belong to the header that is under way.

        Raises:
            HttpProcessingError: With them the header is over its bounds.
        """
        before = len(self._header)
        searched = max(before - len(_EMPTY_LINE) + 1, 0)
        self._header += data[start : start + REQUEST_HEADER_BYTES_MAX + 1 - before]
        end = self._header.find(_EMPTY_LINE, searched)
        if end >= 0:
            del self._header[end + len(_EMPTY_LINE) :]
        if len(self._header) > REQUEST_HEADER_BYTES_MAX:
            whole = bytes(self._header[:before]) + data[start:]
            end = whole.find(_EMPTY_LINE, searched)
            value = len(whole) if end < 0 else end + len(_EMPTY_LINE)
            _refuse("request header bytes", value, REQUEST_HEADER_BYTES_MAX)
        fields = self._header.count(b"\n") - _LINES_BESIDE_FIELDS
        if fields > REQUEST_HEADER_FIELDS_MAX:
            _refuse("request header fields", fields, REQUEST_HEADER_FIELDS_MAX)
        return len(self._header) - before

    def _parse(self, piece: bytes) -> list[_Parsed]:
        if self._is_last and self._has_whole_body():
            return []
        return [self._begin(*one) for one in self._parser.feed_data(piece)[0] if not self._is_last]

    def _begin(self, message: RawRequestMessage, payload: StreamReader) -> _Parsed:
        """Note a request whose header is whole, and where its body ends."""
        self._header.clear()
        self._begun += 1
        self._waiting += 1
        self._payload = payload
        is_odd = message.chunked or message.upgrade or message.method == hdrs.METH_CONNECT
        if is_odd or message.compression:
            self._is_last = True
            return message._replace(should_close=True), payload
        self._body_bytes = int(message.headers.get(hdrs.CONTENT_LENGTH, "0"))
        return message, payload


def _refuse(limit: str, value: int, maximum: int) -> None:
    reason = HeaderTooLargeError(
        f"{limit}: {value} or more, over the limit of {maximum}",
        limit=limit,
        value=value,
        maximum=maximum,
    )
    raise HttpProcessingError(code=431, message=limit) from reason
