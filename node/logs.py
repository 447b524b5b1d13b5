"""One JSON object a line on stderr, one line a decision; never anything personal.

    {"at": "2026-07-01T08:00:00.123Z", "level": "info", "event": "decided", "height": 17, ...}

Values are numbers, short texts and digests in hexadecimal: there is no argument for free text that
came from outside. Bytes are shown as hexadecimal.
"""

import json
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from typing import Final, Protocol, TextIO

from node.clock import Clock, SystemClock

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def where(error: BaseException) -> str:
    """Return file and line of a mistake of ours; its text may hold what no log may show."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"


class Log(Protocol):
    """Takes notes of what the node decided."""

    def debug(self, event: str, **values: int | str | bytes | None) -> None:
        """Note something for developers."""

    def info(self, event: str, **values: int | str | bytes | None) -> None:
        """Note a decision."""

    def warning(self, event: str, **values: int | str | bytes | None) -> None:
        """Note something an operator may have to look at."""

    def error(self, event: str, **values: int | str | bytes | None) -> None:
        """Note something an operator must act on."""


class JsonLog:
    """Writes JSON lines.

    Args:
        node: The node's name, in every line.
        level: The least level that is written, a key of `LEVELS`.
        stream: Where to; stderr by default.
        clock: What stamps the lines.
    """

    __slots__ = ("_clock", "_least", "_node", "_stream")

    def __init__(
        self,
        node: str,
        level: str = "info",
        stream: TextIO | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._node = node
        self._least = LEVELS[level]
        self._stream = sys.stderr if stream is None else stream
        self._clock = SystemClock() if clock is None else clock

    def debug(self, event: str, **values: int | str | bytes | None) -> None:
        """Note something for developers."""
        self._write("debug", event, values)

    def info(self, event: str, **values: int | str | bytes | None) -> None:
        """Note a decision."""
        self._write("info", event, values)

    def warning(self, event: str, **values: int | str | bytes | None) -> None:
        """Note something an operator may have to look at."""
        self._write("warning", event, values)

    def error(self, event: str, **values: int | str | bytes | None) -> None:
        """Note something an operator must act on."""
        self._write("error", event, values)

    def _write(self, level: str, event: str, values: dict[str, int | str | bytes | None]) -> None:
        if LEVELS[level] < self._least:
            return
        seconds, milliseconds = divmod(self._clock.now_ms(), 1_000)
        at = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
        line = {"at": f"{at}.{milliseconds:03d}Z", "level": level, "node": self._node}
        shown = {
            key: value.hex() if isinstance(value, bytes) else value for key, value in values.items()
        }
        self._stream.write(json.dumps(line | {"event": event} | shown) + "\n")
        self._stream.flush()


def place_of(error: BaseException) -> str:
    """Return where an error was raised, as `file:line`, for the log; never what it says."""
    frames = extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


class SilentLog:
    """Writes nothing; for tests and tools."""

    __slots__ = ()

    def debug(self, event: str, **values: int | str | bytes | None) -> None:
        """Note nothing."""

    def info(self, event: str, **values: int | str | bytes | None) -> None:
        """Note nothing."""

    def warning(self, event: str, **values: int | str | bytes | None) -> None:
        """Note nothing."""

    def error(self, event: str, **values: int | str | bytes | None) -> None:
        """Note nothing."""
