"""Why the node refused something or stopped, sorted by who has to act.

* NodeError
  x ConfigError              the operator: config.toml or a file it names; has every problem
  x GuardError               our key was asked for something that could contradict an older vote
    + GuardMissingError      a key without its guard file: a restored home, or a deleted file
    + GuardDamagedError      the guard file does not read
    + GuardMismatchError     guard and key do not belong together: one of the two is a wrong file
    + ContradictionError     other bytes for the same vote, or a step back: refused, never signed
  x InconsistentError        this node and the chain disagree: stop, call the operator, never guess
  x AddressUnusableError     an address of [listen] is taken, or is none of this machine
  x WrongHomeError           the data folder belongs to another network, or two nodes share it
  x SnapshotTooOldError      a snapshot from before what our key has signed
  x SnapshotUnavailableError no peer has a snapshot for us
  x PeerError                a peer: unreachable, unknown, slow, or it sent nonsense
    + PeerUnreachableError
    + PeerUnknownError
    + PeerMisbehavedError
  x InvalidProposalError     a block that a validator must not prevote for
  x AdmissionError           whoever submitted the entry: later, or less
    + PoolFullError
    + SignerLimitError
    + RecordDepthError
"""

from keys.errors import CivregError


class NodeError(CivregError):
    """The node refused something."""

    code = "node.error"


class ConfigError(NodeError):
    """The configuration cannot be used; every problem is named at once.

    Attributes:
        problems: One sentence for each problem: the setting, its value, what is wanted.
    """

    code = "node.bad_config"

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems), problems=len(problems))
        self.problems = problems


class GuardError(NodeError):
    """The last-signed guard stopped the use of the consensus key."""

    code = "node.guard"


class GuardMissingError(GuardError):
    """There is a consensus key and no guard file, so nobody knows what this key has signed."""

    code = "node.guard_missing"


class GuardDamagedError(GuardError):
    """The guard file exists and does not read."""

    code = "node.guard_damaged"


class GuardMismatchError(GuardError):
    """Guard and key do not belong together; either may be the wrong file, so nothing is advised."""

    code = "node.guard_mismatch"


class ContradictionError(GuardError):
    """To sign this could contradict what this key has signed before."""

    code = "node.contradiction"


class InconsistentError(NodeError):
    """This node and the certified chain disagree; it stops rather than guess."""

    code = "node.inconsistent"


class WrongHomeError(NodeError):
    """The home folder belongs to another network or is in use by another process."""

    code = "node.wrong_home"


class AddressUnusableError(NodeError):
    """The node cannot listen on an address; details: setting, address, reason."""

    code = "node.address_unusable"


class SnapshotTooOldError(NodeError):
    """The snapshot is older than what the consensus key of this home has signed."""

    code = "node.snapshot_too_old"


class SnapshotUnavailableError(NodeError):
    """No other node has a snapshot that this home can use."""

    code = "node.snapshot_unavailable"


class PeerError(NodeError):
    """Something with another node went wrong."""

    code = "node.peer"


class PeerUnreachableError(PeerError):
    """The peer did not answer, or not in time."""

    code = "node.peer_unreachable"


class PeerUnknownError(PeerError):
    """The presented key is no peer key of this network."""

    code = "node.peer_unknown"


class PeerMisbehavedError(PeerError):
    """The peer sent something that no honest peer sends."""

    code = "node.peer_misbehaved"


class InvalidProposalError(NodeError):
    """A block that no validator may prevote for; the message says which check failed."""

    code = "node.invalid_proposal"


class AdmissionError(NodeError):
    """The entry cannot be taken now, though there is nothing wrong with it."""

    code = "node.not_admitted"


class PoolFullError(AdmissionError):
    """The pool holds as many entries or bytes as it may; details: limit, value, maximum."""

    code = "node.pool_full"


class SignerLimitError(AdmissionError):
    """The pool holds as many entries of this signer as it may."""

    code = "node.signer_limit"


class RecordDepthError(AdmissionError):
    """The pool holds as many entries of this record, one behind the other, as it may."""

    code = "node.record_depth"
