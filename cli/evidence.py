"""`civreg evidence`: proof that validators contradicted themselves, as files that stand alone.

Whoever holds a trust bundle can judge such a file: it brings the messages, the set of the height
and a certified header that names the set.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import click

from cli.chain_copies import ChainCopy, open_copy
from cli.commands import Group
from cli.document_checks import check_lines, check_values
from cli.errors import NotFoundError
from cli.evidence_words import facts_of, lines_of
from cli.exit_codes import ExitCode
from cli.output import Context, accepted, suggested
from cli.verdicts import Judgement, Word, judgement_of
from cli.verify import TRUST_FILE, read_bounded
from cli.witnesses import (
    Believed,
    ask_witness,
    believe,
    contradict_each_other,
    contradicts,
)
from consensus.accusations import (
    ACCUSATION_BYTES_MAX,
    Accusation,
    Equivocation,
    examine,
    parse_accusation,
)
from consensus.block_evidence import EVIDENCE_HEIGHTS
from consensus.evidence import Evidence
from consensus.wire import parse_message
from keys.hashing import domain, hash_with
from ledger.blocks import parse_block
from ledger.conflicts import HeaderConflict, find_conflict
from ledger.errors import InvalidDataError
from ledger.light_client import LightPolicy
from ledger.quorum import parse_quorum_certificate
from ledger.trust import (
    TRUST_BYTES_MAX,
    CertifiedHeader,
    TrustBundle,
    parse_trust,
    trust_genesis,
)

SUFFIX: Final = ".evidence"
_FOREVER_MS: Final = 2**63 - 1
_NAME: Final = domain("evidence")
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_READ: Final = click.Path(path_type=Path, dir_okay=False, exists=True)
_FOLDER: Final = click.Path(path_type=Path, file_okay=False)


class Found(NamedTuple):
    """Evidence that stands in a block of a copy.

    Attributes:
        height: Of the block that holds it.
        accusation: With its proof.
    """

    height: int
    accusation: Equivocation


@click.group(cls=Group)
def evidence() -> None:
    """Show, check and export proof that validators contradicted themselves.

    \b
    Example:
        civreg evidence verify liar.evidence --trust trust.civreg
    """


@evidence.command()
@click.argument("file", type=_READ)
@click.option("--trust", type=_FILE, help="Trust bundle, for the agencies' names.")
@click.pass_obj
def show(context: Context, file: Path, trust: Path | None) -> None:
    """Say in words what a file of evidence accuses whom of; nothing is verified.

    \b
    Example:
        civreg evidence show liar.evidence
    """
    accusation = parse_accusation(read_bounded(file, ACCUSATION_BYTES_MAX))
    bundle = _held(context, trust)
    facts = facts_of(accusation, bundle)
    lines = [*lines_of(context, facts), context.say("evidence.unverified", file=file)]
    accepted({**facts, "verified": False}, context, lines=lines)


@evidence.command()
@click.argument("file", type=_READ)
@click.option(
    "--trust",
    type=_FILE,
    help="Trust bundle of the network; by default trust.civreg of the home folder.",
)
@click.pass_obj
def verify(context: Context, file: Path, trust: Path | None) -> int:
    """Check evidence offline and answer in one word, with every check.

    GENUINE: those who are named have signed what no honest node signs. Two headers of different
    rounds give suspects only, and the answer says so.

    \b
    Example:
        civreg evidence verify liar.evidence --trust trust.civreg
    """
    raw = read_bounded(file, ACCUSATION_BYTES_MAX)
    path = trust or context.home / TRUST_FILE
    bundle = parse_trust(read_bounded(path, TRUST_BYTES_MAX))
    accusation, judgement = judge_evidence(raw, bundle, time.time_ns() // 1_000_000)
    holds = judgement.word is Word.GENUINE
    shown = facts_of(accusation, bundle) if holds and accusation is not None else {}
    result = {
        "word": judgement.word,
        "exit": int(judgement.exit_code),
        **shown,
        "trust_fingerprint": bundle.fingerprint,
        "checks": check_values(context, judgement.checks),
    }
    lines = [context.say(f"verify.word.{judgement.word.name.lower()}")]
    if shown:
        lines += lines_of(context, shown)
    accepted(
        result, context, lines=[*lines, *check_lines(context, "evidence.check", judgement.checks)]
    )
    return int(judgement.exit_code)


@evidence.command("list", changes=True)
@click.argument("copy", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--trust", type=_FILE, help="Trust bundle; by default the one in the copy.")
@click.option("--out", type=_FOLDER, help="Write each piece to a file of this folder.")
@click.pass_obj
def list_(context: Context, copy: Path, trust: Path | None, out: Path | None) -> None:
    """List the evidence in the blocks of a copy, and write it to files with --out.

    \b
    Example:
        civreg evidence list export --out evidence
    """
    with open_copy(copy) as opened:
        bundle = _bundle_of(opened, trust)
        count = 0
        for found in evidence_in(opened, bundle):
            count += 1
            shown = facts_of(found.accusation, bundle) | {"block": found.height}
            if out is not None:
                shown |= {"file": str(_written(context, out, found.accusation))}
            accepted(shown, context, lines=_row(context, shown))
    if not count and not context.as_json:
        accepted({}, context, lines=context.say("evidence.none"))


@evidence.command(changes=True)
@click.argument("known", type=_READ)
@click.argument("other", type=_READ)
@click.option("--out", type=_FILE, required=True, help="Where to write the evidence.")
@click.pass_obj
def conflict(context: Context, known: Path, other: Path, out: Path) -> None:
    """Make evidence of two trust bundles that tell different histories.

    KNOWN is the one that you believe. Both must hold by themselves and have a header of one height.

    \b
    Example:
        civreg evidence conflict trust.civreg told.civreg --out fork.evidence
    """
    believed, told = (parse_trust(read_bounded(one, TRUST_BYTES_MAX)) for one in (known, other))
    found = None if believed.network_id != told.network_id else find_conflict(believed, told)
    if found is None:
        raise NotFoundError("the bundles have no two headers of one height", name=str(other))
    found.check(believed)
    if not context.dry_run:
        out.write_bytes(found.to_bytes())
    shown = facts_of(found, believed) | {"file": str(out)}
    following = suggested("evidence", "verify", out, "--trust", known)
    accepted(shown, context, lines=lines_of(context, shown), next_command=following)


@evidence.command(changes=True)
@click.argument("nodes", metavar="URL...", nargs=-1, required=True)
@click.option(
    "--trust",
    type=_FILE,
    help="Trust bundle of the network; by default trust.civreg of the home folder.",
)
@click.option("--out", type=_FOLDER, help="Where to write evidence, if there is any.")
@click.pass_obj
def compare(context: Context, nodes: tuple[str, ...], trust: Path | None, out: Path | None) -> int:
    """Ask several nodes whether they tell the history that you believe, and the same one.

    A light client goes from the newest header of the bundle to that of each node. Headers of one
    height that differ become evidence; the exit status is 18 then.

    \b
    Example:
        civreg evidence compare https://justice.example https://police.example --out evidence
    """
    held = parse_trust(read_bounded(trust or context.home / TRUST_FILE, TRUST_BYTES_MAX))
    now_ms = time.time_ns() // 1_000_000
    held.check_fresh(now_ms)
    witnesses = [ask_witness(node) for node in nodes]
    found = next((one for each in witnesses if (one := contradicts(held, each))), None)
    believed: list[Believed] = []
    if found is None:
        believed = [believe(held, each, LightPolicy(), now_ms) for each in witnesses]
        found = contradict_each_other(held, believed)
    if found is not None:
        return _contradiction(context, found, held, out)
    rows = [
        {
            "node": each.witness.source,
            "height": each.witness.bundle.newest_height,
            "steps": len(each.points),
        }
        for each in believed
    ]
    lines = [context.say("evidence.believed", **row) for row in rows]
    result = {"same": True, "held_height": held.newest_height, "nodes": rows}
    accepted(result, context, lines=[*lines, context.say("evidence.same")])
    return int(ExitCode.OK)


def _contradiction(
    context: Context, found: HeaderConflict, held: TrustBundle, out: Path | None
) -> int:
    shown = facts_of(found, held) | {"same": False}
    lines = lines_of(context, shown)
    if out is not None:
        path = _written(context, out, found)
        shown |= {"file": str(path)}
        lines.append(context.say("evidence.file", file=path))
    accepted(shown, context, lines=lines)
    return int(ExitCode.FORGED)


def judge_evidence(
    raw: bytes, trust: TrustBundle, now_ms: int
) -> tuple[Accusation | None, Judgement]:
    """Return what a file of evidence says, and the word about it.

    Args:
        raw: From anywhere.
        trust: The bundle that the person holds.
        now_ms: The person's time.
    """
    try:
        accusation = parse_accusation(raw)
    except InvalidDataError as error:
        return None, Judgement(Word.UNREADABLE, (("form", error),))
    checks = examine(accusation, trust, now_ms)
    return accusation, judgement_of([(one.name, one.error) for one in checks], None)


def evidence_in(copy: ChainCopy, trust: TrustBundle) -> Iterator[Found]:
    """Yield the evidence in the blocks of a copy, each with the proof of who it was.

    Args:
        copy: Its certificates are not checked here; `verify` does that.
        trust: Knows the sets.

    Raises:
        InvalidDataError: A block is malformed, or the bundle does not know a set.
    """
    recent: deque[CertifiedHeader] = deque(maxlen=EVIDENCE_HEIGHTS)
    for exported in copy.blocks():
        block = parse_block(exported.block)
        certificate = parse_quorum_certificate(exported.quorum_certificate)
        recent.append(CertifiedHeader(block.header, certificate))
        for raw in block.evidence:
            piece = parse_message(raw)
            if not isinstance(piece, Evidence):
                raise InvalidDataError("a piece of evidence is another message")
            of_height = [one for one in recent if one.header.height == piece.height]
            if not of_height:
                raise InvalidDataError("a piece of evidence is of no height of the copy")
            validators = trust.check_header(of_height[0].header)
            yield Found(block.header.height, Equivocation(piece, of_height[0], validators))


def _held(context: Context, path: Path | None) -> TrustBundle | None:
    """Return the named bundle, or the home folder's if there is one."""
    if path is None and not (context.home / TRUST_FILE).is_file():
        return None
    return parse_trust(read_bounded(path or context.home / TRUST_FILE, TRUST_BYTES_MAX))


def _bundle_of(copy: ChainCopy, path: Path | None) -> TrustBundle:
    if path is not None:
        return parse_trust(read_bounded(path, TRUST_BYTES_MAX))
    return copy.trust() or trust_genesis(copy.genesis, _FOREVER_MS)


def _written(context: Context, folder: Path, accusation: Accusation) -> Path:
    raw = accusation.to_bytes()
    name = hash_with(_NAME, raw)[:6].hex()
    path = folder / f"{accusation.height}-{name}{SUFFIX}"
    if not context.dry_run:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return path


def _row(context: Context, shown: Mapping[str, object]) -> list[str]:
    lines = [context.say("evidence.in_block", height=shown["block"]), *lines_of(context, shown)]
    if "file" in shown:
        lines.append(context.say("evidence.file", file=shown["file"]))
    return lines
