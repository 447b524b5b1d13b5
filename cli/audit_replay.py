"""Replaying a copy of a chain: every signature, link, root, certificate and rule, block by block.

One `Audit` goes through a copy once. It stops at the first difference, and never says that a block
holds before all signatures up to it are verified.

Source: docs/formats.md, section 13; the design's proofs.md, section 5.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cli.audit_checkpoint import Checkpoint
from cli.audit_evidence import EvidenceAuditor, check_sets, last_blocks
from cli.audit_signatures import SignatureQueue
from cli.chain_copies import ChainCopy
from cli.errors import CopyShortError, InvalidInputError
from cli.exit_codes import ExitCode, exit_code_of
from keys.errors import CivregError
from keys.hashing import Digest
from ledger.blocks import Block, parse_block
from ledger.chain import advance, genesis_tip
from ledger.errors import InvalidDataError
from ledger.export import ExportedBlock
from ledger.quorum import QuorumCertificate, parse_quorum_certificate
from ledger.trust import ForkedTrustError, TrustBundle
from registry.errors import ReplayError, ReplaySignatureError
from registry.membership import HEADER_AGE_MAX
from registry.replay import ReplayedBlock, Replayer

_OF_DIFFERENCES: Final = frozenset(
    {
        ExitCode.CHAIN_BROKEN,
        ExitCode.SIGNATURE_BAD,
        ExitCode.STATE_DIFFERS,
        ExitCode.RULE_VIOLATED,
        ExitCode.QUORUM_MISSING,
    }
)


@contextmanager
def few_collections() -> Iterator[None]:
    """Look for garbage in cycles rarely: a replay makes millions of objects and almost no cycles.

    With the interpreter's own thresholds a third of the time goes into walking over rows that stay.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that does not hold.

    Attributes:
        height: Of the block.
        index: Of the entry in it; None if it is about the whole block.
        code: Stable code of the failure.
        rule: What was violated: for an entry the code of its refusal, else `code`.
        expected: What should stand there; empty if that is not one value.
        found: What stands there instead.
        message: One English sentence.
        exit_code: One of 10 ... 14.
    """

    height: int
    index: int | None
    code: str
    rule: str
    expected: str
    found: str
    message: str
    exit_code: ExitCode

    @property
    def place(self) -> tuple[int, float]:
        """Where it is: what is about a whole block stands behind the block's entries."""
        return self.height, float("inf") if self.index is None else self.index


@dataclass(frozen=True, slots=True)
class AuditedBlock:
    """A block that holds, but for signatures that may still be under way.

    Attributes:
        exported: Its bytes.
        replayed: The block, its outcomes and the next validators.
        quorum_certificate: Its certificate, which holds.
    """

    exported: ExportedBlock
    replayed: ReplayedBlock
    quorum_certificate: QuorumCertificate

    @property
    def block(self) -> Block:
        """The block."""
        return self.replayed.block


