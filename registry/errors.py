"""Why the state machine refused an entry, one class for each rule.

A refusal leaves the state untouched and says the same on every node. The `code` never changes;
`details` hold numbers and ids that help, never anything sealed. `docs/records.md` lists all codes.

* RegistryError
  + SchemaError                  the text of a record type, policy or code table is wrong
  x RuleError                    whoever made the entry is at fault: refuse it, keep running
    + EntryRefusedError          the head, the parts or the fields
    + SignerRefusedError         who signed, and as what: registry.authority_errors
    + AuthorityRefusedError      mandate, competence, office, officer: registry.authority_errors
    + ContentRefusedError        what the law or another record forbids: registry.content_errors
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
    """The entry writes too many state keys or too long a row, or walks too many family links.

    Details: limit.
    """

    """The entry writes, walks or adds more than one may; details: limit, value, maximum."""

    code = "registry.too_much_work"


class BlockRefusedError(RuleError):
    """An entry of a block is refused, so the block is invalid; details: index, rule."""

    code = "registry.block_refused"


class EngineVersionError(RegistryError):
    """A height needs rules that this program lacks; details: height, needed, known."""

    code = "registry.engine_version"


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
