"""What is wrong with a form or an opened body: all of it at once, so that a clerk mends it once.

A `Problem` names field, value, rule, article and a correct example. It may quote personal content:
it is for the eyes of the person at the desk, so the errors here carry it as an attribute, never in
their message or details, which are logged.

* CivregError
  + FormError              a form does not say what its record type asks for
  + OfficeRuleError        a rule on opened fields refuses
  x BodyError              a sealed body is not what its entry says
"""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Final, Literal, TypeAlias

from keys.errors import CivregError
from registry.legal_words import basis_words

Language: TypeAlias = Literal["vi", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("vi", "en")
Text: TypeAlias = tuple[str, str]
"""A sentence in Vietnamese and in English."""


def in_language(text: Text, language: Language) -> str:
    """Return the sentence in one of the two languages."""
    return text[LANGUAGES.index(language)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        field: The path in the form, such as `name.given`; empty for the form as a whole.
        value: What stood there, as text; empty when nothing did. May be personal.
        rule: The check's name, such as `required`, `date`, `code(sex)`, `name_letters`.
        sentence: What is wrong, in both languages; without the value.
        article: The law or policy that asks for it; empty if it is only a matter of form.
        example: A correct value.
    """

    field: str
    value: str = dataclass_field(repr=False)
    rule: str
    sentence: Text
    article: str
    example: str

    def explain(self, language: Language) -> str:
        """Return one line for the person at the desk; it quotes the value."""
        said = f" ({self.value})" if self.value else ""
        words = {"vi": ("căn cứ", "ví dụ"), "en": ("basis", "example")}[language]
        article = in_language(basis_words(self.article), language)
        basis = f"; {words[0]}: {article}" if article else ""
        example = f"; {words[1]}: {self.example}" if self.example else ""
        where = f"{self.field}{said}: " if self.field or said else ""
        return f"{where}{in_language(self.sentence, language)}{basis}{example}"


class ProblemsError(CivregError):
    """Several problems at once; `problems` is never empty."""

    code = "registry.problems"

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        assert problems, "an error without a problem is none"
        first = problems[0]
        super().__init__(message, problems=len(problems), field=first.field, rule=first.rule)
        self.problems = tuple(problems)


class FormError(ProblemsError):
    """A form does not say what its record type asks for."""

    code = "registry.form_invalid"


class OfficeRuleError(ProblemsError):
    """Rules on opened fields refuse: the clerk's program before sealing, the custodian after."""

    code = "registry.office_rule"


class BodyError(CivregError):
    """A sealed body is not what its entry says: another commitment, key, schema or shape."""

    code = "registry.bad_body"
