"""What a command's exit status means: numbers that scripts rely on, so they never change.

`docs/exit-codes.md` is written from this file. Errors know nothing of these numbers: the tables
here map the stable code of an error to one, first the whole code, then its floor.
"""

from enum import IntEnum
from types import MappingProxyType
from typing import Final


class ExitCode(IntEnum):
    """Every exit status of `civreg`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    KEY_NEEDED = 4
    NOT_AUTHORISED = 5
    INVALID_INPUT = 6
    CONFLICT = 7
    NO_NETWORK = 8
    CANCELLED = 9
    CHAIN_BROKEN = 10
    SIGNATURE_BAD = 11
    STATE_DIFFERS = 12
    RULE_VIOLATED = 13
    QUORUM_MISSING = 14
    REVOKED = 15
    EXPIRED = 16
    CHANGED = 17
    FORGED = 18
    CANNOT_CHECK = 19

    @property
    def meaning(self) -> str:
        """Return the few English words that the documents show for this status."""
        return _MEANINGS[self]


_MEANINGS: Final = MappingProxyType(
    {
        ExitCode.OK: "ok",
        ExitCode.FAILED: "failed",
        ExitCode.USAGE: "usage: the command line itself is wrong",
        ExitCode.NOT_FOUND: "not found",
        ExitCode.KEY_NEEDED: "a key is needed, or it is the wrong one",
        ExitCode.NOT_AUTHORISED: "not authorised",
        ExitCode.INVALID_INPUT: "invalid input, or a document that cannot be read",
        ExitCode.CONFLICT: "conflict: the version moved, a duplicate, or already taken",
        ExitCode.NO_NETWORK: "no network or no quorum; try again",
        ExitCode.CANCELLED: "cancelled",
        ExitCode.CHAIN_BROKEN: "the chain is broken",
        ExitCode.SIGNATURE_BAD: "a signature is bad",
        ExitCode.STATE_DIFFERS: "the state differs",
        ExitCode.RULE_VIOLATED: "a rule is violated",
        ExitCode.QUORUM_MISSING: "the quorum is missing",
        ExitCode.REVOKED: "revoked, or its signer is compromised",
        ExitCode.EXPIRED: "expired",
        ExitCode.CHANGED: "changed since it was issued",
        ExitCode.FORGED: "a forged or mismatched proof",
        ExitCode.CANNOT_CHECK: "cannot be checked now",
    }
)

# By whole code. What is not here falls to its floor below.
_BY_CODE: Final = MappingProxyType(
    {
        "keys.bad_signature": ExitCode.SIGNATURE_BAD,
        "keys.invalid_key": ExitCode.INVALID_INPUT,
        "ledger.corrupt_store": ExitCode.CHAIN_BROKEN,
        "ledger.corrupt_wal": ExitCode.CHAIN_BROKEN,
        "ledger.invalid_block": ExitCode.CHAIN_BROKEN,
        "ledger.invalid_proof": ExitCode.FORGED,
        "ledger.invalid_quorum": ExitCode.QUORUM_MISSING,
        "ledger.untrusted": ExitCode.CANNOT_CHECK,
        "cli.usage": ExitCode.USAGE,
        "cli.no_such_command": ExitCode.USAGE,
        "cli.no_such_option": ExitCode.USAGE,
        "cli.missing_parameter": ExitCode.USAGE,
        "cli.bad_parameter": ExitCode.USAGE,
        "cli.not_found": ExitCode.NOT_FOUND,
        "cli.no_such_file": ExitCode.NOT_FOUND,
        "cli.file_exists": ExitCode.CONFLICT,
        "cli.key_needed": ExitCode.KEY_NEEDED,
        "cli.invalid_input": ExitCode.INVALID_INPUT,
        "cli.no_network": ExitCode.NO_NETWORK,
        "cli.cancelled": ExitCode.CANCELLED,
    }
)

_BY_FLOOR: Final = MappingProxyType(
    {
        "keys": ExitCode.KEY_NEEDED,
        "ledger": ExitCode.INVALID_INPUT,
        "consensus": ExitCode.INVALID_INPUT,
        "registry": ExitCode.RULE_VIOLATED,
        "node": ExitCode.NO_NETWORK,
    }
)


def exit_code_of(error_code: str) -> ExitCode:
    """Return the exit status for the stable code of an error, such as `registry.stale_version`.

    A code that this program does not know, for example from a newer node, falls to its floor, and
    what belongs to no floor is FAILED.
    """
    exact = _BY_CODE.get(error_code)
    if exact is not None:
        return exact
    return _BY_FLOOR.get(error_code.partition(".")[0], ExitCode.FAILED)


def mapped_codes() -> frozenset[str]:
    """Return the codes that have a line of their own, so that a test can find dead lines."""
    return frozenset(_BY_CODE)
