"""What comes to the door of a node: an entry with its bodies, its way, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from keys.errors import BadSignatureError, CivregError, InvalidKeyError
from keys.hashing import Digest, domain, hash_with
from ledger.entries import Entry
from ledger.errors import InvalidDataError, LimitExceededError
from ledger.limits import BODY_BYTES_MAX, check_limit
from node.public_errors import BodyMismatchError
from node.waiting import Place
from registry.apply import SignatureCheck, VerifiedEntry
from registry.authority_errors import SignatureWrongError
from registry.errors import ExpiredError, ReplayedError, WrongNetworkError

_BODY: Final = domain("body")
_FINAL: Final = (
    InvalidDataError,
    BadSignatureError,
    SignatureWrongError,  # a key's bytes follow from its id, in every state
    InvalidKeyError,
    WrongNetworkError,
    ExpiredError,
)


@dataclass(frozen=True, slots=True)
class Submission:
    """Bytes of an entry and of its sealed bodies, from anywhere.

    Attributes:
        entry_raw: At most 65,535 bytes, or it is refused.
        bodies: In any order; those that the vault has may be left out.
        trusted: Whether another validator has executed it: then it is not executed here again
            before a block holds it.
    """

    entry_raw: bytes
    bodies: tuple[bytes, ...]
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of a submission that was not refused.

    Attributes:
        entry_digest: Of the entry.
        place: Where it stands already, or None while it waits.
        is_new: Whether it came into the pool just now, so that others should hear of it.
    """

    entry_digest: Digest
    place: Place | None
    is_new: bool


Result: TypeAlias = Admitted | CivregError


@dataclass(slots=True)
class Candidate:
    """A submission on its way through the door; `result` is set when the way is over.

    `height` is that of the chain when it was looked up there: no block since, no second look.
    """

    submission: Submission
    raw_hash: Digest
    height: int
    entry: Entry | None = None
    bodies: dict[Digest, bytes] = field(default_factory=dict)
    body_digests: tuple[Digest, ...] = ()
    checks: tuple[SignatureCheck, ...] | None = None
    verified: VerifiedEntry | None = None
    result: Result | None = None

    @property
    def known_entry(self) -> Entry:
        """The entry, which a candidate without a result has."""
        assert self.entry is not None, "a candidate that does not parse has a result"
        return self.entry


def is_final(error: CivregError) -> bool:
    """Tell whether no later state can make acceptable what was refused so."""
    if isinstance(error, LimitExceededError):
        return error.details.get("limit") == "entry bytes"
    return isinstance(error, _FINAL) and not isinstance(error, BodyMismatchError)


def require_open(result: Result) -> Admitted:
    """Return what was admitted and waits; raise what was refused or stands in the chain already.

    Raises:
        ReplayedError: It is in the chain; details: height, index, registration_no.
        CivregError: As it was refused.
    """
    if isinstance(result, CivregError):
        raise result
    if result.place is not None:
        raise replayed(result.place)
    return result


def replayed(place: Place) -> ReplayedError:
    """Return the refusal of an entry that stands in the chain already, with its place."""
    details: dict[str, int | str] = {"height": place.height, "index": place.index}
    if place.registration_number is not None:
        details["registration_no"] = place.registration_number
    return ReplayedError(f"the entry stands in block {place.height} already", **details)


def body_digests(entry: Entry) -> tuple[Digest, ...]:
    """Return the digests of the sealed bodies that an entry names, each once, in order."""
    named = [record.seal.body_digest for record in entry.records if record.seal is not None]
    return tuple(dict.fromkeys(named))


def match_bodies(entry: Entry, bodies: Sequence[bytes]) -> dict[Digest, bytes]:
    """Return bodies by digest.

    Raises:
        LimitExceededError: One is over 256 KiB.
        BodyMismatchError: The entry does not name one.
    """
    named = body_digests(entry)
    found: dict[Digest, bytes] = {}
    for body in bodies:
        check_limit("BODY_BYTES_MAX", len(body), BODY_BYTES_MAX)
        digest = hash_with(_BODY, body)
        if digest not in named:
            raise BodyMismatchError("a sealed body came that the entry does not name")
        found[digest] = body
    return found
