"""`civreg notice file`: an officer states on the ledger that somebody was told something.

The ledger has only a salted digest of what was said; waits of a record count from it.
"""

import secrets
from pathlib import Path
from typing import Any

import click

from cli.act_flow import Wanted, carry_out, record_id_of
from cli.commands import Command, Group
from cli.hands import Wishes
from cli.output import Context, note
from cli.passphrases import passphrase_options
from keys.hashing import sha256

PURPOSES = ("intake", "owner", "residence", "import", "court")
SALT_BYTES = 16


@click.group(cls=Group)
def notice() -> None:
    """State on the ledger that somebody was told something.

    \b
    Example:
        civreg notice file birth letter.pdf --purpose residence --record ID
    """


@notice.command(cls=Command, changes=True)
@click.argument("record_type", metavar="TYPE")
@click.argument(
    "content", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option("--purpose", type=click.Choice(PURPOSES), required=True, help="Why it was said.")
@click.option("--record", metavar="ID", help="The record that it is about.")
@click.option("--office", metavar="NAME", default="", help="The office that acts.")
@click.option(
    "--as",
    "terms",
    multiple=True,
    metavar="TERM=WHO",
    help="Who signs for a term, such as second_officer=justice-2.",
)
@passphrase_options
@click.pass_obj
def file(
    context: Context,
    /,
    record_type: str,
    content: Path,
    *,
    purpose: str,
    **given: Any,  # noqa: ANN401
) -> int:
    """File a notice of the content of FILE; keep FILE and the salt, the ledger has their digest.

    \b
    Example:
        civreg notice file birth letter.pdf --purpose residence
    """
    salt = secrets.token_bytes(SALT_BYTES)
    digest = sha256(salt + content.read_bytes())
    note(context.say("notice.salt", salt=salt.hex()), context)
    wanted = Wanted(
        kind=f"{record_type.replace('-', '_')}/notice",
        settings=(f"purpose={purpose}", f"digest={digest.hex()}"),
        record_id=None if given["record"] is None else record_id_of(given["record"]),
        office=given["office"],
        wishes=Wishes(terms=given["terms"]),
    )
    return carry_out(context, wanted)
