"""The record types and code tables that ship with the program: for genesis, and nothing else.

This is the one file of this floor that does I/O. A running network reads its types and tables from
its state.
"""

from importlib.resources import files
from typing import Final

from registry.rule_pack import PACK_NAME, PACK_TEXT

TYPES: Final = (
    "agency",
    "ballot",
    "birth",
    "competence",
    "identity",
    "identity_contact",
    "import",
    "land_title",
    "office",
    "officer",
    "side",
    "text",
    "validator",
    "wrap",
)
"""Names of the record types, ascending."""


def type_text(name: str) -> bytes:
    """Return the TOML text of a record type that ships with the program.

    Raises:
        FileNotFoundError: There is no such type.
    """
    return files("registry").joinpath("types", f"{name}.toml").read_bytes()


def table_names() -> tuple[str, ...]:
    """Return the names of the code tables that ship with the program, ascending."""
    found = files("registry").joinpath("tables").iterdir()
    return tuple(sorted(item.name[:-4] for item in found if item.name.endswith(".csv")))


def table_text(name: str) -> bytes:
    """Return the CSV text of a code table that ships with the program.

    Raises:
        FileNotFoundError: There is no such table.
    """
    return files("registry").joinpath("tables", f"{name}.csv").read_bytes()


def genesis_attachments(unit_table: str = "admin_unit") -> tuple[tuple[str, bytes], ...]:
    """Return name and bytes of what a genesis document attaches, ascending by name.

    Args:
        unit_table: `admin_unit`, or the shipped table of a demonstration with registers from
            abroad, whose units then stand behind those in force.
    """
    types = [(f"type/{name}", type_text(name)) for name in TYPES]
    tables = [
        (f"table/{name}", _units(unit_table) if name == "admin_unit" else table_text(name))
        for name in table_names()
        if name == "admin_unit" or name != unit_table
    ]
    return tuple(sorted([*types, *tables, (f"pack/{PACK_NAME}", PACK_TEXT)]))


def _units(unit_table: str) -> bytes:
    """Return the units in force, and behind them those of a demonstration; both have one header."""
    own = table_text("admin_unit")
    if unit_table == "admin_unit":
        return own
    header, _newline, rows = table_text(unit_table).partition(b"\n")
    assert own.startswith(header + b"\n"), "a table of units has the columns of the units in force"
    return own + rows
