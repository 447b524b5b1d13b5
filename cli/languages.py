"""The two languages of the command line: which one to use, and the catalogue of its texts.

The texts are TOML files in `cli/messages/vi` and `cli/messages/en`; all files of a language are one
catalogue, so each part of the command line keeps its texts in a file of its own. Three tables:

* `[errors."<code>"]` with `sentence` and `hint`, for every stable error code of the whole program;
* `[texts]`, what commands say, by a dotted key; `{name}` stands for a value;
* `[help]`, what `--help` shows: by command path (`"key new"`), by option (`"--json"`) or by option
  of one command (`"key new --out"`). English help is the docstring in the code, so `[help]` of `en`
  has only the short lines of the nouns;
* `[details]` of `vi`, the sentences of errors: the English one in the code -> its translation, see
  `cli.details`.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal, TypeAlias, TypeVar

Text = TypeVar("Text")
Language: TypeAlias = Literal["vi", "en"]
LANGUAGES: Final[tuple[Language, Language]] = ("vi", "en")

UNKNOWN: Final = "…"
"""Stands where a sentence names a value that an error did not bring."""

_LOCALE_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts (POSIX)


@dataclass(frozen=True, slots=True)
class ErrorText:
    """What a person reads about one error code; both may hold `{name}` for details."""

    sentence: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All texts of one language."""

    errors: Mapping[str, ErrorText]
    texts: Mapping[str, str]
    help: Mapping[str, str]
    details: Mapping[str, str]


class _Shown(dict[str, object]):
    """The values of a text; one that is missing shows as an ellipsis instead of failing.

    A newer node may send fewer details than a sentence names; nobody is shown `{field}` for that.
    """

    def __missing__(self, _key: str) -> str:
        return UNKNOWN


def language_of_locale(environment: Mapping[str, str] | None = None) -> Language:
    """Return "vi" when the locale is Vietnamese, else "en".

    Args:
        environment: Where LC_ALL, LC_MESSAGES and LANG are looked up; by default the process's own.
    """
    variables = os.environ if environment is None else environment
    for name in _LOCALE_VARIABLES:
        if value := variables.get(name, ""):
            return "vi" if value.lower().startswith("vi") else "en"
    return "en"


@cache
def catalogue(language: Language) -> Catalogue:
    """Return all texts of `language`, read once.

    Raises:
        ValueError: if two files of the language define the same key.
    """
    errors: dict[str, ErrorText] = {}
    texts: dict[str, str] = {}
    helps: dict[str, str] = {}
    details: dict[str, str] = {}
    folder = files("cli") / "messages" / language
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        _add(errors, {code: ErrorText(**text) for code, text in tables.get("errors", {}).items()})
        _add(texts, tables.get("texts", {}))
        _add(helps, tables.get("help", {}))
        _add(details, tables.get("details", {}))
    return Catalogue(errors=errors, texts=texts, help=helps, details=details)


def text(language: Language, key: str, **values: object) -> str:
    """Return the text `key` with `{name}` replaced by values.

    Raises:
        KeyError: if the catalogue of the language has no such text; tests compare the keys of both.
    """
    return catalogue(language).texts[key].format_map(_Shown(values))


def error_text(language: Language, code: str, details: Mapping[str, object]) -> ErrorText:
    """Return sentence and hint for a stable error code, with the details filled in.

    A code that this version does not know, for example from a newer node, gets the text of
    `civreg.error`, so a person is never left without a sentence.
    """
    known = catalogue(language).errors
    found = known.get(code) or known["civreg.error"]
    shown = _Shown(details)
    return ErrorText(found.sentence.format_map(shown), found.hint.format_map(shown))


def _add(whole: dict[str, Text], part: Mapping[str, Text]) -> None:
    for key, value in part.items():
        if key in whole:
            raise ValueError(f"the text {key!r} is defined twice")
        whole[key] = value
