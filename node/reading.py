"""No read without a trace: who may have sealed bodies and the keys to them.

Owners and their representatives read what is theirs. An officer reads a body after an *access*: a
side act `<type>/access` of that officer about the record, in a block of the last 24 hours, which
the owner finds in the list of accesses. Whoever asks with the key of an agency is a machine, not a
person who stands on record, and gets none; nodes exchange ciphertext on their own ways.

Source: the design's users.md, section 3; records.md, section 5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from keys.signing import KeyId
from ledger.entries import Entry
from ledger.ids import RecordId
from ledger.parts import CustodySigner
from ledger.store import ChainStore
from node.access import Access, require_asker
from node.clock import Clock
from node.public_errors import AccessUnloggedError, ForbiddenError, NotFoundError
from node.request_auth import Asker
from registry.authority_rows import KeyRow
from registry.rows import RecordRow
from registry.state_key_names import key_key

ACCESS_MS: Final = 24 * 3_600_000
"""How long after an access its officer may fetch the body."""
ACCESSES_MAX: Final = 256
"""Accesses in one answer."""
_ACCESS: Final = "access"


@dataclass(frozen=True, slots=True)
class Accessed:
    """An access that stands in the chain.

    Attributes:
        entry: The act.
        height: Of its block.
        time_ms: Of its block.
    """

    entry: Entry
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Decides who may read.

    Attributes:
        store: The chain, for acts about a record.
        access: Who is who.
        clock: When an access is over.
    """

    store: ChainStore
    access: Access
    clock: Clock

    def require_reader(self, asker: Asker | None, record_id: RecordId) -> RecordRow:
        """Return a record whose body the asker may have.

        Raises:
            UnauthenticatedError: The request is not signed.
            NotFoundError: There is no such record, or it is not the asker's to know.
            ForbiddenError: An agency's own key asks.
            AccessUnloggedError: An officer asks who has put no access on record.
        """
        known = require_asker(asker)
        row = self.access.record(record_id)
        if row is None or not self.access.may_read(known, record_id):
            raise NotFoundError(UNKNOWN_RECORD)
        if self.access.is_owner(known, record_id):
            return row
        if known.key.holder_kind == "agency":
            raise ForbiddenError("sealed bodies are for persons who stand on record, not agencies")
        since_ms = self.clock.now_ms() - ACCESS_MS
        for accessed in self.accesses(record_id):
            if accessed.time_ms < since_ms:
                break
            if RecordId(known.key.holder) in self.officers_of(accessed.entry):
                return row
        raise AccessUnloggedError("put an access about this record into the chain first")

    def accesses(self, record_id: RecordId) -> Iterator[Accessed]:
        """Yield who had the record shown, the newest first."""
        places = sorted(
            ((height, index) for _version, height, index in self.store.history(record_id)),
            reverse=True,
        )
        for height, index in places:
            entry = self.store.entry(height, index)
            about = entry.head.about
            if entry.head.operation == _ACCESS and about and about.record_id == record_id:
                yield Accessed(entry, height, self.store.header(height).time_ms)

    def officers_of(self, entry: Entry) -> frozenset[RecordId]:
        """Return the identities whose officer keys signed an entry."""
        found: set[RecordId | None] = set()
        for signer in entry.head.signers:
            keys = signer.officers if isinstance(signer, CustodySigner) else (signer.key_id,)
            found.update(self._officer(key_id) for key_id in keys)
        return frozenset(one for one in found if one is not None)

    def _officer(self, key_id: KeyId) -> RecordId | None:
        row = self.access.state.read(key_key(key_id), KeyRow)
        return RecordId(row.holder) if row is not None and row.holder_kind == "officer" else None


UNKNOWN_RECORD: Final = "there is no record with this id, or it is not the asker's to see"
