"""What the blocks mean on this node: build, check, execute and commit, for whatever engine asks.

The state is the committed store and, over it, one overlay for each block executed at the next
height. A block is executed once: `check` and `commit` share what `build` or the first of them
found. `commit` is one synchronous batch of the store; the caller checks a block's certificate.

Refusing a block never depends on a clock, on what this node has in its pool, or on sealed bodies.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from consensus.block_evidence import RecentEvidence, check_evidence
from consensus.parameters import DEFAULT, LAN, Parameters
from keys.errors import BadSignatureError, InvalidKeyError
from keys.hashing import Digest
from ledger import merkle, state_tree
from ledger.blocks import Block, Header, build_block
from ledger.chain import check_block, log_after
from ledger.entries import Entry
from ledger.errors import InvalidBlockError, InvalidDataError
from ledger.outcomes import Outcome, encoded_outcomes_root
from ledger.quorum import QuorumCertificate, print_quorum_certificate
from ledger.state_tree import TreeUpdate
from ledger.store import ChainStore, CommitBatch
from ledger.validators import ValidatorSet
from node.entry_cache import EntryCache
from node.errors import InconsistentError, InvalidProposalError
from registry.apply import (
    BlockContext,
    VerifiedEntry,
    apply,
    resolve_signatures,
    verify_entry,
)
from registry.committee import validator_set_at
from registry.engine import check_engine
from registry.errors import RuleError
from registry.rows import ParameterRow
from registry.state import State
from registry.state_key_names import parameter_key

CONSENSUS_PARAMETER: Final = "consensus"
"""The governed parameter that holds `consensus.parameters.Parameters` as a value."""
EXECUTIONS_MAX: Final = 8
"""Executed blocks of the next height that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What executing the entries of a block gave.

    Attributes:
        outcomes: Parallel to the entries.
        encoded: The outcomes' canonical bytes.
        state: The overlay with all changes; its parent is the committed state.
        tree: The new root and pages.
        next_validators: The set of the next height.
    """

    outcomes: tuple[Outcome, ...]
    encoded: tuple[bytes, ...]
    state: State
    tree: TreeUpdate
    next_validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class Committed:
    """A block that is stored.

    Attributes:
        block: With its entries.
        outcomes: Parallel to the entries.
    """

    block: Block
    outcomes: tuple[Outcome, ...]

    @property
    def height(self) -> int:
        """Of the block."""
        return self.block.header.height


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a proposer brings to a block beside entries.

    Attributes:
        round: For the header.
        proposer: Index in the set.
        time_ms: For the header and for every rule; after the tip's.
        evidence: At most 16 pieces, in order, see `node.evidence_pool`.
    """

    round: int
    proposer: int
    time_ms: int
    evidence: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A block in the making: entries that apply, in order, and what they changed."""

    state: State
    entries: list[Entry]
    outcomes: list[Outcome]


class Application:
    """The chain of this node and its state.

    Args:
        store: Open for writing.
        entries: Parsed and verified entries.
    """

    def __init__(self, store: ChainStore, entries: EntryCache) -> None:
        self._store = store
        self._entries = entries
        self._state = State(store.state_reader())
        self._executions: dict[Digest, tuple[Block, Execution]] = {}
        self._following: tuple[int, ValidatorSet] | None = None
        self.recent_evidence = RecentEvidence(store.height, store.block)
        self.on_committed: list[Callable[[Committed], None]] = []

    @property
    def store(self) -> ChainStore:
        """The chain store, to read from."""
        return self._store

    @property
    def entries(self) -> EntryCache:
        """Parsed and verified entries."""
        return self._entries

    @property
    def network_id(self) -> Digest:
        """The network, 32 bytes."""
        return self._store.genesis.network_id

    @property
    def tip_height(self) -> int:
        """The newest stored height; 0 before the first block."""
        return self._store.tip.height

    @property
    def tip_time_ms(self) -> int:
        """The time of the newest block, or of genesis."""
        return self._store.tip.time_ms

    def state(self) -> State:
        """Return the committed state; fork it to try something."""
        return self._state

    def validators_at(self, height: int) -> ValidatorSet:
        """Return the set of a height; above tip + 2 that of tip + 2, as far as is known."""
        if height == self.tip_height + 1:
            return self._store.tip.validators
        if height > self.tip_height:  # The state after the tip decides two heights, not more.
            if self._following is None or self._following[0] != self.tip_height:
                found = validator_set_at(self._state, self.tip_height + 2)
                self._following = (self.tip_height, found)
            return self._following[1]
        return self._store.validators_at(height)

    def header_digest(self, height: int) -> Digest | None:
        """Return the digest of a stored header; None outside the chain."""
        if not 1 <= height <= self.tip_height:
            return None
        return self._store.header(height).digest

    def parameters_at(self, height: int) -> Parameters:
        """Return the durations of consensus that are in force at a height.

        Raises:
            InvalidDataError: The network has impossible ones, which genesis should have refused.
            EngineVersionError: The network has rules then that this program lacks.
        """
        self.check_engine(height)
        row = self._state.read(parameter_key(CONSENSUS_PARAMETER), ParameterRow)
        found = None
        for value, from_height in () if row is None else row.history:
            if from_height <= height:
                found = value
        if found is not None:
            return Parameters.from_value(found)
        development = self._store.genesis.template.parameters.get("development") is True
        return LAN if development else DEFAULT

    def check_engine(self, height: int) -> None:
        """Refuse to judge a height whose engine version this program lacks.

        Raises:
            EngineVersionError: It does.
        """
        check_engine(self._state, height)

    def begin_draft(self) -> Draft:
        """Return an empty block in the making, for the height after the tip.

        Raises:
            EngineVersionError: This program lacks the rules of that height.
        """
        self.check_engine(self.tip_height + 1)
        return Draft(state=self._state.fork(), entries=[], outcomes=[])

    def try_entry(self, draft: Draft, verified: VerifiedEntry, time_ms: int) -> None:
        """Append an entry to a block in the making.

        Raises:
            RuleError: It does not apply there; the draft is as before.
        """
        context = self._context(len(draft.entries), time_ms)
        draft.outcomes.append(apply(draft.state, verified, context))
        draft.entries.append(verified.entry)

    def finish_draft(self, draft: Draft, turn: Turn) -> Block:
        """Complete a block in the making; its execution is remembered for `check` and `commit`.

        Raises:
            LimitExceededError: It became too large.
        """
        execution = self._finish(draft.state, draft.outcomes)
        header = self._header(execution, draft.entries, turn)
        block = build_block(header, draft.entries, turn.evidence)
        self._remember(block, execution)
        return block

    def check(self, block: Block) -> None:
        """Refuse a block that does not follow our chain or whose roots executing it does not give.

        Raises:
            InvalidProposalError: It must not be voted for; the message says why.
            CorruptStoreError: Our own disk is at fault.
            CorruptStateError: Likewise.
            EngineVersionError: This program lacks the rules of that height.
        """
        try:
            check_block(self._store.tip, block)
            check_evidence(block, self.network_id, self.validators_at, self.recent_evidence)
            self._execution(block)
        except (InvalidBlockError, InvalidDataError, RuleError) as error:
            raise InvalidProposalError(
                f"block {block.header.height} is not valid: {error}", reason=error.code
            ) from error
        except (BadSignatureError, InvalidKeyError) as error:
            raise InvalidProposalError(
                f"block {block.header.height} holds a bad signature", reason=error.code
            ) from error

    def commit(self, block: Block, certificate: QuorumCertificate) -> Committed:
        """Store a decided block with all that it brings, in one synchronous batch.

        Raises:
            InconsistentError: The network decided a block that we find invalid: we stop.
            CorruptStoreError: The disk refuses, or the block does not follow the store.
        """
        try:
            self.check(block)
        except InvalidProposalError as error:
            raise InconsistentError(
                f"the network decided block {block.header.height}, which is invalid here: {error}",
                height=block.header.height,
            ) from error
        execution = self._execution(block)
        self._store.commit(
            CommitBatch(
                block=block,
                quorum_certificate=print_quorum_certificate(certificate),
                outcomes=execution.encoded,
                registration_numbers=[one.registration_number for one in execution.outcomes],
                state=execution.state.changes(),
                pages=execution.tree.pages,
                next_validators=execution.next_validators,
            )
        )
        self._state.absorb(execution.state)
        self._state.settle()
        self._following = None
        self._executions.clear()
        self.recent_evidence.committed(block)
        committed = Committed(block, execution.outcomes)
        for tell in self.on_committed:
            tell(committed)
        return committed

    def _execution(self, block: Block) -> Execution:
        known = self._executions.get(block.header.digest)
        if known is not None:
            return known[1]
        self.check_engine(block.header.height)
        state = self._state.fork()
        outcomes = list(self._apply_all(state, block))
        execution = self._finish(state, outcomes)
        header = block.header
        if header.outcomes_root != encoded_outcomes_root(execution.encoded):
            raise InvalidBlockError("executing the block gives other outcomes")
        if header.state_root != execution.tree.root:
            raise InvalidBlockError("executing the block gives another state")
        if header.next_validators != execution.next_validators.digest:
            raise InvalidBlockError("executing the block gives another next validator set")
        self._remember(block, execution)
        return execution

    def _apply_all(self, state: State, block: Block) -> Iterator[Outcome]:
        for index, entry in enumerate(block.entries):
            verified = self.verified(state, entry)
            yield apply(state, verified, self._context(index, block.header.time_ms))

    def verified(self, state: State, entry: Entry) -> VerifiedEntry:
        """Return an entry with its signatures verified, now or earlier.

        Raises:
            RuleError: A signer's key is unknown, or a signature does not verify.
            BadSignatureError: Likewise.
        """
        known = self._entries.verified(entry)
        if known is None:
            known = verify_entry(entry, resolve_signatures(state, entry))
            self._entries.remember(known)
        return known

    def _finish(self, state: State, outcomes: Sequence[Outcome]) -> Execution:
        changes = cast("Mapping[bytes, bytes | None]", state.tree_changes())
        return Execution(
            outcomes=tuple(outcomes),
            encoded=tuple([outcome.to_bytes() for outcome in outcomes]),
            state=state,
            tree=state_tree.update(self._store.page_reader(), changes),
            next_validators=validator_set_at(state, self.tip_height + 2),
        )

    def _header(self, execution: Execution, entries: Sequence[Entry], turn: Turn) -> Header:
        tip = self._store.tip
        log = log_after(tip, entries)
        return Header(
            network_id=tip.network_id,
            height=tip.height + 1,
            round=turn.round,
            time_ms=turn.time_ms,
            parent=tip.parent,
            headers_root=tip.headers.root(),
            entries_root=merkle.EMPTY_ROOT,
            entries_count=len(entries),
            outcomes_root=encoded_outcomes_root(execution.encoded),
            log_size=log.size,
            log_root=log.root(),
            state_root=execution.tree.root,
            validators=tip.validators.digest,
            next_validators=execution.next_validators.digest,
            proposer=turn.proposer,
            evidence_root=merkle.EMPTY_ROOT,
        )

    def _context(self, index: int, time_ms: int) -> BlockContext:
        return BlockContext(
            height=self.tip_height + 1,
            index=index,
            time_ms=time_ms,
            network_id=self.network_id,
            header_digest=self.header_digest,
        )

    def _remember(self, block: Block, execution: Execution) -> None:
        self._executions[block.header.digest] = (block, execution)
        while len(self._executions) > EXECUTIONS_MAX:
            del self._executions[next(iter(self._executions))]

    def certified_block(self, height: int) -> tuple[bytes, bytes] | None:
        """Return block and quorum certificate of a stored height as bytes, or None.

        Raises:
            HistoryMissingError: It is older than what is here.
        """
        if not 1 <= height <= self.tip_height:
            return None
        return self._store.block_raw(height), self._store.quorum_certificate_raw(height)

    def close(self) -> None:
        """Close the store."""
        self._store.close()
