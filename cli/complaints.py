"""What `civreg node doctor` finds wrong, in the words of whoever asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cli.details import details_in
from cli.languages import Language, error_text, text
from keys.errors import CivregError
from node.config_problems import ConfigProblem

Level: TypeAlias = Literal["bad", "warn"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong.

    Attributes:
        level: `bad` keeps the node from starting, or hurts it while it runs.
        code: Stable; the text of what is wrong is `node.what.<code>`.
        cure: The text of what helps is `node.cure.<cure>`.
        values: What stands in the text.
        error: An error that says more, in the language of whoever asks.
        words: Cause and cure in both languages, where the node itself has found it.
    """

    level: Level
    code: str
    cure: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    error: CivregError | ConfigProblem | None = None
    words: Mapping[Language, tuple[str, str]] | None = None

    def explain(self, language: Language) -> tuple[str, str]:
        """Return what is wrong and what helps."""
        if self.words is not None:
            return self.words[language]
        values = dict(self.values)
        if isinstance(self.error, ConfigProblem):
            values["error"] = self.error.explain(language)
        elif self.error is not None:
            details = details_in(language, self.error.details)
            values["error"] = error_text(language, self.error.code, details).sentence
        what = text(language, f"node.what.{self.code}", **values)
        return what, text(language, f"node.cure.{self.cure}", **values)
