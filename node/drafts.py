"""Drafts that wait at their office's node until everybody has signed; gone at `not_after_ms`.

    data/drafts/<entry_digest>.<holder>       a draft file, see `registry.drafts`

The holder is whoever left it, `own-<id>` for an officer of this agency and `other-<id>` for others;
each has a share (`node.shelf_shares`). A file without one is nobody's. Digests and ids are
hexadecimal.

Officers of this agency leave drafts here, and whoever is listed as a signer finds, signs and takes
them. A draft's bodies are ciphertext; the wraps in it open them for its signers only. Signatures
are verified when they come.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from keys.errors import InvalidKeyError
from keys.hashing import Digest
from keys.signing import KEY_ID_BYTES, KeyId, PublicKey, parse_public_key
from ledger.canonical import decode
from ledger.entries import UnsignedEntry
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes, read_bytes_up_to
from ledger.ids import AgencyId
from ledger.limits import NOT_AFTER_AHEAD_MAX_MS, STAGED_SIGNER_BYTES_MAX
from ledger.quorum import SIGNATURE_BYTES_MAX
from node.access import Access, require_asker
from node.call_values import digest_of, json_reply, msgpack_reply
from node.clock import Clock
from node.public_errors import ForbiddenError, NotFoundError, UnavailableError
from node.request_auth import Asker
from node.routes import SMALL_BODY_BYTES_MAX, Call, Handler, Json, Reply
from node.shelf_shares import NOBODY, Holder, Room, ShelfShares, holder_of
from registry.authority_errors import KeyUnknownError
from registry.authority_rows import KeyRow
from registry.drafts import (
    Draft,
    add_signature,
    custodian_is_next,
    missing_keys,
    parse_draft,
    print_draft,
    required_keys,
)
from registry.errors import (
    ExpiredError,
    NotAfterTooFarError,
    RecordUnknownError,
    WrongNetworkError,
)
from registry.readers import agency_of_office
from registry.state_key_names import key_key
from registry.vocabulary import KEY_OBJECTS

DRAFTS_MAX: Final = 10_000
BYTES_MAX: Final = 4 * STAGED_SIGNER_BYTES_MAX
_FILE_NAME: Final = re.compile(r"[0-9a-f]{64}\.(?P<whose>own|other)-(?P<id>[0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Shelved:
    """What is known of a held draft without reading its file.

    Attributes:
        kind: Of its act.
        not_after_ms: When it goes.
        holder: In whose share it counts.
        agency: Whose office acts, or None.
        signers: Key ids that must sign, in order.
        missing: Those that have not.
        custodian_next: Whether only the custodian is missing.
    """

    kind: str
    not_after_ms: int
    holder: Holder
    agency: AgencyId | None
    signers: tuple[KeyId, ...]
    missing: tuple[KeyId, ...]
    custodian_next: bool


class DraftShelf:
    """Held drafts by entry digest, on disk.

    Args:
        folder: Made if it is not there; drafts of an earlier run are found again.
        agency_of: Returns whose office a draft is of, or None.
    """

    def __init__(self, folder: Path, agency_of: Callable[[UnsignedEntry], AgencyId | None]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._agency_of = agency_of
        self._shelved: dict[Digest, Shelved] = {}
        self._shares = ShelfShares("drafts", Room(DRAFTS_MAX, BYTES_MAX))
        for path in sorted(folder.iterdir(), reverse=True):  # `own` before `other`: it is the newer
            self._find(path)

    def __len__(self) -> int:
        return len(self._shelved)

    def put(self, draft: Draft, asking: Holder) -> Shelved:
        """Hold a draft, instead of an earlier one with the same content.

        Args:
            draft: With the signatures so far.
            asking: Who leaves or signs it.

        Raises:
            UnavailableError: There is no room for this asker or for anybody (details: limit, value,
                maximum), or the disk is full.
        """
        digest, raw = draft.entry.entry_digest, print_draft(draft)
        known = self._shelved.get(digest)
        holder = self._shares.holder_of(digest, asking)
        self._shares.check(digest, holder, len(raw))
        unfinished = self._folder / f"{digest.hex()}.new"
        try:
            unfinished.write_bytes(raw)
            unfinished.replace(self._path(digest, holder))
        except OSError as error:
            raise UnavailableError("the disk does not take a draft") from error
        if known is not None and known.holder != holder:
            self._path(digest, known.holder).unlink(missing_ok=True)
        return self._note(draft, holder, len(raw))

    def get(self, digest: Digest) -> Draft:
        """Return a held draft.

        Raises:
            NotFoundError: It is not held here.
        """
        known = self._shelved.get(digest)
        if known is not None:
            try:
                return parse_draft(self._path(digest, known.holder).read_bytes())
            except (OSError, InvalidDataError):
                self.drop([digest])
        raise NotFoundError("no such draft is held here")

    def listing(self) -> list[tuple[Digest, Shelved]]:
        """Return what is held, by entry digest."""
        return sorted(self._shelved.items())

    def shelved(self, digest: Digest) -> Shelved | None:
        """Return what is known of a held draft, or None."""
        return self._shelved.get(digest)

    def drop(self, digests: Iterable[Digest]) -> None:
        """Take drafts away: their entries are in the chain, or nobody wants them."""
        for digest in digests:
            known = self._shelved.pop(digest, None)
            if known is not None:
                self._shares.free(digest)
                self._path(digest, known.holder).unlink(missing_ok=True)

    def drop_expired(self, time_ms: int) -> None:
        """Take away drafts whose entries no later block can hold."""
        self.drop([digest for digest, one in self._shelved.items() if one.not_after_ms < time_ms])

    def _note(self, draft: Draft, holder: Holder, size_bytes: int) -> Shelved:
        digest = draft.entry.entry_digest
        self._shares.take(digest, holder, size_bytes)
        self._shelved[digest] = Shelved(
            kind=draft.entry.head.kind,
            not_after_ms=draft.entry.head.not_after_ms,
            holder=holder,
            agency=self._agency_of(draft.entry),
            signers=required_keys(draft.entry),
            missing=missing_keys(draft),
            custodian_next=custodian_is_next(draft),
        )
        return self._shelved[digest]

    def _path(self, digest: Digest, holder: Holder) -> Path:
        whose = f".{'own' if holder.is_own else 'other'}-{holder.name.hex()}" if holder.name else ""
        return self._folder / f"{digest.hex()}{whose}"

    def _find(self, path: Path) -> None:
        """Take up a draft of an earlier run; remove what is none, or lies there twice."""
        try:
            raw = path.read_bytes()
            draft = parse_draft(raw)
        except (OSError, InvalidDataError):
            path.unlink(missing_ok=True)
            return
        digest, holder = draft.entry.entry_digest, _holder_named(path.name)
        if digest in self._shelved or path != self._path(digest, holder):
            path.unlink(missing_ok=True)
            return
        self._note(draft, holder, len(raw))


class DraftRoutes:
    """The handlers of /v1/drafts.

    Args:
        shelf: Where drafts are held.
        network_id: Of this network.
        own: Whose node this is; None for an observer, which holds no drafts.
        access: Who may do what.
        clock: What time it is.
    """

    def __init__(
        self,
        shelf: DraftShelf,
        network_id: Digest,
        own: AgencyId | None,
        access: Access,
        clock: Clock,
    ) -> None:
        self._shelf = shelf
        self._network_id = network_id
        self._own = own
        self._access = access
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by the names of their routes."""
        return {
            "hold_draft": self.hold,
            "list_drafts": self.listing,
            "draft": self.show,
            "sign_draft": self.sign,
        }

    async def hold(self, call: Call) -> Reply:
        """Hold a draft for its other signers."""
        asker = require_asker(call.asker)
        draft = parse_draft(call.body)
        head = draft.entry.head
        if head.network_id != self._network_id:
            raise WrongNetworkError("the draft is for another network")
        now_ms = self._clock.now_ms()
        if head.not_after_ms < now_ms:
            raise ExpiredError("the draft's time is over", not_after_ms=head.not_after_ms)
        if head.not_after_ms > now_ms + NOT_AFTER_AHEAD_MAX_MS:
            raise NotAfterTooFarError("the draft's time is too long")
        signers = required_keys(draft.entry)
        is_own = self._own is not None and asker.agency == self._own
        if not is_own and not self._is_signer(asker, signers):
            raise ForbiddenError("only officers of this agency and listed signers leave drafts")
        verified = replace(draft, signatures={})
        for key_id, signature in draft.signatures.items():
            verified = add_signature(verified, self._key(draft.entry, key_id), signature)
        verified = self._with_held(verified)
        shelved = self._shelf.put(verified, holder_of(asker, self._own))
        return json_reply(_shown(draft.entry.entry_digest, shelved))

    def _with_held(self, draft: Draft) -> Draft:
        """Return the draft with the signatures that are held already."""
        if self._shelf.shelved(draft.entry.entry_digest) is None:
            return draft
        held = self._shelf.get(draft.entry.entry_digest)
        return replace(draft, signatures={**held.signatures, **draft.signatures})

    async def listing(self, call: Call) -> Reply:
        """List the drafts that lack a signature of the asker, or are of the asker's office."""
        asker = require_asker(call.asker)
        drafts: list[Json] = [
            _shown(digest, shelved)
            for digest, shelved in self._shelf.listing()
            if self._may_see(asker, shelved)
        ]
        return json_reply({"drafts": drafts})

    async def show(self, call: Call) -> Reply:
        """Return a held draft."""
        digest, _shelved = self._find(call)
        return msgpack_reply(print_draft(self._shelf.get(digest)))

    async def sign(self, call: Call) -> Reply:
        """Add a signature to a held draft."""
        digest, _shelved = self._find(call)
        asking = holder_of(require_asker(call.asker), self._own)
        fields = read_array(decode(call.body, SMALL_BODY_BYTES_MAX), "signature", 2)
        key_id = KeyId(read_bytes(fields[0], "signature.key_id", KEY_ID_BYTES))
        signature = read_bytes_up_to(fields[1], "signature", SIGNATURE_BYTES_MAX)
        draft = self._shelf.get(digest)
        signed = add_signature(draft, self._key(draft.entry, key_id), signature)
        return json_reply(_shown(digest, self._shelf.put(signed, asking)))

    def _find(self, call: Call) -> tuple[Digest, Shelved]:
        digest = digest_of(call)
        shelved = self._shelf.shelved(digest)
        if shelved is None or not self._may_see(require_asker(call.asker), shelved):
            raise NotFoundError("no such draft is held here")
        return digest, shelved

    def _may_see(self, asker: Asker, shelved: Shelved) -> bool:
        agency = asker.agency
        if agency is not None and agency == shelved.agency:
            return True
        return self._is_signer(asker, shelved.signers)

    def _is_signer(self, asker: Asker, signers: Iterable[KeyId]) -> bool:
        """Tell whether one of the keys belongs to whoever asks."""
        for key_id in signers:
            row = self._access.state.read(key_key(key_id), KeyRow)
            if row is not None and row.holder == asker.key.holder:
                return True
        return False

    def _key(self, entry: UnsignedEntry, key_id: KeyId) -> PublicKey:
        """Return a key of the state, or one that the entry itself enrols.

        Raises:
            KeyUnknownError: Neither.
        """
        row = self._access.state.read(key_key(key_id), KeyRow)
        if row is not None:
            return row.public_key
        for item in entry.objects:
            if item.kind not in KEY_OBJECTS:
                continue
            algorithm, public = item.fields.get("algorithm"), item.fields.get("public")
            if isinstance(algorithm, int) and isinstance(public, bytes):
                try:
                    key = parse_public_key(algorithm, public)
                except InvalidKeyError:
                    continue
                if key.key_id == key_id:
                    return key
        raise KeyUnknownError("the state knows no such key", key=key_id.hex())


def office_agency(access: Access) -> Callable[[UnsignedEntry], AgencyId | None]:
    """Return a function that says whose office a draft is of."""

    def agency_of(entry: UnsignedEntry) -> AgencyId | None:
        office = entry.head.office
        if office is None:
            return None
        try:
            return agency_of_office(access.state, office)
        except RecordUnknownError:
            return None

    return agency_of


def _holder_named(file_name: str) -> Holder:
    """Return whose a draft file is, or `NOBODY` where its name does not say so."""
    found = _FILE_NAME.fullmatch(file_name)
    if found is None:
        return NOBODY
    return Holder(bytes.fromhex(found["id"]), is_own=found["whose"] == "own")


def _shown(digest: Digest, shelved: Shelved) -> dict[str, Json]:
    return {
        "entry": digest.hex(),
        "kind": shelved.kind,
        "not_after_ms": shelved.not_after_ms,
        "missing": [key_id.hex() for key_id in shelved.missing],
        "custodian_next": shelved.custodian_next,
    }
