"""`civreg audit`: check a copy of the chain without node, private key or trust in the agencies."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final

import click

from cli.audit_checkpoint import read_checkpoint, write_checkpoint
from cli.audit_replay import Audit, few_collections
from cli.audit_report import difference_lines, write_report
from cli.audit_samples import SAMPLE_BLOCKS, Opinion, Sampler, second_opinions
from cli.audit_signatures import SignatureQueue
from cli.chain_copies import ChainCopy, open_copy
from cli.commands import Group
from cli.errors import CancelledError, InvalidInputError, NotFoundError
from cli.exit_codes import ExitCode
from cli.output import Context, accepted, progress, suggested
from cli.verify import read_bounded
from keys.hashing import DIGEST_BYTES
from ledger.export import TRUST_FILE, ExportedBlock
from ledger.receipts import build_receipt, print_receipt
from ledger.trust import TRUST_BYTES_MAX, TrustBundle, parse_trust, trust_genesis

CHECKPOINT_EVERY_SECONDS: Final = 60.0
_COPY: Final = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_FOREVER_MS: Final = 2**63 - 1


@click.group(cls=Group)
def audit() -> None:
    """Check a copy of the chain without any node.

    COPY is an export, the home of a stopped node, or its data folder.

    \b
    Example:
        civreg audit replay export
    """


@audit.command()
@click.argument("copy", type=_COPY)
@click.option("--trust", type=_FILE, help="Trust bundle; by default the one in the copy.")
@click.option("--resume", type=_FILE, help="Checkpoint file: begin there if it exists, keep it up.")
@click.option("--second-opinion", is_flag=True, help="Ask the second verifier about a sample.")
@click.option("--report", type=_FILE, help="Write the result to a .json or .md file.")
@click.option("--jobs", type=click.IntRange(0, 256), help="Processes that verify signatures.")
@click.pass_obj
def replay(  # noqa: PLR0913 - one parameter for each option
    context: Context,
    copy: Path,
    trust: Path | None,
    resume: Path | None,
    report: Path | None,
    jobs: int | None,
    *,
    second_opinion: bool,
) -> int:
    """Apply every entry again; check each signature, link, root, certificate and rule.

    Stops at the first difference, names it, and exits with the status of its kind: 10 the chain,
    11 a signature, 12 the state, 13 a rule, 14 the quorum. Ctrl-C keeps the checkpoint.

    \b
    Example:
        civreg audit replay export --trust trust.civreg --report audit.md
        civreg audit replay node-0 --resume audit.checkpoint --second-opinion
    """
    with open_copy(copy) as opened:
        bundle = _trust_of(opened, trust)
        workers = _jobs(jobs)
        sampler = Sampler() if second_opinion else None
        started, used = time.monotonic(), time.process_time()
        with SignatureQueue(workers) as queue:
            checkpoint = read_checkpoint(resume) if resume and resume.exists() else None
            running = Audit(opened, bundle, queue, checkpoint)
            before = running.entries
            with few_collections():
                _run(context, opened, running, resume, sampler)
        result = _result(running, opened, bundle)
        result["believed"] = _believed(trust, bundle)
        result["from_height"] = 1 if checkpoint is None else checkpoint.tip.height + 1
        result["seconds"] = round(time.monotonic() - started, 3)
        result["replayed"] = running.entries - before
        result["own_processor_seconds"] = round(time.process_time() - used, 3)
    opinions = [] if sampler is None else second_opinions(_known(opened, bundle), sampler.kept)
    status = _judge(result, running, opinions)
    if report is not None:
        write_report(report, result, context)
    accepted(result, context, lines=_lines(context, result, report))
    return int(status)


@audit.command()
@click.argument("first", type=_COPY)
@click.argument("second", type=_COPY)
@click.pass_obj
def compare(context: Context, first: Path, second: Path) -> int:
    """Find the first height at which two copies have different blocks.

    Certificates may differ: any two thirds of the agencies can make one. Exits with 10 if the
    copies differ; one that is only shorter does not.

    \b
    Example:
        civreg audit compare export-a export-b
    """
    with open_copy(first) as one, open_copy(second) as other:
        ours, theirs = one.blocks(), other.blocks()
        height = 0
        longer: str | None = None
        further = 0
        while True:
            left, right = next(ours, None), next(theirs, None)
            if left is None or right is None:
                if left is not None:
                    longer, further = one.name, _last_height(left, ours)
                elif right is not None:
                    longer, further = other.name, _last_height(right, theirs)
                break
            if left.block != right.block:
                result = {"same": False, "height": left.height}
                accepted(result, context, lines=context.say("audit.differ", height=left.height))
                return int(ExitCode.CHAIN_BROKEN)
            height = left.height
        shown = {"same": True, "height": height, "longer": longer}
        lines = [context.say("audit.same", height=height)]
        if longer is not None:
            lines.append(context.say("audit.longer", name=longer, height=further))
        accepted(shown, context, lines=lines)
    return int(ExitCode.OK)


def _last_height(block: ExportedBlock, following: Iterator[ExportedBlock]) -> int:
    """Return the height of the last of some blocks."""
    return max((later.height for later in following), default=block.height)


@audit.command()
@click.argument("copy", type=_COPY)
@click.option("--trust", type=_FILE, help="Trust bundle; by default the one in the copy.")
@click.option("--seed", type=int, default=0, help="The same seed draws the same blocks.")
@click.option("--size", type=click.IntRange(1, 10_000), default=SAMPLE_BLOCKS, help="How many.")
@click.pass_obj
def sample(context: Context, copy: Path, trust: Path | None, seed: int, size: int) -> int:
    """Draw blocks by chance and let the second verifier judge each: roots, links, certificate.

    \b
    Example:
        civreg audit sample export --seed 7 --size 50
    """
    with open_copy(copy) as opened:
        sampler = Sampler(size, seed)
        for exported in opened.blocks():
            sampler.see(exported)
        bundle = _known(opened, _trust_of(opened, trust))
        worst = ExitCode.OK
        for opinion in second_opinions(bundle, sampler.kept):
            shown = {"height": opinion.height, "word": opinion.word, "failures": opinion.failures}
            line = context.say("audit.sampled", height=opinion.height, word=opinion.word)
            accepted(shown, context, lines=line)
            if opinion.exit_code is not ExitCode.OK and worst is not ExitCode.CHAIN_BROKEN:
                worst = opinion.exit_code
    return int(worst)


@audit.command()
@click.argument("copy", type=_COPY)
@click.argument("entry")
@click.option("--out", type=_FILE, required=True, help="Where to write the receipt.")
@click.pass_obj
def prove(context: Context, copy: Path, entry: str, out: Path) -> None:
    """Make the receipt of an entry out of a copy, by its digest or its registration number.

    \b
    Example:
        civreg audit prove export birth/1/2026 --out birth.receipt
    """
    digest = _digest_of(entry)
    with open_copy(copy) as opened, SignatureQueue() as queue:
        running = Audit(opened, opened.trust(), queue)
        for audited in running.blocks():
            outcomes = audited.replayed.outcomes
            for index, outcome in enumerate(outcomes):
                if entry == outcome.registration_number or digest == outcome.entry_digest:
                    encoded = [one.to_bytes() for one in outcomes]
                    certificate = audited.quorum_certificate
                    receipt = build_receipt(audited.block, encoded, index, certificate)
                    out.write_bytes(print_receipt(receipt))
                    place = {"height": audited.exported.height, "index": index}
                    shown = {**place, "entry": outcome.entry_digest, "receipt": str(out)}
                    following = suggested("verify", out)
                    said = context.say("audit.proved", **place, path=out)
                    accepted(shown, context, lines=said, next_command=following)
                    return
        if running.difference is not None:
            raise InvalidInputError(running.difference.message, name=str(copy))
    raise NotFoundError("the copy has no such entry", name=entry)


def _digest_of(entry: str) -> bytes:
    try:
        digest = bytes.fromhex(entry)
    except ValueError:
        return b""
    return digest if len(digest) == DIGEST_BYTES else b""


def _jobs(jobs: int | None) -> int:
    """Return how many processes verify signatures; with a single core there is none but ours."""
    if jobs is not None:
        return jobs
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return 0 if (cores or 1) == 1 else min(cores or 1, 64)


def _trust_of(copy: ChainCopy, path: Path | None) -> TrustBundle | None:
    return copy.trust() if path is None else parse_trust(read_bounded(path, TRUST_BYTES_MAX))


def _known(copy: ChainCopy, trust: TrustBundle | None) -> TrustBundle:
    """Return the bundle, or the one that genesis alone makes."""
    return trust_genesis(copy.genesis, _FOREVER_MS) if trust is None else trust


def _run(
    context: Context, copy: ChainCopy, audit: Audit, resume: Path | None, sampler: Sampler | None
) -> None:
    """Go through the copy, showing progress and keeping the checkpoint file up.

    Raises:
        CancelledError: Ctrl-C was pressed; the checkpoint is kept.
    """
    kept_at = time.monotonic()
    label = context.say("audit.replaying")
    with _interrupts() as interrupted, progress(label, copy.size(), context) as advance:
        at = audit.position
        advance(at)
        for audited in audit.blocks():
            if sampler is not None:
                sampler.see(audited.exported)
            advance(audited.exported.end - at)
            at = audited.exported.end
            late = time.monotonic() - kept_at > CHECKPOINT_EVERY_SECONDS
            if resume is not None and (late or interrupted):
                audit.settle()
                if audit.difference is not None:
                    return
                write_checkpoint(resume, audit.checkpoint())
                kept_at = time.monotonic()
            if interrupted:
                raise CancelledError(f"stopped after block {audit.tip.height}")
    if resume is not None and audit.difference is None:
        write_checkpoint(resume, audit.checkpoint())


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Yield a list that is no longer empty once Ctrl-C was pressed; a block is never cut in two."""
    pressed: list[int] = []

    def press(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _result(audit: Audit, copy: ChainCopy, trust: TrustBundle | None) -> dict[str, object]:
    return {
        "holds": audit.difference is None,
        "exit": 0,
        "copy": copy.name,
        "network": copy.genesis.network_id.hex(),
        "trust_fingerprint": _known(copy, trust).fingerprint,
        "height": audit.tip.height,
        "entries": audit.entries,
        "evidence": audit.evidence_pieces,
        "state_root": audit.state_root.hex(),
        "log_root": audit.tip.log.root().hex(),
    }


def _believed(path: Path | None, bundle: TrustBundle | None) -> str:
    """Say where what is believed comes from: the auditor's file, the copy's, its genesis alone."""
    if path is not None:
        return str(path)
    return "genesis" if bundle is None else TRUST_FILE


def _judge(result: dict[str, object], audit: Audit, opinions: list[Opinion]) -> ExitCode:
    """Add difference and second opinions to the result, and return the exit status."""
    status = ExitCode.OK
    if audit.difference is not None:
        shown = asdict(audit.difference)
        status = audit.difference.exit_code
        result["difference"] = {**shown, "exit_code": int(status)}
    elif opinions:
        result["second_opinions"] = sum(one.exit_code is ExitCode.OK for one in opinions)
        result["second_opinion_unknown"] = [
            one.height for one in opinions if one.exit_code is ExitCode.CANNOT_CHECK
        ]
        other = [one for one in opinions if one.exit_code is ExitCode.CHAIN_BROKEN]
        if other:
            status = ExitCode.CHAIN_BROKEN
            result["difference"] = {
                "height": other[0].height,
                "index": None,
                "rule": "second opinion",
                "expected": "GENUINE",
                "found": other[0].word,
                "message": "; ".join(f"{name}: {why}" for name, why in other[0].failures),
            }
    result["holds"] = status is ExitCode.OK
    result["exit"] = int(status)
    return status


def _lines(context: Context, result: dict[str, object], report: Path | None) -> list[str]:
    difference = result.get("difference")
    if isinstance(difference, dict):
        lines = difference_lines(context, difference)
    else:
        lines = [
            context.say("audit.genuine", entries=result["entries"], height=result["height"]),
            context.say("audit.state_root", root=result["state_root"]),
            *_basis_lines(context, result),
        ]
        if result["evidence"]:
            lines.append(context.say("evidence.audited", count=result["evidence"]))
        if "second_opinions" in result:
            lines.append(context.say("audit.second", count=result["second_opinions"]))
    seconds, replayed = float(str(result["seconds"])), int(str(result["replayed"]))
    rate = f"{replayed / seconds if seconds else 0:,.0f}"
    lines.append(context.say("audit.rate", entries=replayed, rate=rate, seconds=f"{seconds:.1f}"))
    if report is not None:
        lines.append(context.say("audit.report", path=report))
    return lines


def _basis_lines(context: Context, result: dict[str, object]) -> list[str]:
    """Say of which network, what was believed beforehand, and what was not looked at."""
    source = {"genesis": "audit.believed_genesis", TRUST_FILE: "audit.believed_copy"}
    key = source.get(str(result["believed"]), "audit.believed_file")
    lines = [context.say("audit.network", network=result["network"]), context.say(key, **result)]
    if result["from_height"] != 1:
        lines.append(context.say("audit.resumed", height=result["from_height"]))
    return lines
