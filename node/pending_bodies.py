"""What the custodian keeps between preparing an entry and signing it: bodies and wraps.

They lie in the vault under the digest of the wraps, as canonical([not_after_ms, body, wraps, tag
signatures]). Body and wraps are ciphertext. They go when their entry is in a block (the vault keeps
both then) or when their time is over; losing one only means to prepare the act again, so nothing
waits for the disk.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from keys.hashing import Digest
from ledger.canonical import decode, encode
from ledger.errors import DiskRefusedError, InvalidDataError
from ledger.fields import INTEGER_MAX, read_array, read_bytes_up_to, read_int
from ledger.limits import BODY_BYTES_MAX
from ledger.quorum import read_signature
from ledger.vault import Vault
from node.public_errors import UnavailableError
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
    """

    body: bytes
    wraps: bytes
    tag_signatures: tuple[bytes, ...]


class PendingBodies:
    """Prepared bodies and wraps by the digest of the wraps.

    Args:
        vault: Where they lie; those of an earlier run are found again, a damaged one is dropped.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: dict[Digest, tuple[int, int]] = {}
        self._bytes = 0
        damaged = []
        for digest, raw in vault.all_prepared():
            try:
                self._note(digest, _parse(raw)[0], len(raw))
            except InvalidDataError:
                damaged.append(digest)
        vault.drop_prepared(damaged)

    def __len__(self) -> int:
        return len(self._known)

    def put(self, wraps_digest: Digest, prepared: Prepared, not_after_ms: int) -> None:
        """Keep a body with its wraps and the signatures of its tags.

        Raises:
            UnavailableError: Too much is prepared and not yet signed, or the disk is full.
        """
        raw = encode((not_after_ms, *prepared))
        if len(self._known) >= PENDING_MAX or self._bytes + len(raw) > BYTES_MAX:
            raise UnavailableError(
                "too many prepared entries wait for their signatures",
                limit="prepared bodies",
                value=len(self._known),
                maximum=PENDING_MAX,
            )
        try:
            self._vault.put_prepared(wraps_digest, raw)
        except DiskRefusedError as error:
            raise UnavailableError("the disk does not take a prepared body") from error
        self._note(wraps_digest, not_after_ms, len(raw))

    def get(self, wraps_digest: Digest) -> Prepared | None:
        """Return what was prepared, or None if it is not here or damaged."""
        raw = self._vault.prepared(wraps_digest) if wraps_digest in self._known else None
        if raw is None:
            return None
        try:
            return _parse(raw)[1]
        except InvalidDataError:
            return None

    def drop(self, wraps_digests: Iterable[Digest]) -> None:
        """Forget what is in the chain now, or no longer wanted."""
        known = [digest for digest in dict.fromkeys(wraps_digests) if digest in self._known]
        self._vault.drop_prepared(known)
        for digest in known:
            self._bytes -= self._known.pop(digest)[1]

    def drop_expired(self, time_ms: int) -> None:
        """Forget what no later block can hold."""
        self.drop([digest for digest, (until, _size) in self._known.items() if until < time_ms])

    def _note(self, digest: Digest, not_after_ms: int, size: int) -> None:
        self._bytes += size - self._known.get(digest, (0, 0))[1]
        self._known[digest] = (not_after_ms, size)


def _parse(raw: bytes) -> tuple[int, Prepared]:
    time, body, wraps, tags = read_array(decode(raw, _CONTENT_BYTES_MAX), "prepared", 4)
    prepared = Prepared(
        read_bytes_up_to(body, "prepared.body", BODY_BYTES_MAX),
        read_bytes_up_to(wraps, "prepared.wraps", WRAPS_BYTES_MAX),
        tuple(
            [
                read_signature(one, "prepared.tag_signature")
                for one in read_array(tags, "prepared.tag_signatures", (0, TAGS_MAX))
            ]
        ),
    )
    return read_int(time, "prepared.not_after_ms", 0, INTEGER_MAX), prepared
