"""`civreg trust`: what a verifier believes beforehand, shown and fetched.

Nobody signs a trust bundle as a whole. So the first one is pinned: by a fingerprint from an
official source, or by identical answers of more agencies than can lie together (f + 1 of 3f + 1).
Later ones must extend the one that is held.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from cli.commands import Group
from cli.errors import InvalidInputError, NoNetworkError
from cli.network_file import load_network
from cli.output import Context, accepted, confirm
from cli.plain_fetch import fetch as fetch_bytes
from cli.plain_fetch import is_address
from cli.verify import TRUST_FILE, read_bounded
from ledger.ids import parse_id, print_id
from ledger.trust import TRUST_BYTES_MAX, TrustBundle, parse_trust
from registry.civil_calendar import civil_date

PATH: Final = "/v1/trust-bundle"


@click.group(cls=Group)
def trust() -> None:
    """Show and fetch trust bundles: what a verifier believes beforehand.

    \b
    Example:
        civreg trust show trust.civreg
    """


@trust.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.pass_obj
def show(context: Context, file: Path | None) -> None:
    """Check the chain of a trust bundle and show whom it vouches for.

    Without FILE: the bundle of the home folder.

    \b
    Example:
        civreg trust show trust.civreg
    """
    path = file or context.home / TRUST_FILE
    bundle = parse_trust(read_bounded(path, TRUST_BYTES_MAX))
    accepted(_result(bundle), context, lines=_lines(context, bundle))


@trust.command(changes=True)
@click.argument("sources", metavar="URL|FILE...", nargs=-1, required=True)
@click.option("--fingerprint", help="Fingerprint from an official source: pins the bundle.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to keep it; by default trust.civreg of the home folder.",
)
@click.pass_obj
def fetch(
    context: Context, sources: tuple[str, ...], fingerprint: str | None, out: Path | None
) -> None:
    """Fetch the bundle from nodes and keep it if it can be believed.

    A first bundle needs --fingerprint, or the same answer of f + 1 agencies; a later one must
    extend the one that is held. Give one URL for each agency.

    \b
    Example:
        civreg trust fetch https://justice.example https://police.example
        civreg trust fetch trust.civreg --fingerprint 00000-00000-00000-00000-000000-0
    """
    path = out or context.home / TRUST_FILE
    bundles = [parse_trust(_fetch(source)) for source in sources]
    held = parse_trust(read_bounded(path, TRUST_BYTES_MAX)) if path.is_file() else None
    chosen = choose(bundles, held, fingerprint)
    if held is None and fingerprint is None:
        confirm(context.say("trust.confirm", fingerprint=chosen.fingerprint), context)
    if not context.dry_run:
        _keep(path, chosen)
    lines = [*_lines(context, chosen), context.say("trust.kept", path=path)]
    accepted(_result(chosen) | {"path": str(path)}, context, lines=lines)


@trust.command(changes=True)
@click.pass_obj
def update(context: Context) -> None:
    """Extend the bundle of the home folder by what has changed since, from the network's nodes.

    Each change of the validators must be certified by the set before it, from genesis on, and the
    bundle that is held must be a beginning of the new one.

    \b
    Example:
        civreg trust update
    """
    path = context.home / TRUST_FILE
    held = parse_trust(read_bounded(path, TRUST_BYTES_MAX))
    found = load_network(context.home)
    told = [_told(node.address) for node in found.nodes if node.address]
    bundles = [parse_trust(raw) for raw in told if raw is not None]
    if not bundles:
        raise NoNetworkError("no node of the network answers", address=found.name)
    chosen = choose(bundles, held, None)
    if not context.dry_run:
        _keep(path, chosen)
    grown = len(chosen.changes) - len(held.changes)
    lines = [*_lines(context, chosen), context.say("trust.grown", count=grown, path=path)]
    accepted(_result(chosen) | {"path": str(path), "new_changes": grown}, context, lines=lines)


def _told(address: str) -> bytes | None:
    """Return a node's bundle; None if it is down, which does not keep the others from telling."""
    try:
        return fetch_bytes(address, PATH, TRUST_BYTES_MAX)
    except NoNetworkError:
        return None


