"""Why an entry was refused because of who signed it, or of what they were allowed to do.

The whole tree and what the codes promise: `registry.errors`.
"""

from registry.errors import RuleError


class SignerRefusedError(RuleError):
    """The set of signers, or one of them, is not what the policy needs."""

    code = "registry.signers"


class SignerMissingError(SignerRefusedError):
    """The policy needs one more signer; details: term."""

    code = "registry.signer_missing"


class SignerIdleError(SignerRefusedError):
    """A signer is not needed; details: term."""

    code = "registry.signer_idle"


class SignerWrongError(SignerRefusedError):
    """A signer is not the person, or not of the kind, that its term stands for; details: term."""

    code = "registry.signer_wrong"


class LenderMissingError(SignerMissingError):
    """A live mortgage's lender does not consent."""

    code = "registry.lender_missing"


class CustodianMissingError(SignerMissingError):
    """An entry with a sealed body lacks the signature of its agency's custodian."""

    code = "registry.custodian_missing"


class OtherKeeperError(SignerRefusedError):
    """What an owner does alone goes through the agency whose custodian holds the record's body."""

    code = "registry.other_keeper"


class KeyUnknownError(SignerRefusedError):
    """The state knows no such key."""

    code = "registry.key_unknown"


class KeyNotInForceError(SignerRefusedError):
    """The key is not yet, or no longer, in force."""

    code = "registry.key_not_in_force"


class KeyProvisionalError(SignerRefusedError):
    """A newly enrolled key may not dispose, nor change keys or contact; details: settled_from."""

    code = "registry.key_provisional"


class KeyTakenError(SignerRefusedError):
    """A key to be enrolled is in the state already."""

    code = "registry.key_taken"


class SignatureWrongError(SignerRefusedError):
    """A signature is not by the key that the entry names; details: term."""

    code = "registry.bad_signature"


class CustodyFormError(SignerRefusedError):
    """A custody form stands for a person with a key, or its officers are not the right ones."""

    code = "registry.custody_form"


class NotCapableError(SignerRefusedError):
    """By age or judgment the person cannot do this act alone, or cannot be represented in it."""

    code = "registry.not_capable"


class NotAliveError(SignerRefusedError):
    """A person who must be alive and active is not."""

    code = "registry.not_alive"


class OfficersNotDistinctError(SignerRefusedError):
    """One person stands as two officers."""

    code = "registry.officers_not_distinct"


class RelativeError(SignerRefusedError):
    """An officer is a party to the act or a relative of one."""

    code = "registry.relative"


class AuthorityRefusedError(RuleError):
    """The agency, office or officer was not allowed to do this on the block's date."""

    code = "registry.not_authorised"


class OfficeNotInForceError(AuthorityRefusedError):
    """There is no such office on the block's date, or the entry names none."""

    code = "registry.office_not_in_force"


class NoMandateError(AuthorityRefusedError):
    """No mandate of the agency covers type and operation on this date."""

    code = "registry.no_mandate"


class NoCompetenceError(AuthorityRefusedError):
    """No competence of the office covers type and operation on this date."""

    code = "registry.no_competence"


class WiderThanMandateError(AuthorityRefusedError):
    """An agency would give its office more than its own mandate."""

    code = "registry.wider_than_mandate"


class NotOfficerError(AuthorityRefusedError):
    """The key is not an officer's key of the office that the term asks for; details: term."""

    code = "registry.not_officer"


class RoleMissingError(AuthorityRefusedError):
    """The officer does not have the role for this record type; details: role."""

    code = "registry.role_missing"


class RoleNotInForceError(AuthorityRefusedError):
    """The officer's role has not begun or has ended on the block's date; details: role."""

    code = "registry.role_not_in_force"


class SameOfficeError(AuthorityRefusedError):
    """The officer must belong to an office of which no other officer of the entry is."""

    code = "registry.same_office"


class SameAgencyError(AuthorityRefusedError):
    """The officer must belong to an agency of which no other officer of the entry is."""

    code = "registry.same_agency"


class WrongCustodyError(AuthorityRefusedError):
    """The identity is not in the custody of this office, or not in that which the act is for."""

    code = "registry.wrong_custody"


class OfficerIdentityError(AuthorityRefusedError):
    """The officer's identity is not complete: unknown, not active, or without a number claim."""

    code = "registry.officer_identity"


class BallotClosedError(AuthorityRefusedError):
    """The ballot has passed or lapsed, or this agency has voted or has no vote."""

    code = "registry.ballot_closed"


class GovernanceDateError(AuthorityRefusedError):
    """A governance act would be in force too early; details: earliest."""

    code = "registry.governance_date"


class GovernanceConflictError(AuthorityRefusedError):
    """What a governance act would make exists already, or what it would end does not."""

    code = "registry.governance_conflict"


class CommitteeError(AuthorityRefusedError):
    """A change would leave the validators in a state in which no network may be.

    Details: validators, minimum.
    """

    code = "registry.committee"


class NotReadyError(AuthorityRefusedError):
    """A validator may not declare itself ready: not admitted, in the set, or not caught up."""

    code = "registry.not_ready"


class KeyChangedTooOftenError(AuthorityRefusedError):
    """A key of a node was changed as often as it may be for now.

    Details: purpose, count, days, from_date (when the next change is possible).
    """

    code = "registry.key_changed_too_often"


class AgencyNeededError(AuthorityRefusedError):
    """The agency cannot be removed: tags of a namespace are made by its service."""

    code = "registry.agency_needed"
