"""Holds the consensus key behind a guard that remembers on disk what the key signed last.

A validator that signs two different messages for one height, round and type is a liar, whatever
the reason. So before a signature leaves, the guard file holds it: height, round, type, the signed
bytes, the signature; written beside the old file, synced, and put in its place. Then

* the same bytes again: the stored signature is returned;
* other bytes for the same place, or any place before the last: refused, nothing is signed;
* a key without its guard file: refused at the start, unless an operator says that this key has
  never signed (`allow_missing`), because nobody else can know.

Order of places: height, then round, then proposal < prevote < precommit. A restored disk image
brings back key and guard together: against that helps only asking the peers, see `node.startup`.

The file: canonical([1, key_id bin 16, [signed ...]]) and its SHA-256; signed = [height, round,
kind, message bin, signature bin], at most one of each kind, ascending by kind.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum, unique
from pathlib import Path
from typing import Final, Protocol

from keys.hashing import DIGEST_BYTES, sha256
from keys.signing import KEY_ID_BYTES, KeyId, PublicKey, Signer
from ledger.canonical import Value, decode, encode
from ledger.disk_refusals import of_system, system_refusals
from ledger.errors import InvalidDataError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bytes,
    read_bytes_up_to,
    read_int,
    read_version,
)
from ledger.limits import MESSAGE_BYTES_MAX
from node.errors import (
    ContradictionError,
    GuardDamagedError,
    GuardMismatchError,
    GuardMissingError,
)

GUARD_BYTES_MAX: Final = 4 * MESSAGE_BYTES_MAX
_VERSION: Final = 1


@unique
class SignedKind(IntEnum):
    """What was signed, in the order in which a round produces it."""

    PROPOSAL = 1
    PREVOTE = 2
    PRECOMMIT = 3


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """The one place in a run that a signed message takes."""

    height: int
    round: int
    kind: SignedKind


@dataclass(frozen=True, slots=True)
class LastSigned:
    """What the key signed last of one kind."""

    place: Place
    message: bytes
    signature: bytes = field(compare=False)


class GuardStore(Protocol):
    """Keeps the guard's bytes; `replace` returns only when they survive a power cut."""

    def read(self) -> bytes | None:
        """Return the bytes kept, or None if there never were any."""

    def replace(self, raw: bytes) -> None:
        """Put `raw` in the place of what was kept, all of it or nothing, durably."""


