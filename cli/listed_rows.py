"""How rows of the state that agencies decide about are told to people; programs get the names.

Fields, actions, roles and record types have names of their own in each language; what has none,
such as an operation of a type that came later, stands as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from cli.hands import who_is
from cli.languages import catalogue
from cli.network_view import NetworkView
from cli.output import Context
from ledger.ids import ID_BYTES, print_id
from registry.civil_calendar import civil_date
from registry.errors import UnknownKindError
from registry.explain_words import role_words
from registry.legal_words import basis_words
from registry.problems import in_language

ALL: Final = "*"
_TYPES: Final = frozenset({"type", "types", "type_name"})
_TIMES: Final = frozenset({"opened_ms"})


def pasted(fields: Mapping[str, object], view: NetworkView) -> dict[str, object]:
    """Return fields for programs: ids as every command takes them, their names beside them.

    What an id `office` is called stands as `office_name`; null where this home has no name for it.
    """
    shown: dict[str, object] = {}
    for name, value in fields.items():
        shown[name] = _pasted(value, view)
        raw = _id_of(value)
        if raw is not None:
            shown[f"{name}_name"] = who_is(view, raw)
    return shown


def _pasted(value: object, view: NetworkView) -> object:
    if isinstance(value, list):
        return [_pasted(item, view) for item in value]
    if isinstance(value, Mapping):
        return pasted(value, view)
    raw = _id_of(value)
    return value if raw is None else print_id(raw)


def _id_of(value: object) -> bytes | None:
    """Return the id that a value of a row is, or None."""
    if not isinstance(value, str) or len(value) != 2 * ID_BYTES:
        return None
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


def _with_name(value: object, view: NetworkView) -> object:
    """Return a value for people: an id as it is shown, with its name where it has one."""
    raw = _id_of(value)
    if raw is None:
        return value
    name = who_is(view, raw)
    return print_id(raw) if name is None else f"{name} ({print_id(raw)})"


class RowWords:
    """Tells rows in the language of a person.

    Args:
        context: The language.
        view: Titles of record types and operations.
        noun: Which list; a field may be called otherwise in one.
    """

    def __init__(self, context: Context, view: NetworkView, noun: str) -> None:
        self._context, self._view, self._noun = context, view, noun

    def lines(self, shown: Mapping[str, object]) -> list[str]:
        """Return a row as lines, its id first."""
        found = [str(_with_name(shown["id"], self._view))]
        for name, value in shown.items():
            if name != "id":
                found += self._field(name, value, shown)
        return found

    def words(self, fields: Mapping[str, object]) -> str:
        """Return fields on one line."""
        return ", ".join(
            f"{self.label(name)} {self._value(name, value, fields)}"
            for name, value in fields.items()
        )

    def label(self, name: str) -> str:
        """Return what a field is called."""
        own = self._known(f"listed.{self._noun}.{name}")
        return own or self._known(f"listed.field.{name}") or name

    def action(self, action: str) -> str:
        """Return what a ballot would do."""
        return self._known(f"listed.action.{action}") or action

    def _field(self, name: str, value: object, row: Mapping[str, object]) -> list[str]:
        if name == "roles" and isinstance(value, Sequence):
            return [f"  {self.label('role')}: {self._role(role)}" for role in value]
        if name == "fields" and isinstance(value, Mapping):
            return [line for each in value for line in self._field(each, value[each], row)]
        return [f"  {self.label(name)}: {self._value(name, value, row)}"]

    def _role(self, role: Mapping[str, object]) -> str:
        others = {name: value for name, value in role.items() if name != "role"}
        return f"{self._value('role', role['role'], role)}, {self.words(others)}"

    def _value(self, name: str, value: object, row: Mapping[str, object]) -> str:
        if isinstance(value, list | tuple):
            return ", ".join(self._value(name, item, row) for item in value) or "-"
        if value is None:
            return "-"
        if isinstance(value, bool):
            return self._context.say(f"listed.{'yes' if value else 'no'}")
        if value == ALL and (name in _TYPES or name in {"operations", "units"}):
            return self._context.say("listed.all")
        if name in _TIMES and isinstance(value, int):
            return civil_date(value)
        return self._code(name, str(_with_name(value, self._view)), row)

    def _code(self, name: str, code: str, row: Mapping[str, object]) -> str:
        """Return the words for a code with the code, or the value as it is."""
        words: str | None = None
        if name in {"action", "level"}:
            words = self._known(f"listed.{name}.{code}")
        elif name == "role":
            words = in_language(role_words(code), self._context.lang)
        elif name in _TYPES:
            words = self._type(code)
        elif name == "legal_basis":
            return in_language(basis_words(code), self._context.lang)
        elif name == "operations":
            words = self._operation(str(row.get("type_name", "")), code)
        return code if words is None or words == code else f"{words} ({code})"

    def _type(self, name: str) -> str | None:
        try:
            return in_language(self._view.find_type(name).title, self._context.lang)
        except UnknownKindError:
            return None

    def _operation(self, type_name: str, name: str) -> str | None:
        try:
            found = self._view.find_type(type_name).operations.get(name)
        except UnknownKindError:
            return None
        return None if found is None else in_language(found.title, self._context.lang)

    def _known(self, key: str) -> str | None:
        return catalogue(self._context.lang).texts.get(key)