class Audit:
    """One way through a copy.

    Args:
        copy: The copy.
        trust: What the auditor believes beforehand; None: the copy's own genesis.
        queue: Where signatures are verified.
        checkpoint: Where an earlier audit of this copy stopped.

    Raises:
        InvalidInputError: Trust bundle or checkpoint are of another network, or the checkpoint's
            state is not that of the header at which it stands.
        InvalidDataError: Genesis does not hold.

    Attributes:
        tip: After the last block.
        position: `ExportedBlock.end` of it.
        entries: Replayed so far, those before the checkpoint included.
        difference: The first difference, once there is one.
    """

    def __init__(
        self,
        copy: ChainCopy,
        trust: TrustBundle | None,
        queue: SignatureQueue,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        genesis = copy.genesis
        if trust is not None and trust.network_id != genesis.network_id:
            raise InvalidInputError("the trust bundle is of another network", name="--trust")
        self._copy, self._trust, self._queue = copy, trust, queue
        self.tip = genesis_tip(genesis.charter) if checkpoint is None else checkpoint.tip
        if self.tip.network_id != genesis.network_id:
            raise InvalidInputError("the checkpoint is of another network", name=copy.name)
        self.position = 0 if checkpoint is None else checkpoint.position
        self.entries = 0 if checkpoint is None else checkpoint.entries
        rows = None if checkpoint is None else checkpoint.rows
        headers = {} if checkpoint is None else self._newest_headers()
        self._replayer = Replayer(genesis, rows, queue.verify_later, headers)
        self.difference: Difference | None = None
        self._evidence = (
            EvidenceAuditor(self.tip) if checkpoint is None else self._resumed(checkpoint)
        )

    @property
    def evidence_pieces(self) -> int:
        """How many pieces of evidence this audit has checked in blocks."""
        return self._evidence.pieces

    @property
    def state_root(self) -> Digest:
        """The root of the state after the last block."""
        return self._replayer.state_root

    def blocks(self) -> Iterator[AuditedBlock]:
        """Yield each block that holds; ends with the copy, or with `difference`."""
        exported = self._copy.blocks(self.tip.height, self.position)
        while True:
            try:
                following = next(exported, None)
                if following is None:
                    self._check_whole()
                    break
                audited = self._audit(following)
            except (CopyShortError, InvalidDataError, ReplayError) as error:
                self._stop(difference_of(error, self.tip.height + 1))
                return
            yield audited
            self._queue.collect()
            if self._queue.failure is not None:
                break
        self.settle()

    def settle(self) -> None:
        """Wait for all signatures under way; afterwards `difference` is final."""
        self._stop(None)

    def checkpoint(self) -> Checkpoint:
        """Return where the audit stands.

        Call `settle` first, and look at `difference`: an audit that stopped has no checkpoint.
        """
        assert self.difference is None, "only what holds is worth to go on from"
        sets = self._evidence.sets
        return Checkpoint(self.tip, self.position, self.entries, self._replayer.rows, sets)

    def _audit(self, exported: ExportedBlock) -> AuditedBlock:
        block = parse_block(exported.block)
        certificate = parse_quorum_certificate(exported.quorum_certificate)
        verified = advance(self.tip, block, certificate)
        self._check_trusted(block)
        self._evidence.check(block, self.tip)
        self._queue.begin_block(block.header.height)
        replayed = self._replayer.replay_block(block)
        self.tip = verified.tip(replayed.next_validators)
        self.position = exported.end
        self.entries += len(block.entries)
        return AuditedBlock(exported, replayed, certificate)

    def _check_trusted(self, block: Block) -> None:
        """The headers that the trust bundle names are the copy's."""
        if self._trust is None:
            return
        newest = [self._trust.newest] if self._trust.newest is not None else []
        for known in (*newest, *[change.certified for change in self._trust.changes]):
            header = known.header
            if header.height == block.header.height and header.digest != block.header.digest:
                raise ForkedTrustError(
                    "the trust bundle knows another block of this height",
                    height=header.height,
                    expected=header.digest.hex(),
                    found=block.header.digest.hex(),
                )

    def _check_whole(self) -> None:
        """The copy goes as far as the trust bundle knows that the chain goes."""
        known = 0 if self._trust is None else self._trust.newest_height
        if self.tip.height < known:
            raise CopyShortError(
                f"the trust bundle certifies block {known}, the copy ends with block"
                f" {self.tip.height}: blocks are missing, or it is older than the bundle",
                height=self.tip.height + 1,
                expected=str(known),
                found=str(self.tip.height),
            )

    def _newest_headers(self) -> dict[int, Digest]:
        """Return the digests of the headers up to the checkpoint that entries may name."""
        found: dict[int, Digest] = {}
        for exported in self._copy.blocks():
            if exported.height > self.tip.height:
                break
            if exported.height > self.tip.height - HEADER_AGE_MAX:
                found[exported.height] = parse_block(exported.block).header.digest
        return found

    def _resumed(self, checkpoint: Checkpoint) -> EvidenceAuditor:
        """The checkpoint's state is that of the header it names, and the copy has that header."""
        blocks = last_blocks(self._copy.blocks(), self.tip, self._copy.name)
        if blocks and blocks[-1].header.state_root != self.state_root:
            raise InvalidInputError("the checkpoint is not of this copy", name=self._copy.name)
        check_sets(checkpoint.sets, blocks, self._copy.name)
        return EvidenceAuditor(self.tip, checkpoint.sets, blocks)

    def _stop(self, found: Difference | None) -> None:
        """Keep the first of a difference and of the signatures that do not verify."""
        failure = self._queue.wait()
        if failure is not None:
            place = failure.place
            error = ReplaySignatureError(
                f"block {place.height}, entry {place.entry_index}: a signature is wrong",
                height=place.height,
                index=place.entry_index,
                rule=f"signature as {place.term}",
            )
            other = difference_of(error, place.height)
            if found is None or other.place <= found.place:
                found = other
        if found is not None:
            self.difference = found


def difference_of(error: CivregError, height: int) -> Difference:
    """Return what an error says of the block of a height."""
    details = error.details
    index = details.get("index") if isinstance(error, ReplayError) else None
    code = exit_code_of(error.code)
    return Difference(
        height=height,
        index=index if isinstance(index, int) else None,
        code=error.code,
        rule=str(details.get("rule", error.code)),
        expected=str(details.get("expected", "")),
        found=str(details.get("found", "")),
        message=str(error),
        exit_code=code if code in _OF_DIFFERENCES else ExitCode.CHAIN_BROKEN,
    )
