"""What stands behind `detail:` for somebody who does not read English.

The message of an error is one English sentence, for logs. A language has a table `[details]` from
these sentences to its own: the English one, with `{name}` for what is put into it, is the id. A
value may be a sentence of the table itself. What the table does not have is told by its facts
(`cli.output`). A test compares the table with the sentences in the code.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from cli.languages import Language, catalogue

DEPTH_MAX: Final = 3
"""How deep a sentence may stand in another."""
MESSAGE_CHARS_MAX: Final = 2_000
"""Longer messages are not looked up."""
_PLACE: Final = re.compile(r"\{(\w+)\}")


def detail_in(language: Language, message: str, depth: int = 0) -> str | None:
    """Return a message in another language, None if the language has no sentence for it.

    Args:
        language: Of the person.
        message: An error's, in English.
        depth: How many sentences this one stands in.
    """
    if depth > DEPTH_MAX or len(message) > MESSAGE_CHARS_MAX:
        return None
    for pattern, sentence in _patterns(language):
        match = pattern.fullmatch(message)
        if match is not None:
            values = {
                name: detail_in(language, value, depth + 1) or value
                for name, value in match.groupdict().items()
            }
            return sentence.format_map(values)
    return None


@cache
def _patterns(language: Language) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return each sentence of the table as a pattern; those that say the most come first."""
    table = catalogue(language).details
    ordered = sorted(table, key=lambda text: (-len(_PLACE.sub("", text)), text))
    return tuple((re.compile("".join(_pieces(text)), re.DOTALL), table[text]) for text in ordered)


def _pieces(text: str) -> Iterator[str]:
    end = 0
    for place in _PLACE.finditer(text):
        yield re.escape(text[end : place.start()])
        yield f"(?P<{place[1]}>.+?)"
        end = place.end()
    yield re.escape(text[end:])
