"""Takes the settings out of a table one by one, and collects all that is wrong with them."""

from collections.abc import Mapping

from node.config_problems import ConfigProblem, Wanted, unknown_setting, wrong_value
from node.errors import ConfigError


class ConfigReader:
    """Takes settings out of a table one by one and collects what is wrong with them."""

    def __init__(self, table: Mapping[str, object]) -> None:
        self._left = {name: value for name, value in table.items() if not isinstance(value, dict)}
        for section, settings in table.items():
            if isinstance(settings, dict):
                self._left |= {f"{section}.{name}": value for name, value in settings.items()}
        self.problems: list[ConfigProblem] = []

    def take(self, name: str, default: object = None) -> object:
        """Return a setting and forget it."""
        return self._left.pop(name, default)

    def take_section(self, section: str) -> dict[str, object]:
        """Return all settings of a section whose names are free."""
        prefix = f"{section}."
        names = [name for name in self._left if name.startswith(prefix)]
        return {name.removeprefix(prefix): self._left.pop(name) for name in names}

    def refuse(self, name: str, value: object, wanted: Wanted) -> None:
        """Remember that a setting is wrong."""
        self.problems.append(wrong_value(name, value, wanted))

    def finish(self) -> None:
        """Raise if anything was wrong or is left over."""
        problems = [*self.problems, *(unknown_setting(name) for name in sorted(self._left))]
        if problems:
            raise ConfigError(tuple(problems))
