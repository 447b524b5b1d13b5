"""Snapshots of the state: a manifest, and chunks that it lists by their digests.

    manifest = canonical([1, "snapshot", content bin, trust bin, [quorum_certificate bin ...]])
    content  = canonical([1, "snapshot-content", network_id bin 32, height, first, headers, log,
                          rows, [[kind, digest bin 32, bytes, items] ...]])
    chunk    = canonical([[key bin, stored bin] ...])             kind 1: rows of the state
             | canonical([[block bin, [outcome bin ...]] ...])    kind 2: blocks first ... height

`trust` is a trust bundle whose newest header is that of `height`: its `state_root` is what all rows
of the state must lead to. `first` is the lowest block that goes along, at most 100 below: the rules
of evidence and of new validators look back so far. `headers` and `log` are the frontiers before
that block, the certificates those of `first ... height - 1`.

The content depends on the chain alone, so honest nodes have the same one and give each other's
chunks; its digest is the snapshot's id. Trust and certificates are each node's own. Nothing in a
manifest is believed because somebody sent it: `check_manifest` verifies it from genesis on, and
`ledger.snapshot_restore` every byte that it lists.

Source: docs/formats.md, section 17.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from keys.hashing import Digest, domain, hash_with
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError, InvalidSnapshotError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bytes_up_to,
    read_digest,
    read_int,
    read_version,
)
from ledger.limits import BLOCK_BYTES_MAX, BLOCK_ENTRIES_MAX, check_limit
from ledger.merkle import Frontier
from ledger.outcomes import OUTCOME_BYTES_MAX
from ledger.quorum import QUORUM_CERTIFICATE_BYTES_MAX, parse_quorum_certificate
from ledger.state_keys import STATE_KEY_BYTES_MAX, STATE_VALUE_BYTES_MAX
from ledger.trust import TRUST_BYTES_MAX, TrustBundle, parse_trust

TAIL_BLOCKS: Final = 100
"""Blocks that go along with the state, the newest among them."""
CHUNK_BYTES: Final = 1024 * 1024
"""Bytes at which a chunk ends; the last row or block may lie over it."""
CHUNK_BYTES_MAX: Final = 16 * 1024 * 1024
CHUNKS_MAX: Final = 65_536
CONTENT_BYTES_MAX: Final = CHUNKS_MAX * 64 + 8_192
MANIFEST_BYTES_MAX: Final = TRUST_BYTES_MAX + CONTENT_BYTES_MAX + TAIL_BLOCKS * 32 * 1024
ITEMS_MAX: Final = CHUNK_BYTES_MAX // 4
STORED_BYTES_MAX: Final = STATE_VALUE_BYTES_MAX + 64

_VERSION: Final = 1
_SNAPSHOT: Final = domain("snapshot")
_CHUNK: Final = domain("snapshot-chunk")

Row: TypeAlias = tuple[bytes, bytes]
"""State key and stored value."""
TailBlock: TypeAlias = tuple[bytes, tuple[bytes, ...]]
"""A block and its encoded outcomes."""


class SnapshotNetworkError(InvalidSnapshotError):
    """The snapshot is of another network."""

    code = "ledger.snapshot_wrong_network"


class SnapshotManifestError(InvalidSnapshotError):
    """The manifest contradicts itself, or the certified header that it rests on."""

    code = "ledger.snapshot_wrong_manifest"


class SnapshotChunkError(InvalidSnapshotError):
    """A chunk is missing, or not the one that the manifest lists; details: digest."""

    code = "ledger.snapshot_wrong_chunk"


class SnapshotStateError(InvalidSnapshotError):
    """All chunks are those of the manifest, and lead to another state than the certified one."""

    code = "ledger.snapshot_wrong_state"


class SnapshotNothingError(InvalidSnapshotError):
    """The chain has no block yet."""

    code = "ledger.snapshot_nothing_yet"


class ChunkKind(IntEnum):
    """What a chunk holds."""

    STATE = 1
    BLOCKS = 2


@dataclass(frozen=True, slots=True)
class ChunkInfo:
    """A line of the manifest: what a chunk is, `H(snapshot-chunk, chunk)`, and how large."""

    kind: ChunkKind
    digest: Digest
    size: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a snapshot consists of; the same on every honest node.

    Attributes:
        network_id: The network.
        height: The state is that after this block.
        first: The lowest block that goes along.
        headers: Frontier over the headers before `first`.
        log: Frontier over the log leaves before `first`.
        rows: Rows of the state.
        chunks: State first, in the order of the keys, then blocks, ascending.
    """

    network_id: Digest
    height: int
    first: int
    headers: Frontier
    log: Frontier
    rows: int
    chunks: tuple[ChunkInfo, ...]

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        chunks = tuple([(int(one.kind), one.digest, one.size, one.items) for one in self.chunks])
        return encode(
            (
                *(_VERSION, "snapshot-content", self.network_id, self.height, self.first),
                *(self.headers.to_value(), self.log.to_value(), self.rows, chunks),
            )
        )

    @property
    def snapshot_id(self) -> Digest:
        """What names the snapshot, 32 bytes."""
        return snapshot_id_of(self.to_bytes())


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest; believe it only after `check_manifest`.

    Attributes:
        content: What there is.
        trust: From genesis to the header of `content.height`, verified.
        certificates: Of the blocks `first ... height - 1`, as bytes.
    """

    content: Content
    trust: TrustBundle
    certificates: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        content, trust = self.content.to_bytes(), self.trust.to_bytes()
        return encode((_VERSION, "snapshot", content, trust, self.certificates))


def snapshot_id_of(content_raw: bytes) -> Digest:
    """Return the id of a snapshot by the bytes of its content."""
    return hash_with(_SNAPSHOT, content_raw)


def chunk_digest(chunk: bytes) -> Digest:
    """Return what a manifest lists a chunk by."""
    return hash_with(_CHUNK, chunk)


def first_of(height: int) -> int:
    """Return the lowest block that goes along with the state of a height."""
    return max(1, height - TAIL_BLOCKS + 1)


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest; its trust bundle is verified from its own genesis on, nothing else is.

    Raises:
        SnapshotManifestError: Another shape, or a value out of its bounds.
        InvalidDataError: The trust bundle does not hold.
    """
    try:
        fields = read_array(decode(raw, MANIFEST_BYTES_MAX, limit="manifest bytes"), "manifest", 5)
        read_version(fields[0], "manifest.version", _VERSION)
        if fields[1] != "snapshot":
            raise SnapshotManifestError("not the manifest of a snapshot")
        content = _parse_content(read_bytes_up_to(fields[2], "content", CONTENT_BYTES_MAX))
        trust_raw = read_bytes_up_to(fields[3], "manifest.trust", TRUST_BYTES_MAX)
        certificates = tuple(
            [
                read_bytes_up_to(one, "certificate", QUORUM_CERTIFICATE_BYTES_MAX)
                for one in read_array(fields[4], "manifest.certificates", (0, TAIL_BLOCKS))
            ]
        )
    except InvalidSnapshotError:
        raise
    except InvalidDataError as error:
        raise SnapshotManifestError(f"the manifest does not read: {error}") from error
    return Manifest(content, parse_trust(trust_raw), certificates)


