"""Proofs out of the chain store: receipts, log inclusion and consistency, state at a height, trust.

What is proved at once must fit together: where another thread may commit meanwhile, hand in
`store.view()`.

Source: docs/formats.md, sections 9, 11 and 12.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from keys.hashing import Digest
from ledger import merkle, state_tree
from ledger import store_layout as layout
from ledger.blocks import Header
from ledger.errors import InvalidProofError
from ledger.receipt_form import Anchor, Receipt, assemble_receipt
from ledger.state_keys import StateKey, key_bytes, key_bytes_hash
from ledger.state_pages import page_key
from ledger.state_tree import StateProof
from ledger.store import ChainStore
from ledger.trust import (
    OLD_HEADER_MS,
    CertifiedHeader,
    TrustBundle,
    ValidatorChange,
    grow_trust,
    trust_genesis,
)

PAGE_DEPTHS: Final = 64
"""Pages on the longest way to a key: one for each hexadecimal digit of its hash."""


class NoSuchEntryError(InvalidProofError):
    """The chain has no entry with this digest."""

    code = "ledger.no_such_entry"


class TooOldStateError(InvalidProofError):
    """The state of this height can no longer be proved, or not yet."""

    code = "ledger.state_height_not_kept"


@dataclass(frozen=True, slots=True)
class ProvedState:
    """A state value at a height with its proof; or the proof that there is none.

    Attributes:
        height: The state after this block.
        stored: canonical([blind, value]), or None where the key is absent.
        proof: Against the `state_root` of that height.
    """

    height: int
    stored: bytes | None
    proof: StateProof


def certified_header(store: ChainStore, height: int) -> CertifiedHeader:
    """Return header and quorum certificate of a height.

    Raises:
        CorruptStoreError: They are not there.
    """
    return CertifiedHeader(store.header(height), store.quorum_certificate(height))


def receipt(store: ChainStore, entry_digest: bytes) -> Receipt:
    """Return the receipt of an entry; an old one gets an anchor in the newest header.

    Raises:
        NoSuchEntryError: The chain does not have it.
        CorruptStoreError: Something that must be there is not.
    """
    place = store.locate(entry_digest)
    if place is None:
        raise NoSuchEntryError("the chain has no entry with this digest")
    height, index = place
    certified = certified_header(store, height)
    header = certified.header
    first = header.log_size - header.entries_count
    leaves = [store.log_node(0, first + at) for at in range(header.entries_count)]
    plain = assemble_receipt(
        store.entry(height, index),
        index,
        merkle.inclusion_path(leaves, index),
        store.outcomes(height),
        certified,
    )
    return anchored(store, plain)


def anchored(store: ChainStore, plain: Receipt) -> Receipt:
    """Return a receipt with an anchor in the newest header if it is 180 days older, else as it is.

    Raises:
        CorruptStoreError: Something that must be there is not.
    """
    newest = store.tip_header()
    if newest is None or plain.header.time_ms >= newest.time_ms - OLD_HEADER_MS:
        return replace(plain, anchor=None)
    path = merkle.inclusion_path_from(store.header_node, plain.header.height - 1, newest.height - 1)
    certified = CertifiedHeader(newest, store.quorum_certificate(newest.height))
    return replace(plain, anchor=Anchor(path=path, certified=certified))


def log_inclusion(store: ChainStore, index: int, size: int) -> tuple[Digest, ...]:
    """Return the path of a log leaf in the log of a size, lowest hash first.

    Args:
        store: The chain.
        index: Of the leaf, from 0.
        size: `index + 1 ... log size`.

    Raises:
        InvalidProofError: The log has no such leaf, or is not as long.
    """
    _check_size(store, size)
    return merkle.inclusion_path_from(store.log_node, index, size)


def log_consistency(store: ChainStore, size1: int, size2: int) -> tuple[Digest, ...]:
    """Return the path that shows that the log of one size grew from that of another.

    Args:
        store: The chain.
        size1: `0 ... size2`.
        size2: At most the log's size.

    Raises:
        InvalidProofError: The log is not as long.
    """
    _check_size(store, size2)
    return merkle.consistency_path_from(store.log_node, size1, size2)


def prove_state(store: ChainStore, key: StateKey, height: int | None = None) -> ProvedState:
    """Return the value of a state key after a block, and the proof against that block's state root.

    The further back the height, the more undo rows are read: one for each block since.

    Args:
        store: The chain, or a view of it.
        key: Any state key.
        height: One of the newest 1,000, or None for the newest.

    Raises:
        TooOldStateError: Another height.
        CorruptStoreError: A page is damaged or missing.
    """
    at = store.height if height is None else height
    oldest = max(store.began.state_height, store.height - layout.UNDO_HEIGHTS)
    if not oldest <= at <= store.height:
        raise TooOldStateError(
            f"the state of height {at} is not kept; the newest height is {store.height}",
            height=at,
            newest_height=store.height,
        )
    encoded = key_bytes(key)
    hash_of_key = key_bytes_hash(encoded)
    pages = [layout.PAGE + page_key(depth, hash_of_key) for depth in range(PAGE_DEPTHS)]
    before = _rows_after(store, at, frozenset([layout.STATE + encoded, *pages]))
    current = store.page_reader()

    def read_page(page: bytes) -> bytes | None:
        row = layout.PAGE + page
        return before[row] if row in before else current(page)

    row = layout.STATE + encoded
    stored = before[row] if row in before else store.state(encoded)
    return ProvedState(at, stored, state_tree.prove(read_page, hash_of_key))


def trust_bundle(
    store: ChainStore, valid_until_ms: int, held: TrustBundle | None = None
) -> TrustBundle:
    """Return the trust bundle up to the newest header.

    Args:
        store: The chain.
        valid_until_ms: Chosen by whoever hands it out.
        held: What was returned for a lower height of the same store: what it has is not verified
            again.

    Raises:
        CorruptStoreError: Something that must be there is not.
        InvalidDataError: The chain of validator sets does not hold.
    """
    if held is None:
        held = trust_genesis(store.genesis, valid_until_ms)
    above = held.changes[-1].certified.header.height if held.changes else 0
    changes = [
        ValidatorChange(certified_header(store, height), validators)
        for height, validators in store.validator_changes(above)
        if height <= store.height
    ]
    newest = certified_header(store, store.height) if store.height else None
    return grow_trust(held, changes, newest, valid_until_ms)


def headers(store: ChainStore, first: int, last: int) -> Iterator[Header]:
    """Yield the headers of the heights `first ... last`, as far as there are any."""
    for height in range(max(first, 1), min(last, store.height) + 1):
        yield store.header(height)


def _rows_after(
    store: ChainStore, height: int, wanted: frozenset[bytes]
) -> dict[bytes, bytes | None]:
    """Return what wanted rows held after the block of a height, where they changed since."""
    found: dict[bytes, bytes | None] = {}
    undone = (layout.parse_undo(store.undo(later)) for later in range(height + 1, store.height + 1))
    for row, value in chain.from_iterable(undone):
        if row in wanted and row not in found:
            found[row] = value
    return found


def _check_size(store: ChainStore, size: int) -> None:
    if size > store.tip.log.size:
        raise InvalidProofError(f"the log has {store.tip.log.size} leaves, not {size}")
