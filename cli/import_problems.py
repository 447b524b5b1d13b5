"""What is wrong with a register's file, in the language of whoever mends it.

Each problem names line, column, value, what must stand there and what to do. It quotes the file, so
it is for the eyes of the person at the desk: errors carry problems as an attribute, never in their
message or details, which are logged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cli.details import detail_in, details_in
from cli.errors import InvalidInputError
from cli.languages import Language, error_text, text
from registry.problems import in_language

SHOWN_CHARS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of the catalogue, with what it names.

    Attributes:
        key: Of the text, without `import.`.
        values: What stands in it; a sentence of the catalogue or a pair of both languages among
            them is put into the same language.
    """

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: Language) -> str:
        """Return the sentence."""
        values = {name: _told(value, language) for name, value in self.values.items()}
        return text(language, f"import.{self.key}", **values)


def said(key: str, **values: object) -> Said:
    """Return a sentence of the catalogue, see `Said`."""
    return Said(key, values)


@dataclass(frozen=True, slots=True)
class Refused:
    """What a rule said of a row: a stable code, the values its sentence names, and its message."""

    code: str
    details: Mapping[str, object]
    message: str = ""

    def text(self, language: Language) -> str:
        """Return the sentence of the code, with what the message adds to it."""
        details = details_in(language, self.details)
        sentence = error_text(language, self.code, details).sentence.removesuffix(".")
        detail = self.message if language == "en" else detail_in(language, self.message)
        added = f" ({detail})" if detail and detail not in sentence else ""
        return f"{sentence}{added} [{self.code}]"


@dataclass(frozen=True, slots=True)
class Advised:
    """What to do about a refusal: the hint of its code, and to import the file again."""

    code: str
    details: Mapping[str, object]

    def text(self, language: Language) -> str:
        """Return the remedy."""
        details = details_in(language, self.details)
        hint = error_text(language, self.code, details).hint.removesuffix(".")
        return text(language, "import.fix_again", fix=hint)


def _told(value: object, language: Language) -> object:
    if isinstance(value, Said | Refused | Advised):
        return value.text(language)
    return in_language(value, language) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a line, for the report.

    Attributes:
        line: From 1.
        row: Number of the record in the file, from 1; 0 for the header.
        column: Name, or empty if the line as a whole is meant.
        value: What stands there.
        rule: What must stand there.
        fix: What to do.
        raw: The whole line or the part of it that is not imported.
    """

    line: int
    row: int
    column: str
    value: str
    rule: Said | Refused
    fix: Said | Advised
    raw: str

    def explain(self, language: Language) -> str:
        """Return one line for the person at the desk; it quotes the value."""
        column = said("in_column", column=self.column) if self.column else said("in_whole_line")
        shown = self.value[:SHOWN_CHARS_MAX]
        values = {"line": self.line, "column": column, "value": repr(shown) if shown else "-"}
        return said("problem", **values, rule=self.rule, fix=self.fix).text(language)


class RegisterFileError(InvalidInputError):
    """Nothing of a register's file can be imported; `problems` says why.

    Args:
        message: One English sentence.
        problems: What is wrong, one or more; not in message and details, for it quotes the file.
        name: Of the file.
    """

    code = "cli.register_unusable"

    def __init__(self, message: str, problems: Sequence[Problem], name: str) -> None:
        super().__init__(message, name=name, problems=len(problems))
        self.problems = tuple(problems)


def problems_csv(problems: Sequence[Problem], language: Language = "en") -> Iterator[list[str]]:
    """Yield the lines of the report, its header first."""
    yield ["line", "row", "column", "value", "problem", "fix", "text"]
    for one in problems:
        row, fix = str(one.row) if one.row else "", one.fix.text(language)
        yield [str(one.line), row, one.column, one.value, one.rule.text(language), fix, one.raw]
