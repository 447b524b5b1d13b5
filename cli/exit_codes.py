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
        ExitCode.NO_NETWORK: "no network or no quorum; try again as the answer says",
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
        "cli.import_stopped": ExitCode.NO_NETWORK,
        "cli.import_unfinished": ExitCode.CONFLICT,
        "cli.import_elsewhere": ExitCode.CONFLICT,
        "cli.copy_short": ExitCode.CHAIN_BROKEN,
        "cli.no_trust_bundle": ExitCode.CANNOT_CHECK,
        "cli.nodes_running": ExitCode.CONFLICT,
        "cli.consensus_key_used": ExitCode.CONFLICT,
        "cli.part_foreign": ExitCode.INVALID_INPUT,
        "cli.part_missing": ExitCode.INVALID_INPUT,
        "cli.part_signature": ExitCode.SIGNATURE_BAD,
        "cli.part_twice": ExitCode.INVALID_INPUT,
        "cli.part_unsigned": ExitCode.INVALID_INPUT,
        "cli.service_keys_missing": ExitCode.KEY_NEEDED,
        "consensus.block_wrong_evidence": ExitCode.CHAIN_BROKEN,
        "consensus.evidence_too_old": ExitCode.CANNOT_CHECK,
        "keys.bad_signature": ExitCode.SIGNATURE_BAD,
        "keys.invalid_key": ExitCode.INVALID_INPUT,
        "ledger.corrupt_store": ExitCode.CHAIN_BROKEN,
        "ledger.corrupt_wal": ExitCode.CHAIN_BROKEN,
        "ledger.invalid_block": ExitCode.CHAIN_BROKEN,
        "ledger.invalid_proof": ExitCode.FORGED,
        "ledger.invalid_quorum": ExitCode.QUORUM_MISSING,
        "ledger.untrusted": ExitCode.CANNOT_CHECK,
        "keys.key_file_exists": ExitCode.CONFLICT,
        "ledger.quorum_bad_signature": ExitCode.SIGNATURE_BAD,
        "ledger.quorum_foreign_signer": ExitCode.QUORUM_MISSING,
        "ledger.quorum_too_light": ExitCode.QUORUM_MISSING,
        "ledger.block_wrong_headers_root": ExitCode.CHAIN_BROKEN,
        "ledger.block_wrong_height": ExitCode.CHAIN_BROKEN,
        "ledger.block_wrong_log": ExitCode.CHAIN_BROKEN,
        "ledger.block_wrong_network": ExitCode.CHAIN_BROKEN,
        "ledger.block_wrong_parent": ExitCode.CHAIN_BROKEN,
        "ledger.block_wrong_proposer": ExitCode.CHAIN_BROKEN,
        "ledger.block_wrong_quorum": ExitCode.QUORUM_MISSING,
        "ledger.block_wrong_time": ExitCode.CHAIN_BROKEN,
        "ledger.block_wrong_validators": ExitCode.CHAIN_BROKEN,
        "ledger.disk_refused": ExitCode.FAILED,
        "ledger.purged": ExitCode.NOT_FOUND,
        "ledger.receipt_not_included": ExitCode.FORGED,
        "ledger.receipt_wrong_anchor": ExitCode.FORGED,
        "ledger.receipt_wrong_entry": ExitCode.FORGED,
        "ledger.receipt_wrong_header": ExitCode.FORGED,
        "ledger.receipt_wrong_height": ExitCode.FORGED,
        "ledger.receipt_wrong_index": ExitCode.FORGED,
        "ledger.receipt_wrong_network": ExitCode.CANNOT_CHECK,
        "ledger.receipt_wrong_outcome": ExitCode.FORGED,
        "ledger.receipt_wrong_part": ExitCode.FORGED,
        "ledger.light_expired": ExitCode.CANNOT_CHECK,
        "ledger.light_from_future": ExitCode.CANNOT_CHECK,
        "ledger.light_not_enough_trust": ExitCode.CANNOT_CHECK,
        "ledger.light_not_newer": ExitCode.CANNOT_CHECK,
        "ledger.light_wrong_answer": ExitCode.FORGED,
        "ledger.light_wrong_network": ExitCode.CANNOT_CHECK,
        "ledger.light_wrong_parent": ExitCode.FORGED,
        "ledger.light_wrong_set": ExitCode.FORGED,
        "ledger.light_wrong_time": ExitCode.FORGED,
        "ledger.no_conflict": ExitCode.FORGED,
        "ledger.store_in_use": ExitCode.CONFLICT,
        "ledger.export_partial": ExitCode.CANNOT_CHECK,
        "ledger.history_missing": ExitCode.NOT_FOUND,
        "ledger.invalid_snapshot": ExitCode.INVALID_INPUT,
        "ledger.snapshot_nothing_yet": ExitCode.NOT_FOUND,
        "ledger.snapshot_place_taken": ExitCode.CONFLICT,
        "ledger.snapshot_wrong_chunk": ExitCode.FORGED,
        "ledger.snapshot_wrong_manifest": ExitCode.FORGED,
        "ledger.snapshot_wrong_network": ExitCode.INVALID_INPUT,
        "ledger.snapshot_wrong_state": ExitCode.FORGED,
        "ledger.no_such_entry": ExitCode.NOT_FOUND,
        "ledger.state_height_not_kept": ExitCode.NOT_FOUND,
        "ledger.store_missing": ExitCode.NOT_FOUND,
        "ledger.trust_forked": ExitCode.FORGED,
        "ledger.trust_needs_anchor": ExitCode.CANNOT_CHECK,
        "ledger.trust_stale": ExitCode.CANNOT_CHECK,
        "ledger.trust_unknown_validators": ExitCode.CANNOT_CHECK,
        "ledger.trust_wrong_network": ExitCode.INVALID_INPUT,
        "ledger.trust_wrong_validators": ExitCode.FORGED,
        "registry.bad_body": ExitCode.INVALID_INPUT,
        "registry.bad_signature": ExitCode.SIGNATURE_BAD,
        "registry.agency_needed": ExitCode.CONFLICT,
        "registry.ballot_closed": ExitCode.CONFLICT,
        "registry.blocked": ExitCode.CONFLICT,
        "registry.certificate_wrong": ExitCode.INVALID_INPUT,
        "registry.certificates_full": ExitCode.CONFLICT,
        "registry.corrupt_state": ExitCode.CHAIN_BROKEN,
        "registry.court_needed": ExitCode.CONFLICT,
        "registry.custodian_missing": ExitCode.NOT_AUTHORISED,
        "registry.custodian_refused": ExitCode.NOT_AUTHORISED,
        "registry.custody_form": ExitCode.NOT_AUTHORISED,
        "registry.empty_basis": ExitCode.INVALID_INPUT,
        "registry.entry": ExitCode.INVALID_INPUT,
        "registry.expired": ExitCode.EXPIRED,
        "registry.field_value": ExitCode.INVALID_INPUT,
        "registry.form_invalid": ExitCode.INVALID_INPUT,
        "registry.committee": ExitCode.CONFLICT,
        "registry.governance_conflict": ExitCode.CONFLICT,
        "registry.key_changed_too_often": ExitCode.CONFLICT,
        "registry.not_ready": ExitCode.CONFLICT,
        "registry.invalid_number": ExitCode.INVALID_INPUT,
        "registry.key_not_in_force": ExitCode.NOT_AUTHORISED,
        "registry.key_provisional": ExitCode.NOT_AUTHORISED,
        "registry.key_taken": ExitCode.CONFLICT,
        "registry.key_unknown": ExitCode.NOT_FOUND,
        "registry.lender_missing": ExitCode.NOT_AUTHORISED,
        "registry.missing_field": ExitCode.INVALID_INPUT,
        "registry.no_competence": ExitCode.NOT_AUTHORISED,
        "registry.no_mandate": ExitCode.NOT_AUTHORISED,
        "registry.not_alive": ExitCode.NOT_AUTHORISED,
        "registry.not_authorised": ExitCode.NOT_AUTHORISED,
        "registry.not_capable": ExitCode.NOT_AUTHORISED,
        "registry.not_officer": ExitCode.NOT_AUTHORISED,
        "registry.notice_filed": ExitCode.CONFLICT,
        "registry.object_unknown": ExitCode.NOT_FOUND,
        "registry.office_not_in_force": ExitCode.NOT_AUTHORISED,
        "registry.officer_identity": ExitCode.NOT_AUTHORISED,
        "registry.officers_not_distinct": ExitCode.NOT_AUTHORISED,
        "registry.openings_wrong": ExitCode.FORGED,
        "registry.other_keeper": ExitCode.NOT_AUTHORISED,
        "registry.parameter": ExitCode.INVALID_INPUT,
        "registry.personal_number_in_clear": ExitCode.INVALID_INPUT,
        "registry.potential_duplicate": ExitCode.CONFLICT,
        "registry.same_person": ExitCode.CONFLICT,
        "registry.problems": ExitCode.INVALID_INPUT,
        "registry.record_unknown": ExitCode.NOT_FOUND,
        "registry.relative": ExitCode.NOT_AUTHORISED,
        "registry.engine_version": ExitCode.CANNOT_CHECK,
        "registry.replay": ExitCode.CHAIN_BROKEN,
        "registry.replay_bad_signature": ExitCode.SIGNATURE_BAD,
        "registry.replay_outcomes_differ": ExitCode.STATE_DIFFERS,
        "registry.replay_state_differs": ExitCode.STATE_DIFFERS,
        "registry.replayed": ExitCode.CONFLICT,
        "registry.role_missing": ExitCode.NOT_AUTHORISED,
        "registry.role_not_in_force": ExitCode.NOT_AUTHORISED,
        "registry.same_agency": ExitCode.NOT_AUTHORISED,
        "registry.same_office": ExitCode.NOT_AUTHORISED,
        "registry.schema": ExitCode.INVALID_INPUT,
        "registry.schema_version": ExitCode.CONFLICT,
        "registry.seal_wrong": ExitCode.INVALID_INPUT,
        "registry.signer_idle": ExitCode.NOT_AUTHORISED,
        "registry.signer_missing": ExitCode.NOT_AUTHORISED,
        "registry.signer_wrong": ExitCode.NOT_AUTHORISED,
        "registry.signers": ExitCode.NOT_AUTHORISED,
        "registry.stale_version": ExitCode.CONFLICT,
        "registry.taken": ExitCode.CONFLICT,
        "registry.unknown_field": ExitCode.INVALID_INPUT,
        "registry.unknown_kind": ExitCode.NOT_FOUND,
        "registry.wider_than_mandate": ExitCode.NOT_AUTHORISED,
        "registry.wrong_custody": ExitCode.NOT_AUTHORISED,
        "registry.wrong_id": ExitCode.INVALID_INPUT,
        "registry.wrong_network": ExitCode.INVALID_INPUT,
        "registry.wrong_parts": ExitCode.INVALID_INPUT,
        "registry.wrong_status": ExitCode.CONFLICT,
        "node.access_unlogged": ExitCode.NOT_AUTHORISED,
        "node.bad_config": ExitCode.INVALID_INPUT,
        "node.guard": ExitCode.CHAIN_BROKEN,
        "node.guard_damaged": ExitCode.CHAIN_BROKEN,
        "node.guard_mismatch": ExitCode.KEY_NEEDED,
        "node.guard_missing": ExitCode.CHAIN_BROKEN,
        "node.address_unusable": ExitCode.CONFLICT,
        "node.inconsistent": ExitCode.STATE_DIFFERS,
        "node.snapshot_too_old": ExitCode.CONFLICT,
        "node.snapshot_unavailable": ExitCode.NOT_FOUND,
        "node.wrong_home": ExitCode.INVALID_INPUT,
        "node.bad_request": ExitCode.INVALID_INPUT,
        "node.body_mismatch": ExitCode.INVALID_INPUT,
        "node.body_too_large": ExitCode.INVALID_INPUT,
        "node.forbidden": ExitCode.NOT_AUTHORISED,
        "node.header_too_large": ExitCode.INVALID_INPUT,
        "node.malformed_request": ExitCode.INVALID_INPUT,
        "node.media_type": ExitCode.INVALID_INPUT,
        "node.not_found": ExitCode.NOT_FOUND,
        "node.replayed_request": ExitCode.CONFLICT,
        "node.too_slow": ExitCode.NO_NETWORK,
        "node.unauthenticated": ExitCode.KEY_NEEDED,
        "node.wrong_method": ExitCode.INVALID_INPUT,
        "cli.usage": ExitCode.USAGE,
        "cli.no_such_command": ExitCode.USAGE,
        "cli.no_such_option": ExitCode.USAGE,
        "cli.missing_parameter": ExitCode.USAGE,
        "cli.bad_parameter": ExitCode.USAGE,
        "cli.not_found": ExitCode.NOT_FOUND,
        "cli.no_such_file": ExitCode.NOT_FOUND,
        "cli.file_exists": ExitCode.CONFLICT,
        "cli.key_needed": ExitCode.KEY_NEEDED,
        "cli.seal_key_needed": ExitCode.KEY_NEEDED,
        "cli.not_a_reader": ExitCode.NOT_AUTHORISED,
        "cli.access_needed": ExitCode.NOT_AUTHORISED,
        "cli.already_signed": ExitCode.CONFLICT,
        "cli.invalid_input": ExitCode.INVALID_INPUT,
        "cli.register_unusable": ExitCode.INVALID_INPUT,
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
