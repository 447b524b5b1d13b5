"""Why the state machine refused an entry, one class for each rule.

A refusal leaves the state untouched and says the same on every node. The `code` never changes;
`details` hold numbers and ids that help, never anything sealed. `docs/records.md` lists all codes.

* RegistryError
  + SchemaError                  the text of a record type, policy or code table is wrong
  x RuleError                    whoever made the entry is at fault: refuse it, keep running
    + EntryRefusedError          the head, the parts or the fields
    + SignerRefusedError         who signed, and as what
    + AuthorityRefusedError      mandate, competence, office, officer
    + ContentRefusedError        what the law or another record stands against
  x ReplayError                  a copy of the chain does not follow from its own entries
  x CorruptStateError            our own state holds something impossible: stop the node
"""

from keys.errors import CivregError


class RegistryError(CivregError):
    """The root of what this floor raises."""

    code = "registry.error"


class SchemaError(RegistryError):
    """The text of a record type, a policy or a code table is not acceptable."""

    code = "registry.schema"


class CorruptStateError(RegistryError):
    """A stored state value has an impossible shape: our disk, or our mistake."""

    code = "registry.corrupt_state"


class RuleError(RegistryError):
    """The state machine refuses this entry; the state is as before."""

    code = "registry.refused"


# --- the entry itself ---------------------------------------------------------------------------


class EntryRefusedError(RuleError):
    """The head, the set of parts or a field is not what the record type asks for."""

    code = "registry.entry"


class WrongNetworkError(EntryRefusedError):
    """The entry was made for another network."""

    code = "registry.wrong_network"


class ExpiredError(EntryRefusedError):
    """`not_after_ms` has passed."""

    code = "registry.expired"


class NotAfterTooFarError(EntryRefusedError):
    """`not_after_ms` is further ahead than such an entry may say."""

    code = "registry.not_after_too_far"


class ReplayedError(EntryRefusedError):
    """This very entry, or this act, is in the chain already."""

    code = "registry.replayed"


class UnknownKindError(EntryRefusedError):
    """No record type in force has this operation."""

    code = "registry.unknown_kind"


class SchemaVersionError(EntryRefusedError):
    """The entry names another schema version than the one in force; details: current."""

    code = "registry.schema_version"


class EmptyBasisError(EntryRefusedError):
    """No legal basis is given."""

    code = "registry.empty_basis"


class WrongPartsError(EntryRefusedError):
    """The entry has other records or objects than the operation writes."""

    code = "registry.wrong_parts"


class StaleVersionError(EntryRefusedError):
    """The record has moved on; details: current, the version that is in force."""

    code = "registry.stale_version"


class WrongIdError(EntryRefusedError):
    """The id of a new record is not the one that follows from the entry."""

    code = "registry.wrong_id"


class RecordUnknownError(EntryRefusedError):
    """There is no such record, or it is of another type."""

    code = "registry.record_unknown"


class ObjectUnknownError(EntryRefusedError):
    """There is no such ballot, grant, notice, encumbrance or other object."""

    code = "registry.object_unknown"


class WrongStatusError(EntryRefusedError):
    """The operation is not for a record with this status; details: status."""

    code = "registry.wrong_status"


class BlockedError(EntryRefusedError):
    """A flag of the record stands against the operation; details: flag."""

    code = "registry.blocked"


class UnknownFieldError(EntryRefusedError):
    """The record type has no such field, or a clerk may not set it; details: field."""

    code = "registry.unknown_field"


class MissingFieldError(EntryRefusedError):
    """A required field is absent; details: field."""

    code = "registry.missing_field"


class FieldValueError(EntryRefusedError):
    """A field's value has the wrong type or is out of bounds; details: field."""

    code = "registry.field_value"


class FieldNotWritableError(EntryRefusedError):
    """The operation may not change this field; details: field."""

    code = "registry.field_not_writable"


class SupplementOverwritesError(EntryRefusedError):
    """A supplement may fill empty fields only; details: field."""

    code = "registry.supplement_overwrites"


class PersonalNumberInClearError(EntryRefusedError):
    """Member text holds a run of exactly 12 digits; details: field."""

    code = "registry.personal_number_in_clear"


class SealWrongError(EntryRefusedError):
    """A record with sealed fields has no sealed body, or one without has one."""

    code = "registry.seal_wrong"


class ReasonMissingError(EntryRefusedError):
    """The operation needs a reason code in the context."""

    code = "registry.reason_missing"


