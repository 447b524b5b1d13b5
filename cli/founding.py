"""`civreg network template|part|sign-part|merge|node`: the genesis ceremony of a real network.

Four steps, so that no agency ever sees another's private keys: all agree on a template, each makes
and signs its part, anyone merges the parts, each makes the home of its own node. The result of the
merge is the same whoever does it; its `network_id` is the name of the network for ever.
"""

from pathlib import Path
from typing import Final

import click

from cli.ceremony import OwnPart, make_part, make_template
from cli.ceremony_parts import merge_parts
from cli.commands import Command
from cli.development import FOLDER_MODE, Listen
from cli.errors import FileTakenError, InvalidInputError
from cli.founding_node import (
    Founder,
    check_first_home,
    find_founder,
    read_home_genesis,
    write_founding_node,
)
from cli.network_file import GENESIS_FILE, NETWORK_FILE, TRUST_FILE
from cli.output import Context, accepted, confirm, note, suggested
from cli.part_signing import add_signatures, part_lines, read_signed_part
from cli.passphrases import key_opener, new_passphrase, passphrase_options, source
from ledger.ids import print_id
from node.config import PORT_MAX, Address, parse_address

PORTS: Final = 3
"""A node listens on as many, one after the other."""
_FOLDER: Final = click.Path(path_type=Path, file_okay=False)
_NEW_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_OLD_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)
_SIGNERS: Final = click.option(
    "--sign",
    "signers",
    multiple=True,
    required=True,
    help="Governance key that signs; may be given several times.",
)


@click.command(cls=Command, changes=True)
@click.argument("agreed", metavar="AGREED.toml", type=_OLD_FILE)
@click.option("--out", type=_NEW_FILE, required=True, help="The template to write.")
@click.pass_obj
def template(context: Context, agreed: Path, out: Path) -> None:
    """First step of the ceremony: write down what all agencies agree on.

    AGREED.toml has name, time, parameters, agencies with mandates, and namespaces; see
    docs/using.md for an example.

    \b
    Example:
        civreg network template agreed.toml --out template.civreg
    """
    raw, digest = make_template(agreed)
    _write_new(context, {out: raw})
    if context.dry_run:
        accepted({"would_write": out, "digest": digest}, context)
        return
    result = {"template": out, "digest": digest}
    next_command = suggested(
        "network", "part", out, "part.toml", "--sign", "KEY", "--out", "NAME.part"
    )
    accepted(result, context, next_command=next_command)


@click.command(cls=Command, changes=True)
@click.argument("template_file", metavar="TEMPLATE", type=_OLD_FILE)
@click.argument("own", metavar="PART.toml", type=_OLD_FILE)
@_SIGNERS
@click.option("--out", type=_NEW_FILE, required=True, help="The signed part to write.")
@passphrase_options
@click.pass_obj
def part(
    context: Context, template_file: Path, own: Path, signers: tuple[str, ...], out: Path
) -> None:
    """Second step: one agency's public keys, office and founding officers, signed by its governors.

    At least two founding officers, and as many governors as the part itself says are needed: here,
    or on machines of their own by `network sign-part`.

    \b
    Example:
        civreg network part template.civreg part.toml --sign governor-1 --out justice.part
    """
    made = make_part(context, template_file, own, signers)
    _write_new(context, {out: made.content})
    _say_part(context, template_file, out, made)


@click.command("sign-part", cls=Command, changes=True)
@click.argument("template_file", metavar="TEMPLATE", type=_OLD_FILE)
@click.argument("file", metavar="PART", type=_OLD_FILE)
@_SIGNERS
@passphrase_options
@click.pass_obj
def sign_part(context: Context, template_file: Path, file: Path, signers: tuple[str, ...]) -> None:
    """Second step, on another machine: a further governor signs the part that the first has made.

    It is shown in words before, and the file gets the signature. Compare the digest of the template
    with the other agencies, and the fingerprints of the keys inside your own.

    \b
    Example:
        civreg network sign-part template.civreg justice.part --sign governor-2
    """
    part = read_signed_part(template_file, file)
    if context.dry_run or not context.yes:
        for line in part_lines(context, part):
            note(line, context)
    confirm(context.say("act.sign_this"), context)
    signed = add_signatures(context, part, signers)
    if not context.dry_run:
        beside = file.with_name(f"{file.name}.new")
        beside.write_bytes(signed.content)
        beside.replace(file)
    needed = signed.file.part.governance_k
    made = OwnPart(signed.content, signed.agency.name, len(signed.signed), needed)
    _say_part(context, template_file, file, made)


def _say_part(context: Context, template_file: Path, out: Path, made: OwnPart) -> None:
    said = {"agency": made.agency, "signed": made.signed, "needed": made.needed}
    if context.dry_run:
        accepted({"would_write": out, **said}, context)
        return
    result = {"part": out, **said}
    next_command = suggested("network", "merge", template_file) + " *.part"
    if made.signed < made.needed:
        words = {"signed": made.signed, "needed": made.needed, "out": out}
        note(context.say("network.part_unsigned", **words), context)
        next_command = suggested("network", "sign-part", template_file, out, "--sign", "KEY")
    elsewhere = made.signed < made.needed
    line = f"{context.say('frame.result.part')}: {out}"
    accepted(result, context, lines=line, next_command=next_command, elsewhere=elsewhere)


