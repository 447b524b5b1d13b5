"""Why consensus refused something that came from outside.

* ledger.errors.InvalidDataError   whoever sent it is at fault: refuse, keep running
  + InvalidMessageError            a proposal, vote or proof that cannot be what it claims
    + UnknownValidatorError        it names a validator that the set of its height lacks
  + InvalidEvidenceError           two messages that do not contradict each other
  + OldEvidenceError               keys so old may be in anybody's hands by now
  + ledger.errors.InvalidBlockError
    + BlockEvidenceError           a block with evidence that may not stand in it
* ledger.errors.InvalidGenesisError
  + InvalidParametersError         timeouts with which a network could not work

A signature that does not verify is `keys.errors.BadSignatureError`. The rules themselves raise
nothing: a message that means nothing now changes nothing.
"""

from ledger.errors import InvalidBlockError, InvalidDataError, InvalidGenesisError
from ledger.trust import OldHeaderError


class InvalidMessageError(InvalidDataError):
    """A message contradicts itself, or does not prove what it says."""

    code = "consensus.invalid_message"


class UnknownValidatorError(InvalidMessageError):
    """A message names a validator that the set of its height does not have."""

    code = "consensus.unknown_validator"


class InvalidEvidenceError(InvalidDataError):
    """Two signed messages that one honest validator may well have sent."""

    code = "consensus.invalid_evidence"


class OldEvidenceError(OldHeaderError):
    """Evidence from so long ago that the keys may have been stolen since; only the chain tells."""

    code = "consensus.evidence_too_old"


class BlockEvidenceError(InvalidBlockError):
    """A block holds evidence that is none, too old, out of order, or in the chain already."""

    code = "consensus.block_wrong_evidence"


class InvalidParametersError(InvalidGenesisError):
    """Timeouts that are impossible, or too short for the clock precision."""

    code = "consensus.invalid_parameters"