def check_manifest(manifest: Manifest, network_id: Digest) -> None:
    """Refuse a manifest that is of another network or does not rest on a certified header.

    Afterwards header, validator sets and certificates are verified; chunks are not.

    Raises:
        SnapshotNetworkError: It is of another network.
        SnapshotManifestError: It contradicts itself or the header.
        InvalidQuorumError: A certificate does not hold.
    """
    content, trust = manifest.content, manifest.trust
    if content.network_id != network_id or trust.network_id != network_id:
        raise SnapshotNetworkError("the snapshot is of another network than this node")
    if trust.newest_height != content.height or trust.newest is None:
        raise SnapshotManifestError(
            f"the manifest is of height {content.height}, its header of {trust.newest_height}"
        )
    if content.first != first_of(content.height) or content.headers.size != content.first - 1:
        raise SnapshotManifestError("the manifest begins with another block than its height needs")
    kinds = [one.kind for one in content.chunks]
    if kinds != sorted(kinds) or kinds[-1:] != [ChunkKind.BLOCKS]:
        raise SnapshotManifestError("the chunks of a manifest are not state first, then blocks")
    counted = {kind: sum(one.items for one in content.chunks if one.kind is kind) for kind in kinds}
    blocks = content.height - content.first + 1
    if counted != {ChunkKind.STATE: content.rows, ChunkKind.BLOCKS: blocks}:
        raise SnapshotManifestError("the chunks of a manifest count other rows or blocks than it")
    if len(manifest.certificates) != blocks - 1:
        raise SnapshotManifestError("the manifest has another number of certificates than blocks")
    for height, raw in enumerate(manifest.certificates, content.first):
        certificate = parse_quorum_certificate(raw)
        if certificate.height != height:
            raise SnapshotManifestError(f"a certificate is not of the block {height}")
        certificate.check(network_id, trust.validators_at(height))