@click.command(cls=Command, changes=True)
@click.argument("template_file", metavar="TEMPLATE", type=_OLD_FILE)
@click.argument("parts", metavar="PART...", nargs=-1, required=True, type=_OLD_FILE)
@click.option(
    "--out",
    type=_NEW_FILE,
    help="The genesis document to write; by default genesis.civreg of the home folder.",
)
@click.option(
    "--trust",
    type=_NEW_FILE,
    help="The trust bundle to write; by default trust.civreg of the home folder.",
)
@click.option(
    "--network-file",
    type=_NEW_FILE,
    help="The file that tells commands where nodes are, to be completed by hand; by default"
    " network.toml of the home folder.",
)
@click.pass_obj
def merge(
    context: Context,
    template_file: Path,
    parts: tuple[Path, ...],
    out: Path | None,
    trust: Path | None,
    network_file: Path | None,
) -> None:
    """Third step: put template and parts together to genesis; the same whoever does it.

    \b
    Example:
        civreg network merge template.civreg justice.part police.part land.part bank.part
    """
    out = out or context.home / GENESIS_FILE
    trust = trust or context.home / TRUST_FILE
    network_file = network_file or context.home / NETWORK_FILE
    genesis, bundle, described = merge_parts(template_file, parts, network_file.parent)
    _write_new(
        context,
        {out: genesis.raw, trust: bundle.to_bytes(), network_file: described.encode()},
    )
    known = {"network_id": genesis.network_id, "fingerprint": bundle.fingerprint}
    if context.dry_run:
        accepted({"would_write": [out, trust, network_file], **known}, context)
        return
    result = {"genesis": out, "trust": trust, **known}
    next_command = suggested("network", "node", "DIR", "--agency", "NAME")
    accepted(result, context, next_command=next_command)


@click.command(cls=Command, changes=True)
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--agency", required=True, metavar="NAME", help="Whose node: its name in genesis.")
@click.option(
    "--listen",
    metavar="HOST",
    default="0.0.0.0",  # noqa: S104 - a node is there for others
    show_default=True,
    help="Address of this machine on which the node listens for nodes and users.",
)
@click.option(
    "--peer-port",
    type=click.IntRange(1, PORT_MAX - PORTS + 1),
    help="Port for other nodes, the two after it for users and for its operator; by default that"
    " of the peer address in genesis.",
)
@click.option("--unencrypted", is_flag=True, help="Keys without a passphrase; only for tests.")
@passphrase_options
@click.pass_obj
def node(
    context: Context,
    folder: Path,
    agency: str,
    *,
    listen: str,
    peer_port: int | None,
    unencrypted: bool,
) -> None:
    """Fourth step: make the home of an agency's node, for the first start of a new network only.

    Reads genesis.civreg of the home folder and finds the private keys of the agency's part among
    its keys. DIR must be new or empty. A consensus key that has a home already gets no second one:
    two nodes with one key would contradict each other, and the agency would count as a liar.

    \b
    Example:
        civreg network node node --agency justice
    """
    genesis = read_home_genesis(context.home)
    founder = find_founder(genesis, agency, context.home)
    places = _listen(founder, listen, peer_port)
    check_first_home(founder, context.home, folder)
    result = {
        "agency": founder.agency.name,
        "agency_id": print_id(founder.agency.agency_id),
        "peer": str(places.peer),
        "public": str(places.public),
        "private": str(places.private),
    }
    if context.dry_run:
        accepted({"would_write": folder, **result}, context)
        return
    opener = key_opener(context)
    services = {purpose: opener.open(path) for purpose, path in founder.files.items()}
    passphrase = None if unencrypted else new_passphrase(context, source())
    write_founding_node(folder, founder, services, places, genesis, passphrase)
    lines = [
        context.say("network.node_made", folder=folder, agency=founder.agency.name),
        context.say("network.node_listens", **result),
        context.say("network.node_first_start"),
    ]
    next_command = suggested("node", "doctor", folder)
    accepted({"folder": folder, **result}, context, lines=lines, next_command=next_command)


def _listen(founder: Founder, host: str, peer_port: int | None) -> Listen:
    """Return where the node listens; the operator's side never leaves the machine."""
    first = peer_port
    if first is None:
        try:
            first = parse_address(founder.part.peer_address).port
        except ValueError as error:
            reason = f"the peer address of the part cannot be read; give --peer-port: {error}"
            raise InvalidInputError(reason, name="--peer-port") from error
    if not 1 <= first <= PORT_MAX - PORTS + 1:
        reason = f"the port {first} leaves no room for the two after it; give --peer-port"
        raise InvalidInputError(reason, name="--peer-port")
    return Listen(Address(host, first), Address(host, first + 1), Address("127.0.0.1", first + 2))


def _write_new(context: Context, files: dict[Path, bytes]) -> None:
    """Write files that are not there yet, all or none of them; nothing with --dry-run.

    Raises:
        FileTakenError: There is one already.
    """
    for path in files:
        if path.exists():
            raise FileTakenError("there is a file of that name already", name=str(path))
    if context.dry_run:
        return
    for path, content in files.items():
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        path.write_bytes(content)
