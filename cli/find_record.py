"""`civreg record find`: from the number on a paper to the record.

A registration number counts within a book of one office and year. A node tells the record to whom
it shows the record anyway: officers of member agencies, the owner, who represents the owner.
"""

import re
from typing import Final

import click

from cli.act_flow import open_actor
from cli.client import Call
from cli.commands import Command
from cli.errors import BadParameterError
from cli.hands import named_office
from cli.output import Context, accepted, suggested
from cli.passphrases import passphrase_options
from cli.who_read import pasted_record, record_line
from ledger.ids import print_id

_NUMBER: Final = re.compile(r"[a-z_.]{1,64}/[1-9][0-9]{0,15}/[0-9]{4}")


@click.command("find", cls=Command)
@click.argument("number", metavar="NUMBER")
@click.option(
    "--office",
    metavar="OFFICE",
    help="In whose books: name or id; by default your own office.",
)
@click.option("--auth", "asker", metavar="NAME", default="",
              help="Whose auth key signs the requests to nodes.")  # fmt: skip
@passphrase_options
@click.pass_obj
def find_record(context: Context, number: str, office: str | None, asker: str) -> None:
    """Find the record of a registration NUMBER, as certificates print it: book, number, year.

    For officers, and for the record's owner.

    \b
    Example:
        civreg record find birth/41/2026 --office justice
    """
    if _NUMBER.fullmatch(number) is None:
        raise BadParameterError(f"{number!r} is no number such as birth/41/2026", name="NUMBER")
    with open_actor(context, asker) as actor:
        book = named_office(actor, office)
        if book is None:
            raise BadParameterError("name the office that registered it", name="--office")
        path = f"/v1/numbers/{print_id(book)}/{number}"
        found = actor.ask_any(Call(address="", path=path, signer=actor.auth_key())).json
        for one in found["records"]:
            result = pasted_record(actor, one)
            accepted(
                result,
                context,
                lines=record_line(context, actor, result),
                next_command=suggested("show", result["record"]),
            )
