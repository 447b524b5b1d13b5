"""`civreg office`, `officer`, `ballot`, `competence`, `text`: what agencies decide; lists of it.

The verbs that change something come from the record types, as for records; `list` shows the rows of
the state as a node tells them to members.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from cli.act_flow import open_actor
from cli.client import Call
from cli.commands import Command, context_of
from cli.listed_rows import RowWords, pasted
from cli.output import accepted
from cli.passphrases import passphrase_options
from cli.record_nouns import noun as record_noun
from registry.authority_rows import CompetenceRow, OfficeRow
from registry.object_rows import BallotRow, ImportRow

LISTED: Final[Mapping[str, Sequence[str]]] = {
    "ballot": BallotRow.__match_args__,
    "competence": CompetenceRow.__match_args__,
    "import-window": ImportRow.__match_args__,
    "office": OfficeRow.__match_args__,
    "officer": ("roles", "founding_until"),
}
TYPE_NAMES: Final = {"import-window": "import"}
"""Nouns that are not called like their record type: `import` reads files."""
_ROLE: Final = ("role", "types", "office", "key", "from_date", "to_date")


def noun(name: str) -> click.Command:
    """Return the command of a class of acts of governance, with its list."""
    group = record_noun(name, TYPE_NAMES.get(name, ""))
    assert isinstance(group, click.Group), "a noun has verbs"
    if name in LISTED:
        group.add_command(_list_command(name))
    return group


def _list_command(name: str) -> click.Command:
    @click.pass_context
    def show(ctx: click.Context, asker: str) -> None:
        context = context_of(ctx)
        with open_actor(context, asker) as actor:
            call = Call(
                address="", path=f"/v1/state/{TYPE_NAMES.get(name, name)}", signer=actor.auth_key()
            )
            document = actor.ask_any(call).json
            words = RowWords(context, actor, name)
            for row in document["rows"]:
                found = _row(name, row)
                accepted(pasted(found, actor), context, lines=words.lines(found))

    command = Command(
        name="list",
        params=[
            click.Option(["--auth", "asker"], metavar="NAME", default="",
                         help="Whose auth key signs the requests to nodes."),
        ],
        callback=show,
        help=(
            f"List what the state has of the kind {name}.\n\n"
            f"\b\nExample:\n    civreg {name} list --json\n"
        ),
    )  # fmt: skip
    return passphrase_options(command)


def _row(name: str, row: Mapping[str, Any]) -> dict[str, object]:
    """Return the fields of a row by their names; ids are in hexadecimal, as nodes tell them."""
    key, value = row["key"], row["value"]
    shown: dict[str, object] = {"id": key[1]}
    if len(key) > 2:  # noqa: PLR2004 - kind, id, number
        shown["number"] = key[2]
    fields = dict(zip(LISTED[name], value, strict=True))
    if name == "officer":
        fields["roles"] = [dict(zip(_ROLE, role, strict=True)) for role in fields["roles"]]
    return {**shown, **fields}
