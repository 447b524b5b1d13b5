"""What stands behind `detail:` for somebody who does not read English.

The message of an error is one English sentence, for logs. A language has a table `[details]` from
these sentences to its own: the English one, with `{name}` for what is put into it, is the id. A
value may be a sentence of the table itself. What the table does not have is told by its facts
(`cli.output`). A test compares the table with the sentences in the code.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from cli.errors import code_of
from cli.languages import Language, catalogue, error_text, text
from keys.errors import CivregError
from registry.explain_words import role_words, term_words
from registry.problems import in_language

DEPTH_MAX: Final = 3
"""How deep a sentence may stand in another."""
OWN_LETTERS_MIN: Final = 10
"""A sentence that begins with a value and has fewer letters of its own takes no clauses."""
MESSAGE_CHARS_MAX: Final = 2_000
"""Longer messages are not looked up."""
_NO_REASONS: Final[Mapping[str, str]] = MappingProxyType({})
_AT: Final = re.compile(
    r" \(at (?:line (?P<line>[0-9]+), column (?P<column>[0-9]+)|end of document)\)$"
)
"""How the reader of TOML ends each of its sentences."""
_OF_PLACES: Final = re.compile(r"\(\?P<\w+>\.\+\?\)|[^a-z]")
_PLACE: Final = re.compile(r"\{(\w+)\}")


def told_in(language: Language, error: CivregError) -> str | None:
    """Return the message of an error in another language, with the reasons that stand in it.

    A reason that the table lacks is told by the sentence of its error's code: so no English clause
    stands in a sentence of another language.
    """
    reasons: dict[str, str] = {}
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, CivregError):
            details = details_in(language, cause.details)
            sentence = error_text(language, code_of(cause), details).sentence
            reasons[str(cause)] = sentence.removesuffix(".")
        elif _AT.search(str(cause)):
            reasons[str(cause)] = text(language, "frame.syntax", place=_place(language, cause))
        cause = cause.__cause__
    return detail_in(language, str(error), reasons=reasons)


def _place(language: Language, cause: BaseException) -> str:
    """Return where a file of settings is no TOML."""
    found = _AT.search(str(cause))
    assert found is not None, "only where it says where"
    if found["line"] is None:
        return text(language, "frame.at_end")
    return text(language, "frame.at", line=found["line"], column=found["column"])


def details_in(language: Language, details: Mapping[str, object]) -> dict[str, object]:
    """Return the details of an error with codes and limits in the words of a language."""
    return {
        name: _word(language, name, value) if isinstance(value, str) else value
        for name, value in details.items()
    }


def _word(language: Language, name: str, value: str) -> str:
    if language == "en":
        return value
    words: str | None = None
    if name == "term":
        words = "; ".join(in_language(term_words(one), language) for one in value.split("; "))
    elif name == "role":
        words = in_language(role_words(value), language)
    elif name in {"status", "flag"}:
        words = catalogue(language).texts.get(f"state.{value}")
    else:
        return detail_in(language, value) or value
    return value if words in {None, value} else f"{words} ({value})"


def detail_in(
    language: Language, message: str, depth: int = 0, *, reasons: Mapping[str, str] = _NO_REASONS
) -> str | None:
    """Return a message in another language, None if the language has no sentence for it.

    Args:
        language: Of the person.
        message: An error's, in English.
        depth: How many sentences this one stands in.
        reasons: Message of an error -> what is said of it where the table lacks it.
    """
    if depth > DEPTH_MAX or len(message) > MESSAGE_CHARS_MAX:
        return None
    for pattern, sentence in _patterns(language):
        match = pattern.fullmatch(message)
        if match is None:
            continue
        told = {
            name: detail_in(language, value, depth + 1, reasons=reasons) or reasons.get(value)
            for name, value in match.groupdict().items()
        }
        untold = [value for name, value in match.groupdict().items() if told[name] is None]
        if _says_little(pattern) and any(" " in value for value in untold):
            continue  # `{name} is not {value}` would make a Vietnamese frame for English clauses.
        values = {name: told[name] or value for name, value in match.groupdict().items()}
        return sentence.format_map(values)
    return None


def _says_little(pattern: re.Pattern[str]) -> bool:
    """Tell whether a sentence that begins with a value has so few words that others would fit."""
    own = _OF_PLACES.sub("", pattern.pattern)
    return pattern.pattern.startswith("(") and len(own) < OWN_LETTERS_MIN


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
