"""One thing that is wrong with a configuration, in both languages.

The node's log says it in English; `civreg node doctor` in the language of whoever asks.
"""

from typing import Literal, Self, TypeAlias

Wanted: TypeAlias = tuple[str, str]
"""What a setting should be, in English and in Vietnamese."""


class ConfigProblem(str):
    """A problem: the English text itself, which also knows the Vietnamese one."""

    __slots__ = ("vietnamese",)
    vietnamese: str

    def __new__(cls, english: str, vietnamese: str) -> Self:
        """Make it of both texts; both begin with the setting and a colon."""
        made = super().__new__(cls, english)
        made.vietnamese = vietnamese
        return made

    def explain(self, language: Literal["vi", "en"]) -> str:
        """Return the text of a language."""
        return self.vietnamese if language == "vi" else str(self)


def wrong_value(name: str, value: object, wanted: Wanted) -> ConfigProblem:
    """Say that a setting has a wrong value, or none.

    Args:
        name: Of the setting.
        value: What stands there, or None; at most 80 characters are shown.
        wanted: What should.
    """
    shown, missing = ("missing", "thiếu") if value is None else (repr(value)[:80],) * 2
    return ConfigProblem(
        f"{name}: {shown}; wanted: {wanted[0]}", f"{name}: {missing}; cần: {wanted[1]}"
    )


def unknown_setting(name: str) -> ConfigProblem:
    """Say that there is no such setting."""
    return ConfigProblem(f"{name}: unknown setting", f"{name}: không có thiết lập này")