class GuardFile:
    """The guard's bytes in a file of its own."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """Return the file's bytes, durable; None if there is no file.

        A process that was killed may have renamed the file and not synced the folder: what is read
        here must not be undone by a power cut after its signatures have left.

        Raises:
            DiskRefusedError: It exists and cannot be read now; nothing is known of damage.
        """
        try:
            raw = self._path.read_bytes()
            sync_folder(self._path.parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise of_system(error, "the guard file cannot be read") from error
        return raw

    def replace(self, raw: bytes) -> None:
        """Write beside the file, sync, rename over it, sync the folder.

        Raises:
            DiskRefusedError: The disk did not take it; the old bytes are in place, or the new.
        """
        beside = self._path.with_name(self._path.name + ".new")
        with system_refusals("the disk did not take the guard file"):
            try:
                _write_synced(beside, raw)
            except OSError:
                beside.unlink(missing_ok=True)
                raise
            beside.replace(self._path)
            sync_folder(self._path.parent)


class GuardedSigner:
    """The consensus key, and the one that will follow it; signs each place once.

    One guard serves both: places ascend whichever key signs.

    Args:
        key: The private key.
        store: Where the guard is kept.
        allow_missing: Whether the operator says that this key has never signed.
        next_key: The key that the network will expect after a rotation, or None.

    Raises:
        GuardMissingError: Nothing is kept and `allow_missing` is false.
        GuardDamagedError: What is kept does not read.
        GuardMismatchError: It is another key's, and `allow_missing` is false. Else its places are
            kept.
    """

    __slots__ = ("_guard_key", "_key", "_keys", "_last", "_store")

    def __init__(
        self,
        key: Signer,
        store: GuardStore,
        *,
        allow_missing: bool = False,
        next_key: Signer | None = None,
    ) -> None:
        self._key = key
        self._keys = {one.public.key_id: one for one in (key, next_key) if one is not None}
        self._store = store
        raw = store.read()
        if raw is None:
            if not allow_missing:
                raise GuardMissingError(
                    "there is a consensus key and no guard file: nobody knows what it has signed"
                )
            raw = _print_guard(key.public.key_id, ())
            store.replace(raw)
        self._guard_key, self._last = _parse_guard(raw)
        if self._guard_key not in self._keys and not allow_missing:
            raise _mismatch(self._guard_key, self._keys)

    @property
    def public(self) -> PublicKey:
        """The public half of the consensus key."""
        return self._key.public

    @property
    def publics(self) -> tuple[PublicKey, ...]:
        """The public halves of all keys that are here."""
        return tuple([key.public for key in self._keys.values()])

    def holds(self, key: PublicKey) -> bool:
        """Tell whether the private half of a key is here."""
        return key.key_id in self._keys

    @property
    def last(self) -> Place | None:
        """The last place signed, or None if this key has never signed."""
        return max((signed.place for signed in self._last.values()), default=None)

    def sign(self, place: Place, message: bytes, by: PublicKey | None = None) -> bytes:
        """Sign a message for its place; on return the guard is on disk.

        Args:
            place: Height, round and kind that `message` is for.
            message: Domain prefix and payload.
            by: The key that the network expects at this height, which `holds` confirmed.

        Raises:
            ContradictionError: Other bytes for this place, or a place before the last.
            DiskRefusedError: The guard could not be written; no signature leaves.
        """
        key = self._key if by is None else self._keys[by.key_id]
        key_id, stored = key.public.key_id, self._last.get(place.kind)
        if key_id == self._guard_key and stored == LastSigned(place, message, b""):
            return stored.signature
        last = self.last
        if last is not None and place <= last:
            raise ContradictionError(
                f"asked to sign {place.kind.name.lower()} {place.height}/{place.round} after "
                f"{last.kind.name.lower()} {last.height}/{last.round}",
                height=place.height,
                round=place.round,
                last_height=last.height,
                last_round=last.round,
            )
        signed = LastSigned(place, message, key.sign(message))
        kept = self._last if key_id == self._guard_key else {}  # lower places, of the key before
        after = {**kept, place.kind: signed}
        self._store.replace(_print_guard(key_id, after.values()))
        self._guard_key, self._last = key_id, after
        return signed.signature

    def sign_unguarded(self, message: bytes) -> bytes:
        """Sign what can contradict nothing: a status. Never a proposal or a vote."""
        return self._key.sign(message)


def create_guard(path: Path, key_id: KeyId) -> None:
    """Make the guard of a new key that has never signed.

    Raises:
        FileExistsError: There is one already.
    """
    if path.exists():
        raise FileExistsError(f"there is a guard file already: {path.name}")
    GuardFile(path).replace(_print_guard(key_id, ()))


def check_guard(path: Path, key_ids: Iterable[KeyId]) -> None:
    """Refuse a guard file that the node would not start with; none at all is no damage.

    Args:
        path: The file.
        key_ids: Of the consensus key, and of the one that will follow it.

    Raises:
        GuardDamagedError: It does not read.
        GuardMismatchError: It is another key's.
    """
    raw = GuardFile(path).read()
    if raw is not None:
        guard_key, known = _parse_guard(raw)[0], list(key_ids)
        if guard_key not in known:
            raise _mismatch(guard_key, known)


def last_signed_height(path: Path) -> int:
    """Return the highest height at which the key of a guard file has signed; 0 without a file.

    Raises:
        GuardDamagedError: It exists and does not read.
    """
    raw = GuardFile(path).read()
    signed = {} if raw is None else _parse_guard(raw)[1]
    return max((one.place.height for one in signed.values()), default=0)


def sync_folder(folder: Path) -> None:
    """Make renames and new files in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mismatch(guard_key: KeyId, keys: Iterable[KeyId]) -> GuardMismatchError:
    shown = ", ".join([key.hex() for key in keys])
    return GuardMismatchError(
        f"the guard file is of the key {guard_key.hex()}, the key file of {shown}: one of the two "
        "is a wrong file",
        guard_key=guard_key.hex(),
        key=shown,
    )


def _write_synced(path: Path, raw: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(raw)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _print_guard(key_id: KeyId, signed: Iterable[LastSigned]) -> bytes:
    in_order = sorted(signed, key=lambda one: one.place.kind)
    body = encode((_VERSION, key_id, tuple(_signed_value(one) for one in in_order)))
    return body + sha256(body)


def _signed_value(signed: LastSigned) -> Value:
    place = signed.place
    return (place.height, place.round, int(place.kind), signed.message, signed.signature)


def _parse_guard(raw: bytes) -> tuple[KeyId, dict[SignedKind, LastSigned]]:
    body, checksum = raw[:-DIGEST_BYTES], raw[-DIGEST_BYTES:]
    if sha256(body) != checksum:
        raise GuardDamagedError("the guard file is damaged: its checksum is wrong")
    try:
        version, owner, signed = read_array(decode(body, GUARD_BYTES_MAX), "guard", 3)
        read_version(version, "guard.version", _VERSION)
        kept = [_read_signed(one) for one in read_array(signed, "guard.signed", (0, 3))]
        of_key = KeyId(read_bytes(owner, "guard.key_id", KEY_ID_BYTES))
    except InvalidDataError as error:
        raise GuardDamagedError(f"the guard file does not read: {error}") from error
    return of_key, {one.place.kind: one for one in kept}


def _read_signed(value: Value) -> LastSigned:
    height, round_number, kind, message, signature = read_array(value, "guard.signed[]", 5)
    place = Place(
        read_int(height, "guard.height", 1, INTEGER_MAX),
        read_int(round_number, "guard.round", 0, INTEGER_MAX),
        SignedKind(read_int(kind, "guard.kind", 1, len(SignedKind))),
    )
    return LastSigned(
        place,
        read_bytes_up_to(message, "guard.message", MESSAGE_BYTES_MAX),
        read_bytes_up_to(signature, "guard.signature", MESSAGE_BYTES_MAX),
    )
