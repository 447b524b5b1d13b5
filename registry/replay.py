"""Replay: apply every entry of a chain again and compare what the headers say.

Needs the genesis document and blocks that `ledger.chain.walk` has verified; no key, no node. The
first difference stops with height, index, rule, and what was expected and found.

Source: the design's architecture.md, promises 5 to 7.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keys.hashing import Digest
from ledger import state_tree
from ledger.blocks import Block
from ledger.chain import VerifiedBlock
from ledger.entries import Entry
from ledger.genesis import Genesis
from ledger.outcomes import Outcome, outcomes_root
from ledger.state_keys import key_bytes_hash, stored_value_hash
from ledger.validators import ValidatorSet
from registry.apply import (
    SignatureCheck,
    VerifiedEntry,
    apply,
    resolve_signatures,
    verify_entry,
)
from registry.authority_errors import SignatureWrongError
from registry.committee import validator_set_at
from registry.content_errors import TagUnsignedError
from registry.engine import check_engine
from registry.errors import (
    OutcomesDifferError,
    ReplaySignatureError,
    RuleError,
    RuleViolatedError,
    StateDiffersError,
)
from registry.genesis_state import initial_state
from registry.membership import HEADER_AGE_MAX
from registry.running import BlockContext
from registry.state import State

Verify = Callable[[Entry, Sequence[SignatureCheck]], VerifiedEntry]
"""Verifies an entry's signatures; an auditor hands in one that does it elsewhere, and waits."""


@dataclass(frozen=True, slots=True)
class ReplayedBlock:
    """A block whose entries gave what its header says.

    Attributes:
        block: The block.
        outcomes: One for each entry.
        next_validators: The set of the next height.
    """

    block: Block
    outcomes: tuple[Outcome, ...]
    next_validators: ValidatorSet


class Replayer:
    """The state of a chain that is replayed block by block, in memory.

    Args:
        genesis: The genesis document.
        rows: Begin with these rows instead, `rows` of another replayer; the caller compares
            `state_root` with a header that it believes.
        verify: How signatures are verified.
        headers: With `rows`: the digests of the newest 100 headers by height.
    """

    def __init__(
        self,
        genesis: Genesis,
        rows: Mapping[bytes, bytes] | None = None,
        verify: Verify = verify_entry,
        headers: Mapping[int, Digest] | None = None,
    ) -> None:
        self._stored: dict[bytes, bytes] = {}
        self._pages: dict[bytes, bytes] = {}
        self._network_id = genesis.network_id
        self._verify = verify
        self._headers = dict(headers or {})
        self._state = State(self._stored.get)
        self._root = self._store(initial_state(genesis)) if rows is None else self._restore(rows)

    @property
    def rows(self) -> Mapping[bytes, bytes]:
        """All rows of the state: key bytes to stored bytes."""
        return self._stored

    @property
    def state(self) -> State:
        """The state after the last block."""
        return self._state

    @property
    def state_root(self) -> Digest:
        """Its root."""
        return self._root

    def replay_block(
        self, block: Block, verified: Sequence[VerifiedEntry] | None = None
    ) -> ReplayedBlock:
        """Apply the entries of the next block and compare with its header.

        Args:
            block: Whose header is known to follow the chain.
            verified: Its entries, if their signatures were verified before; else they are now.

        Raises:
            RuleViolatedError: An entry is refused.
            ReplaySignatureError: A signature is wrong.
            OutcomesDifferError: The outcomes give another root.
            StateDiffersError: The state after the block has another root.
            EngineVersionError: This program lacks the rules of that height.
        """
        header = block.header
        check_engine(self._state, header.height)
        fork = self._state.fork()
        outcomes: list[Outcome] = []
        for index, entry in enumerate(block.entries):
            place = (header.height, index, header.time_ms, self._network_id)
            context = BlockContext(*place, self._headers.get)
            given = None if verified is None else verified[index]
            outcomes.append(_apply_one(fork, entry, given, context, self._verify))
        found = outcomes_root(outcomes)
        if found != header.outcomes_root:
            raise OutcomesDifferError(
                f"the outcomes of block {header.height} differ from its header",
                height=header.height,
                expected=header.outcomes_root.hex(),
                found=found.hex(),
            )
        self._state.absorb(fork)
        root = self._store(self._state)
        if root != header.state_root:
            raise StateDiffersError(
                f"the state after block {header.height} differs from its header",
                height=header.height,
                expected=header.state_root.hex(),
                found=root.hex(),
            )
        self._root = root
        self._headers[header.height] = header.digest
        self._headers.pop(header.height - HEADER_AGE_MAX - 1, None)
        return ReplayedBlock(
            block, tuple(outcomes), validator_set_at(self._state, header.height + 1)
        )

    def _restore(self, rows: Mapping[bytes, bytes]) -> Digest:
        """Take over rows, and return their root."""
        self._stored.update(rows)
        hashes: dict[bytes, bytes | None] = {
            key_bytes_hash(key): stored_value_hash(stored) for key, stored in rows.items()
        }
        update = state_tree.update(self._pages.get, hashes)
        _write(self._pages, update.pages)
        return update.root

    def _store(self, state: State) -> Digest:
        """Keep the changes of a state, and return the root after them."""
        hashes = {bytes(key): value for key, value in state.tree_changes().items()}
        update = state_tree.update(self._pages.get, hashes)
        _write(self._pages, update.pages)
        _write(self._stored, state.changes())
        state.settle()
        return update.root


def replay(blocks: Iterable[VerifiedBlock], genesis: Genesis) -> Iterator[ReplayedBlock]:
    """Replay a verified chain from its first block on; yield each block that holds.

    Args:
        blocks: From `ledger.chain.walk`, ascending from height 1.
        genesis: The genesis document.

    Raises:
        ReplayError: The first difference; its subclass says of which kind.
    """
    replayer = Replayer(genesis)
    for walked in blocks:
        yield replayer.replay_block(walked.block)


def _apply_one(
    state: State,
    entry: Entry,
    verified: VerifiedEntry | None,
    context: BlockContext,
    verify: Verify,
) -> Outcome:
    try:
        if verified is None:
            verified = verify(entry, resolve_signatures(state, entry))
        return apply(state, verified, context)
    except (SignatureWrongError, TagUnsignedError) as error:
        raise ReplaySignatureError(
            f"block {context.height}, entry {context.index}: {error}",
            height=context.height,
            index=context.index,
            rule=error.code,
        ) from error
    except RuleError as error:
        raise RuleViolatedError(
            f"block {context.height}, entry {context.index}: {error}",
            height=context.height,
            index=context.index,
            rule=error.code,
        ) from error


def _write(target: dict[bytes, bytes], changes: dict[bytes, bytes | None]) -> None:
    for key, value in changes.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = value
