"""The design's limits in one table. Each has a test on both sides; refusing names limit and value.

Bounds of one format or one part of the program stand beside their use.

Source: the design's architecture, section 6.
"""

from typing import Final

from ledger.errors import LimitExceededError

BLOCK_ENTRIES_MAX: Final = 1_024
"""Entries in a block: an in-block path of 10 hashes fits a printable QR code."""
ENTRY_BYTES_MAX: Final = 65_535
"""Bytes of an entry, without its sealed bodies."""
BODY_BYTES_MAX: Final = 256 * 1024
"""Bytes of one sealed body."""
BLOCK_BODIES_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of all sealed bodies of a block together."""
BLOCK_BYTES_MAX: Final = 5 * 1024 * 1024
"""Bytes of a block: one POST."""
BLOCK_EVIDENCE_MAX: Final = 16
"""Pieces of evidence in a block."""
ENTRY_TOUCHES_MAX: Final = 4_096
"""State keys that one entry may write."""
ENTRY_STEPS_MAX: Final = 10_000
"""Steps through family links that one entry may cost."""
MESSAGE_BYTES_MAX: Final = 64 * 1024
"""Bytes of a consensus message other than block bytes."""
NESTING_MAX: Final = 16
"""Depth of any parsed value."""
VALIDATORS_MAX: Final = 64
"""Validators of a set."""
ENTRY_SIGNERS_MAX: Final = 64
"""Signers of an entry."""
ENTRY_PARTS_MAX: Final = 64
"""Parts of an entry: head, records, context."""
POOL_ENTRIES_MAX: Final = 50_000
POOL_BYTES_MAX: Final = 64 * 1024 * 1024
POOL_SIGNER_ENTRIES_MAX: Final = 1_000
POOL_SIGNER_BYTES_MAX: Final = 8 * 1024 * 1024
POOL_SIGNER_SHARE: Final = 8
"""A signer may hold one eighth of what is free, so a pool that many stuff still has room."""
POOL_SIGNER_ENTRIES_LEAST: Final = 16
"""What a signer may hold however full the pool is, while it is not quite full."""
POOL_RECORD_DEPTH_MAX: Final = 16
"""Entries of one record that may wait in the pool, one behind the other."""
NOT_AFTER_AHEAD_MAX_MS: Final = 31 * 24 * 3_600_000
"""How far ahead the end of an act may be for anybody to keep anything of it: each operation allows
30 days at most."""
STAGED_SIGNER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of staged sealed bodies for one signer."""
REQUEST_BODY_BYTES_MAX: Final = 2 * 1024 * 1024
"""Bytes of a public request's body."""
REQUEST_HEADER_BYTES_MAX: Final = 16 * 1024
"""Bytes of a request's header: its line, all fields and the empty line."""
REQUEST_HEADER_FIELDS_MAX: Final = 128
"""Fields in the header of a request; each takes time to parse, however short it is."""
REQUEST_READ_TIMEOUT_MS: Final = 10_000
COMMIT_WAIT_TIMEOUT_MS: Final = 30_000
CERTIFICATES_LIVE_MAX: Final = 64
"""Live certificates of a record."""
COMPETENCES_MAX: Final = 256
"""Competences of one office, past ones too: each act of the office may look at all."""
PERSON_KEYS_MAX: Final = 1_024
"""Keys that a person ever enrolled: each signature and custody form may look at all."""
PERSON_CHILDREN_MAX: Final = 1_024
"""Births of which one person is a parent, ended ones too: undoing a birth looks at all."""
OFFICER_ROLES_MAX: Final = 64
"""Roles of one person at one agency, past ones too."""
OFFICER_ROLES_BYTES_MAX: Final = 32 * 1024
"""Bytes of those: the roles at all agencies stand in one row of the state."""


def check_limit(limit: str, value: int, maximum: int) -> None:
    """Refuse a value over a maximum.

    Args:
        limit: The limit's name, as an operator would look it up.
        value: What came.
        maximum: What is allowed at most.

    Raises:
        LimitExceededError: `value > maximum`; names the limit, the value and the maximum.
    """
    if value > maximum:
        raise LimitExceededError(
            f"{limit} is {value}, over the limit of {maximum}",
            limit=limit,
            value=value,
            maximum=maximum,
        )
