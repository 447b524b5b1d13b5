"""What the custodian keeps between preparing an entry and signing it: bodies and wraps.

They lie in the vault under the digest of the wraps, as canonical([not_after_ms, holder, is_own,
body, wraps, tag signatures, what names were tagged with]); the holder is whoever asked, in whose
share they count (`node.shelf_shares`). Body and wraps are ciphertext. They go when their entry is
in a block (the vault keeps both then) or when their time is over; losing one only means to prepare
the act again, so nothing waits for the disk.
"""

from collections.abc import Container, Iterable
from typing import Final, NamedTuple

from keys.hashing import Digest
from ledger.canonical import decode, encode
from ledger.errors import DiskRefusedError, InvalidDataError
from ledger.fields import INTEGER_MAX, read_array, read_bool, read_bytes, read_bytes_up_to, read_int
from ledger.ids import ID_BYTES
from ledger.limits import BODY_BYTES_MAX
from ledger.quorum import read_signature
from ledger.vault import Vault
from node.public_errors import UnavailableError
from node.shelf_shares import Holder, Room, ShelfShares
from registry.wraps import WRAPS_BYTES_MAX

PENDING_MAX: Final = 50_000
BYTES_MAX: Final = 512 * 1024 * 1024
TAGS_MAX: Final = 64
"""Of one record; a type in force has two or three."""
_CONTENT_BYTES_MAX: Final = BODY_BYTES_MAX + WRAPS_BYTES_MAX + TAGS_MAX * 3_500 + 64


class Prepared(NamedTuple):
    """What signing will need of a record.

    Attributes:
        body: Sealed.
        wraps: Of its data key.
        tag_signatures: Of the tags that were made for it, `registry.opened_records`.
        beside_names: With what names were tagged, likewise.
    """

    body: bytes
    wraps: bytes
    tag_signatures: tuple[bytes, ...]
    beside_names: tuple[bytes, ...]


class PendingBodies:
    """Prepared bodies and wraps by the digest of the wraps.

    Args:
        vault: Where they lie; those of an earlier run are found again, a damaged one is dropped.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._until_ms: dict[Digest, int] = {}
        self._shares = ShelfShares("prepared bodies", Room(PENDING_MAX, BYTES_MAX))
        damaged = []
        for digest, raw in vault.all_prepared():
            try:
                until_ms, holder, _prepared = _parse(raw)
            except InvalidDataError:
                damaged.append(digest)
            else:
                self._note(digest, holder, until_ms, len(raw))
        vault.drop_prepared(damaged)

    def __len__(self) -> int:
        return len(self._until_ms)

    def __contains__(self, wraps_digest: Digest) -> bool:
        return wraps_digest in self._until_ms

    def put(
        self, wraps_digest: Digest, prepared: Prepared, not_after_ms: int, asking: Holder
    ) -> None:
        """Keep a body with its wraps and the signatures of its tags, in the share of who asked.

        Raises:
            UnavailableError: Too much is prepared and not yet signed, by this asker or by all
                (details: limit, value, maximum), or the disk is full.
        """
        holder = self._shares.holder_of(wraps_digest, asking)
        raw = encode((not_after_ms, holder.name, holder.is_own, *prepared))
        self._shares.check(wraps_digest, holder, len(raw))
        try:
            self._vault.put_prepared(wraps_digest, raw)
        except DiskRefusedError as error:
            raise UnavailableError("the disk does not take a prepared body") from error
        self._note(wraps_digest, holder, not_after_ms, len(raw))

    def get(self, wraps_digest: Digest) -> Prepared | None:
        """Return what was prepared, or None if it is not here or damaged."""
        raw = self._vault.prepared(wraps_digest) if wraps_digest in self._until_ms else None
        if raw is None:
            return None
        try:
            return _parse(raw)[2]
        except InvalidDataError:
            return None

    def drop(self, wraps_digests: Iterable[Digest]) -> None:
        """Forget what is in the chain now, or no longer wanted.

        Raises:
            DiskRefusedError: The disk did not take it; all is as it was.
        """
        known = [digest for digest in dict.fromkeys(wraps_digests) if digest in self._until_ms]
        self._vault.drop_prepared(known)
        for digest in known:
            del self._until_ms[digest]
            self._shares.free(digest)

    def drop_expired(self, time_ms: int, kept: Container[Digest] = ()) -> None:
        """Forget what no later block can hold.

        Args:
            time_ms: Of the newest block.
            kept: What stays all the same: its entry is in a block already, its body is not kept.

        Raises:
            DiskRefusedError: The disk did not take it; all is as it was.
        """
        over = [digest for digest, until_ms in self._until_ms.items() if until_ms < time_ms]
        self.drop([digest for digest in over if digest not in kept])

    def _note(self, digest: Digest, holder: Holder, not_after_ms: int, size: int) -> None:
        self._shares.take(digest, holder, size)
        self._until_ms[digest] = not_after_ms


def _parse(raw: bytes) -> tuple[int, Holder, Prepared]:
    time, name, is_own, body, wraps, tags, beside = read_array(
        decode(raw, _CONTENT_BYTES_MAX), "prepared", 7
    )
    holder = Holder(
        read_bytes(name, "prepared.holder", ID_BYTES), read_bool(is_own, "prepared.is_own")
    )
    prepared = Prepared(
        read_bytes_up_to(body, "prepared.body", BODY_BYTES_MAX),
        read_bytes_up_to(wraps, "prepared.wraps", WRAPS_BYTES_MAX),
        tuple(
            [
                read_signature(one, "prepared.tag_signature")
                for one in read_array(tags, "prepared.tag_signatures", (0, TAGS_MAX))
            ]
        ),
        tuple(
            [
                read_bytes_up_to(one, "prepared.beside_name", ID_BYTES)
                for one in read_array(beside, "prepared.beside_names", (0, TAGS_MAX))
            ]
        ),
    )
    return read_int(time, "prepared.not_after_ms", 0, INTEGER_MAX), holder, prepared