class AttestationIncompleteError(EntryRefusedError):
    """The attested office rules are not exactly those the operation requires; details: rule."""

    code = "registry.attestation_incomplete"


class PackNotInForceError(EntryRefusedError):
    """An attested rule names a rule pack that is not in force."""

    code = "registry.pack_not_in_force"


class ReceivedOnError(EntryRefusedError):
    """`received_on` is too far back, in the future, or no intake notice of that day backs it."""

    code = "registry.received_on"


class TooMuchWorkError(EntryRefusedError):
    """The entry writes too many state keys or walks too many family links; details: limit."""

    code = "registry.too_much_work"


# --- who signed ---------------------------------------------------------------------------------


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


class KeyUnknownError(SignerRefusedError):
    """The state knows no such key."""

    code = "registry.key_unknown"


class KeyNotInForceError(SignerRefusedError):
    """The key is not yet, or no longer, in force."""

    code = "registry.key_not_in_force"


class KeyProvisionalError(SignerRefusedError):
    """A newly enrolled key may not dispose of anything yet; details: settled_from."""

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


# --- mandate, competence, officer ---------------------------------------------------------------


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


# --- what the law or another record stands against ----------------------------------------------


class ContentRefusedError(RuleError):
    """What the entry says cannot stand beside the law or the rest of the state."""

    code = "registry.content"


class DateOrderError(ContentRefusedError):
    """A date comes before or after another one that it may not."""

    code = "registry.date_order"


class UnitInvalidError(ContentRefusedError):
    """The unit or code is not in its table on that date; details: field."""

    code = "registry.unit_invalid"


class EvidenceError(ContentRefusedError):
    """The evidence is not marked sufficient, or not official where it must be."""

    code = "registry.evidence"


class ParentImpossibleError(ContentRefusedError):
    """A named parent cannot be the parent."""

    code = "registry.parent_impossible"


class LateWithoutReasonError(ContentRefusedError):
    """The duty was done late and no reason code is given."""

    code = "registry.late_without_reason"


class PotentialDuplicateError(ContentRefusedError):
    """Another record may be about the same event; an officer must decide first."""

    code = "registry.potential_duplicate"


class TakenError(ContentRefusedError):
    """The unique value or tag belongs to another record; details: namespace."""

    code = "registry.taken"


class TagUnsignedError(ContentRefusedError):
    """A tag is not signed by the namespace's tag service for this record; details: namespace."""

    code = "registry.tag_unsigned"


class ClaimWrongError(ContentRefusedError):
    """The claims are not those that the operation makes; details: namespace."""

    code = "registry.claim_wrong"


class SharesSumError(ContentRefusedError):
    """The holders' shares do not sum to exactly one."""

    code = "registry.shares_sum"


class HolderWrongError(ContentRefusedError):
    """A holder is no identity or organization, is named twice, or stands where none belongs."""

    code = "registry.holder_wrong"


class LinkWrongError(ContentRefusedError):
    """A link leads to no record of the type it must lead to; details: field."""

    code = "registry.link_wrong"


class ObligationOpenError(ContentRefusedError):
    """A financial obligation is open."""

    code = "registry.obligation_open"


class TermOverError(ContentRefusedError):
    """The term of the right is over."""

    code = "registry.term_over"


class WaitNotOverError(ContentRefusedError):
    """A waiting time has not begun or is not over."""

    code = "registry.wait_not_over"


class ImportNotOpenError(ContentRefusedError):
    """No window is open for this office and source, or its announced count is used up."""

    code = "registry.import_not_open"


class CertificatesFullError(ContentRefusedError):
    """The record has as many live certificates as it may have."""

    code = "registry.certificates_full"


class ParameterRefusedError(ContentRefusedError):
    """There is no such network parameter, or the value is not allowed."""

    code = "registry.parameter"


# --- replay -------------------------------------------------------------------------------------


class ReplayError(RegistryError):
    """A copy of the chain does not follow from its entries; details: height, index."""

    code = "registry.replay"


class RuleViolatedError(ReplayError):
    """A block holds an entry that the rules refuse; details: rule, height, index."""

    code = "registry.replay_rule_violated"


class ReplaySignatureError(ReplayError):
    """A block holds an entry with a wrong signature; details: height, index."""

    code = "registry.replay_bad_signature"


class OutcomesDifferError(ReplayError):
    """The outcomes of a block differ from its header; details: expected, found."""

    code = "registry.replay_outcomes_differ"


class StateDiffersError(ReplayError):
    """The state after a block differs from its header; details: expected, found."""

    code = "registry.replay_state_differs"