def parse_state_chunk(raw: bytes) -> list[Row]:
    """Read a chunk of state rows.

    Raises:
        InvalidDataError: Another shape.
    """
    value = decode(raw, CHUNK_BYTES_MAX, limit="bytes of a chunk")
    rows: list[Row] = []
    for pair in read_array(value, "chunk", (1, ITEMS_MAX)):
        key, stored = read_array(pair, "chunk[]", 2)
        rows.append(
            (
                read_bytes_up_to(key, "state key", STATE_KEY_BYTES_MAX),
                read_bytes_up_to(stored, "stored value", STORED_BYTES_MAX),
            )
        )
    return rows


def parse_block_chunk(raw: bytes) -> list[TailBlock]:
    """Read a chunk of blocks with their outcomes.

    Raises:
        InvalidDataError: Another shape.
    """
    value = decode(raw, CHUNK_BYTES_MAX, limit="bytes of a chunk")
    blocks: list[TailBlock] = []
    for pair in read_array(value, "chunk", (1, TAIL_BLOCKS)):
        block, outcomes = read_array(pair, "chunk[]", 2)
        encoded = [
            read_bytes_up_to(one, "outcome", OUTCOME_BYTES_MAX)
            for one in read_array(outcomes, "outcomes", (0, BLOCK_ENTRIES_MAX))
        ]
        blocks.append((read_bytes_up_to(block, "block", BLOCK_BYTES_MAX), tuple(encoded)))
    return blocks


def chunked(
    kind: ChunkKind, items: Iterable[Row | TailBlock], bytes_max: int = CHUNK_BYTES
) -> Iterator[tuple[ChunkInfo, bytes]]:
    """Yield chunks of items in their order; each ends with the item that reaches `bytes_max`.

    Raises:
        LimitExceededError: A chunk is over 16 MiB, which only a block of that size can cause.
    """
    waiting: list[Row | TailBlock] = []
    size = 0
    for item in items:
        waiting.append(item)
        size += len(item[0]) + _length(item[1])
        if size >= bytes_max:
            yield _chunk(kind, waiting)
            waiting, size = [], 0
    if waiting:
        yield _chunk(kind, waiting)


def _length(second: bytes | tuple[bytes, ...]) -> int:
    return len(second) if isinstance(second, bytes) else sum(map(len, second))


def _chunk(kind: ChunkKind, items: Sequence[Value]) -> tuple[ChunkInfo, bytes]:
    raw = encode(tuple(items))
    check_limit("bytes of a chunk", len(raw), CHUNK_BYTES_MAX)
    return ChunkInfo(kind, chunk_digest(raw), len(raw), len(items)), raw


def _parse_content(raw: bytes) -> Content:
    fields = read_array(decode(raw, CONTENT_BYTES_MAX), "content", 9)
    read_version(fields[0], "content.version", _VERSION)
    if fields[1] != "snapshot-content":
        raise SnapshotManifestError("not the content of a snapshot")
    return Content(
        network_id=read_digest(fields[2], "content.network_id"),
        height=read_int(fields[3], "content.height", 1, INTEGER_MAX),
        first=read_int(fields[4], "content.first", 1, INTEGER_MAX),
        headers=Frontier.from_value(fields[5]),
        log=Frontier.from_value(fields[6]),
        rows=read_int(fields[7], "content.rows", 0, INTEGER_MAX),
        chunks=tuple(
            [_read_info(one) for one in read_array(fields[8], "content.chunks", (1, CHUNKS_MAX))]
        ),
    )


def _read_info(value: Value) -> ChunkInfo:
    kind, digest, size, items = read_array(value, "content.chunk", 4)
    return ChunkInfo(
        ChunkKind(read_int(kind, "chunk.kind", 1, 2)),
        read_digest(digest, "chunk.digest"),
        read_int(size, "chunk.bytes", 1, CHUNK_BYTES_MAX),
        read_int(items, "chunk.items", 1, ITEMS_MAX),
    )
