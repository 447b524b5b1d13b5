"""What executing an entry gave: its registration number, the new state values, flags, warnings.

Outcomes stand beside the entries of a block, at the same index; `outcomes_root` in the header fixes
them, so a receipt can show with which number and which effect on the state an entry was registered.

Source: docs/formats.md, section 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keys.hashing import Digest
from ledger import merkle
from ledger.canonical import Value, decode, encode
from ledger.fields import (
    read_array,
    read_digest,
    read_optional_digest,
    read_optional_text,
    read_text,
    read_version,
)
from ledger.frozen import quick_init
from ledger.limits import ENTRY_TOUCHES_MAX
from ledger.part_readers import NAME_CHARS_MAX, check_ascending

OUTCOME_BYTES_MAX: Final = 512 * 1024
"""Bytes of an outcome; 4,096 state changes need 70 bytes each."""
REGISTRATION_NUMBER_CHARS_MAX: Final = 128
NOTES_MAX: Final = 256
"""Flags, or warnings, of one outcome."""

_VERSION: Final = 1


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an entry gave.

    Attributes:
        entry_digest: Of which entry, 32 bytes.
        registration_number: Given at execution, or None.
        changes: `(key hash, value hash)`, strictly ascending by key hash; None: the key is gone.
        flags: In the order in which the registry set them.
        warnings: In the order in which the registry gave them.
    """

    entry_digest: Digest
    registration_number: str | None = None
    changes: tuple[tuple[Digest, Digest | None], ...] = ()
    flags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the canonical bytes, which are the leaf data of `outcomes_root`.

        Raises:
            NotCanonicalError: A text has a character outside the table.
        """
        return encode(
            (
                *(_VERSION, self.entry_digest, self.registration_number),
                *(self.changes, self.flags, self.warnings),
            )
        )


def parse_outcome(raw: bytes) -> Outcome:
    """Make an outcome of bytes from anywhere.

    Raises:
        InvalidDataError: Too long, not canonical, or a shape, bound or order is wrong.
    """
    fields = read_array(decode(raw, OUTCOME_BYTES_MAX, limit="outcome bytes"), "outcome", 6)
    read_version(fields[0], "outcome.version", _VERSION)
    array = read_array(fields[3], "outcome.changes", (0, ENTRY_TOUCHES_MAX))
    changes = tuple([_read_change(change) for change in array])
    check_ascending(changes, _place, "outcome.changes")
    return Outcome(
        entry_digest=read_digest(fields[1], "outcome.entry_digest"),
        registration_number=read_optional_text(
            fields[2], "outcome.registration_number", REGISTRATION_NUMBER_CHARS_MAX
        ),
        changes=changes,
        flags=_read_notes(fields[4], "outcome.flags"),
        warnings=_read_notes(fields[5], "outcome.warnings"),
    )


def outcomes_root(outcomes: Sequence[Outcome]) -> Digest:
    """Return the list root of the outcomes of a block, in the order of its entries."""
    return encoded_outcomes_root([outcome.to_bytes() for outcome in outcomes])


def encoded_outcomes_root(encoded: Sequence[bytes]) -> Digest:
    """Return the list root of outcomes given as bytes, which the caller wants to store as well."""
    return merkle.root([merkle.leaf_hash(outcome) for outcome in encoded])


def _read_change(value: Value) -> tuple[Digest, Digest | None]:
    key, new = read_array(value, "outcome.change", 2)
    return read_digest(key, "change.state_key"), read_optional_digest(new, "change.value_hash")


def _place(change: tuple[Digest, Digest | None]) -> bytes:
    return change[0]


def _read_notes(value: Value, name: str) -> tuple[str, ...]:
    array = read_array(value, name, (0, NOTES_MAX))
    return tuple([read_text(note, name, NAME_CHARS_MAX, chars_min=1) for note in array])