def _keep(path: Path, bundle: TrustBundle) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    beside.write_bytes(bundle.to_bytes())
    beside.replace(path)


def choose(
    bundles: Sequence[TrustBundle], held: TrustBundle | None, fingerprint: str | None
) -> TrustBundle:
    """Return the newest of the bundles that may be believed.

    Args:
        bundles: At least one, one for each agency that was asked.
        held: The bundle that is believed already, or None.
        fingerprint: From an official source, or None.

    Raises:
        OtherTrustNetworkError: Two of them, or one and the held one, are of different networks.
        ForkedTrustError: They tell different histories of one network.
        UntrustedError: All are older than the held one.
        InvalidInputError: None has the fingerprint, or too few agencies say the same.
    """
    newest = max(bundles, key=lambda one: (one.newest_height, one.valid_until_ms))
    for other in bundles:
        other.extended_by(newest)
    if held is not None:
        newest = held.extended_by(newest)
    if fingerprint is not None:
        wanted = print_id(parse_id(fingerprint))
        if newest.fingerprint != wanted:
            raise InvalidInputError(f"the fingerprint is {newest.fingerprint}", name="fingerprint")
    elif held is None:
        _check_agreement(bundles, newest)
    return newest


def _check_agreement(bundles: Sequence[TrustBundle], newest: TrustBundle) -> None:
    validators = len(newest.validators_at(newest.newest_height + 1))
    needed = (validators - 1) // 3 + 1
    same = sum(one.fingerprint == newest.fingerprint for one in bundles)
    if same < needed:
        raise InvalidInputError(
            f"{same} agencies say the same, {needed} are needed; or give --fingerprint",
            name="trust bundle",
        )


def _fetch(source: str) -> bytes:
    """Return the bytes of a bundle from a node or a file.

    Raises:
        NoNetworkError: The node does not answer.
        InvalidInputError: The answer is too long.
        NoSuchFileError: There is no such file.
    """
    if is_address(source):
        return fetch_bytes(source, PATH, TRUST_BYTES_MAX)
    return read_bounded(Path(source), TRUST_BYTES_MAX)


def _result(bundle: TrustBundle) -> dict[str, object]:
    template = bundle.charter.template
    names = {agency.agency_id: agency.name for agency in template.agencies}
    return {
        "name": template.name,
        "network": bundle.network_id,
        "fingerprint": bundle.fingerprint,
        "newest_height": bundle.newest_height,
        "newest_time_ms": bundle.newest_time_ms,
        "valid_until_ms": bundle.valid_until_ms,
        "in_force": time.time_ns() // 1_000_000 <= bundle.valid_until_ms,
        "changes": len(bundle.changes),
        "validators": [
            {
                "agency": print_id(one.agency_id),
                "name": names.get(one.agency_id),
                "weight": one.weight,
            }
            for one in bundle.validators_at(bundle.newest_height + 1).validators
        ],
    }


def _lines(context: Context, bundle: TrustBundle) -> list[str]:
    template = bundle.charter.template
    names = {agency.agency_id: agency.name for agency in template.agencies}
    seen = civil_date(bundle.newest_time_ms)
    validators = bundle.validators_at(bundle.newest_height + 1).validators
    return [
        context.say("trust.name", name=template.name),
        context.say("trust.network", network_id=bundle.network_id.hex()),
        context.say("trust.fingerprint", fingerprint=bundle.fingerprint),
        context.say("trust.newest", height=bundle.newest_height, date=seen),
        context.say("trust.valid_until", date=civil_date(bundle.valid_until_ms)),
        context.say("trust.changes", count=len(bundle.changes)),
        *[
            context.say(
                "trust.agency",
                name=names.get(one.agency_id, print_id(one.agency_id)),
                weight=one.weight,
            )
            for one in validators
        ],
        context.say("trust.compare"),
    ]
