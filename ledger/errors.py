"""Why the ledger refused something, sorted by who has to act.

* LedgerError
  x InvalidDataError         whoever sent the bytes is at fault: refuse them, keep running
    + NotCanonicalError
    + LimitExceededError
    + InvalidEntryError
    + InvalidBlockError
    + InvalidProofError
    + InvalidQuorumError
    + InvalidGenesisError
    + InvalidSnapshotError
    + UntrustedError         the trust bundle does not vouch for this
  x CorruptStoreError        our own disk is at fault: stop the node, call the operator
    + CorruptWalError
  x DiskRefusedError         disk or system refuse: full, failing, no right; nothing is damaged
  x StoreInUseError          another process has this store open
  x SnapshotPlaceError       something stands where a snapshot was to be put
  x HistoryMissingError      this node began with a snapshot: what is older lies elsewhere
  x PurgedError              the bytes were erased for good; nobody may serve them again
"""

from keys.errors import CivregError


class LedgerError(CivregError):
    """The ledger refused something."""

    code = "ledger.error"


class InvalidDataError(LedgerError):
    """Bytes from outside are not what they claim to be; whoever sent them is at fault."""

    code = "ledger.invalid_data"


class NotCanonicalError(InvalidDataError):
    """The bytes are not the one canonical encoding of a value, or hold a forbidden value."""

    code = "ledger.not_canonical"


class LimitExceededError(InvalidDataError):
    """Something is larger than a limit of `ledger.limits`; details: limit, value, maximum."""

    code = "ledger.limit_exceeded"


class InvalidEntryError(InvalidDataError):
    """The shape of an entry is wrong."""

    code = "ledger.invalid_entry"


class InvalidBlockError(InvalidDataError):
    """A block or header contradicts itself or the chain before it."""

    code = "ledger.invalid_block"


class InvalidProofError(InvalidDataError):
    """A proof does not lead from its claim to the root."""

    code = "ledger.invalid_proof"


class InvalidQuorumError(InvalidDataError):
    """A quorum certificate is not by more than two thirds of the weight of its set."""

    code = "ledger.invalid_quorum"


class InvalidGenesisError(InvalidDataError):
    """The genesis document contradicts itself or lacks something."""

    code = "ledger.invalid_genesis"


class InvalidSnapshotError(InvalidDataError):
    """A snapshot is not that of the certified state; its subclasses say what is wrong."""

    code = "ledger.invalid_snapshot"


class UntrustedError(InvalidDataError):
    """The trust bundle does not vouch for the validator set that signed."""

    code = "ledger.untrusted"


class CorruptStoreError(LedgerError):
    """Our own disk holds something impossible: stop the node, call the operator."""

    code = "ledger.corrupt_store"


class CorruptWalError(CorruptStoreError):
    """The write-ahead log is damaged where it was on the disk: no crash explains it."""

    code = "ledger.corrupt_wal"


class DiskRefusedError(LedgerError):
    """Disk or system refused to write or read; nothing that depends on it may happen.

    No damage: a repair would mend what is whole. Details: file, if one is known, and reason.
    """

    code = "ledger.disk_refused"


class StoreInUseError(LedgerError):
    """Another process has this store or log open."""

    code = "ledger.store_in_use"


class PurgedError(LedgerError):
    """The bytes with this digest were erased for good, by an entry on the ledger."""

    code = "ledger.purged"


class HistoryMissingError(LedgerError):
    """What is asked for is older than this node's history, which a snapshot began."""

    code = "ledger.history_missing"
