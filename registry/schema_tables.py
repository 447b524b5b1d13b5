"""Strict reading of TOML tables: what nobody took is an error, so a misspelt key never passes."""

from typing import TypeVar, cast

from registry.errors import SchemaError

T = TypeVar("T", bool, int, str)


class Table:
    """One table of a schema; `finish` refuses the keys that were never taken.

    Args:
        values: What `tomllib` made.
        path: Where it stands, for the refusal.
    """

    __slots__ = ("_path", "_values")

    def __init__(self, values: object, path: str) -> None:
        if not isinstance(values, dict):
            raise SchemaError(f"{path} is no table")
        self._values = dict(values)
        self._path = path

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Return and remove a scalar; without a default it must be there.

        Raises:
            SchemaError: Absent without a default, or of another type.
        """
        value = self._values.pop(key, default)
        if type(value) is not kind:
            raise SchemaError(f"{self._path}.{key} is absent or no {kind.__name__}")
        return value

    def take_optional(self, key: str, kind: type[T]) -> T | None:
        """Return and remove a scalar, None if it is absent.

        Raises:
            SchemaError: Of another type.
        """
        return self.take(key, kind) if key in self._values else None

    def take_date(self, key: str) -> str:
        """Return and remove a local date, as text."""
        value = self._values.pop(key, None)
        text = str(value)
        if type(value).__name__ != "date":
            raise SchemaError(f"{self._path}.{key} is absent or no date")
        return text

    def take_words(self, key: str) -> tuple[str, ...]:
        """Return and remove an array of strings; empty if it is absent.

        Raises:
            SchemaError: Not an array of strings, or one of them twice.
        """
        value = self._values.pop(key, [])
        if not isinstance(value, list) or not all(type(word) is str for word in value):
            raise SchemaError(f"{self._path}.{key} is no array of strings")
        if len(dict.fromkeys(value)) != len(value):
            raise SchemaError(f"{self._path}.{key} says something twice")
        return tuple(cast("list[str]", value))

    def take_choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """Return and remove one of some words.

        Raises:
            SchemaError: Another word.
        """
        word = self.take(key, str, default)
        if word not in choices:
            raise SchemaError(f"{self._path}.{key} is none of {', '.join(choices)}")
        return word

    def take_table(self, key: str) -> "Table | None":
        """Return and remove a table, None if it is absent."""
        found = self._values.pop(key, None)
        return None if found is None else Table(found, f"{self._path}.{key}")

    def take_tables(self, key: str) -> "dict[str, Table]":
        """Return and remove a table of tables, in the order of the text; empty if absent."""
        table = self.take_table(key)
        return {} if table is None else table.all_tables()

    def take_list(self, key: str) -> "list[Table]":
        """Return and remove an array of tables; empty if it is absent."""
        value = self._values.pop(key, [])
        if not isinstance(value, list):
            raise SchemaError(f"{self._path}.{key} is no array")
        return [Table(item, f"{self._path}.{key}[{at}]") for at, item in enumerate(value)]

    def take_title(self) -> tuple[str, str]:
        """Return and remove `title = { vi = …, en = … }`; empty texts if it is absent."""
        table = self.take_table("title")
        if table is None:
            return ("", "")
        title = table.take("vi", str), table.take("en", str)
        table.finish()
        return title

    def left(self) -> tuple[str, ...]:
        """Return the keys that are left, in the order of the text."""
        return tuple(self._values)

    def all_tables(self) -> "dict[str, Table]":
        """Return all that is left as tables."""
        left, self._values = self._values, {}
        return {key: Table(value, f"{self._path}.{key}") for key, value in left.items()}

    def finish(self) -> None:
        """Refuse what nobody took.

        Raises:
            SchemaError: Names the keys.
        """
        if self._values:
            raise SchemaError(f"{self._path} has unknown keys: {', '.join(sorted(self._values))}")

    def wrong(self, key: str, why: str) -> SchemaError:
        """Return the error for a key whose value is wrong."""
        return SchemaError(f"{self._path}.{key}: {why}")
