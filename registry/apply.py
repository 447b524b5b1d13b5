"""Apply an entry to the state: all of it or nothing, the same on every node.

`resolve_signatures` says which signatures must verify, `verify_entry` verifies them (it needs no
state, so it may run in another thread), `apply` does the rest. Only valid entries are in a block;
so `execute` raises at the first refusal and names the entry.

The order of checks is part of the promise: a replay is called a replay even when it has expired,
and a stale version is named before anybody asks who signed.

Source: records.md; formats.md, section 4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from keys.errors import BadSignatureError, InvalidKeyError
from keys.signing import KeyId, PublicKey, parse_public_key, verify
from ledger.entries import Entry, SignatureSlot, signature_slots
from ledger.frozen import quick_init
from ledger.outcomes import Outcome
from ledger.parts import CUSTODIAN_TERM
from ledger.state_keys import blind_seed
from registry.act_expiry import forget_acts, remember_act
from registry.added_signers import policy_of
from registry.authority import check_authority, office_in_force
from registry.authority_errors import (
    KeyUnknownError,
    OfficeNotInForceError,
    OtherKeeperError,
    SignatureWrongError,
)
from registry.authority_rows import AgencyRow, KeyRow
from registry.ballots import BALLOT_EFFECTS
from registry.books import take_number
from registry.certification import turn_certificates
from registry.civil_calendar import civil_date, in_range
from registry.claims import (
    check_matches,
    release_claims,
    settle_claims,
    tag_checks,
    tagged_namespaces,
)
from registry.committee import validator_set_at
from registry.content_errors import TagUnsignedError
from registry.effects import EFFECTS, Effect
from registry.entry_checks import (
    check_context,
    check_head,
    check_network,
    check_objects,
    find_operation,
    load_side_act,
)
from registry.errors import BlockedError, BlockRefusedError, RuleError
from registry.governance import GOVERNANCE_EFFECTS
from registry.membership import MEMBERSHIP_EFFECTS
from registry.policies import OFFICER_TERMS
from registry.possible_duplicates import POTENTIAL_DUPLICATE, found_before, refuse_duplicate
from registry.record_checks import check_records, check_versions, load_records
from registry.rules import RULES, lateness
from registry.running import BlockContext, Run
from registry.settling import record_row, set_subject
from registry.side_effects import SIDE_EFFECTS
from registry.signers import check_signers
from registry.standing import count_standing
from registry.state import State
from registry.state_key_names import agency_key, key_key, record_key
from registry.vocabulary import KEY_OBJECTS

__all__ = [
    "BlockContext", "Execution", "SignatureCheck", "VerifiedEntry", "apply", "execute",
    "rehearse", "resolve_signatures", "validator_set_at", "verify_entry",
]  # fmt: skip

ALL_EFFECTS: Final[dict[str, Effect]] = {
    **EFFECTS,
    **SIDE_EFFECTS,
    **GOVERNANCE_EFFECTS,
    **BALLOT_EFFECTS,
    **MEMBERSHIP_EFFECTS,
}


@quick_init
@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """One signature that must verify.

    Attributes:
        key: By which key.
        message: Over which bytes.
        signature: The signature.
        term: As what it was given, for the refusal.
    """

    key: PublicKey
    message: bytes
    signature: bytes
    term: str


@quick_init
@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """An entry of which every signature has been verified; made by `verify_entry` only.

    Attributes:
        entry: The entry.
        tag_keys: Key ids of the tag services whose signatures were verified, in the entry's order.
    """

    entry: Entry
    tag_keys: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True)
class Execution:
    """What a block's entries gave.

    Attributes:
        outcomes: One for each entry, in order.
    """

    outcomes: tuple[Outcome, ...]


def resolve_signatures(state: State, entry: Entry) -> tuple[SignatureCheck, ...]:
    """Return all signatures of an entry that must verify: its signers', then its tags'.

    Args:
        state: Where the keys lie; a key's bytes follow from its id, in every state.
        entry: As parsed.

    Raises:
        KeyUnknownError: A key is neither in the state nor about to be enrolled by this entry.
        TagUnsignedError: A tag's namespace or its service's key is unknown.
    """
    message = entry.sign_message
    checks = [
        SignatureCheck(_key_of(state, entry, slot), message, slot.signature, slot.signer.term)
        for slot in signature_slots(entry)
    ]
    for _key_id, key, statement, signature in tag_checks(state, entry):
        checks.append(SignatureCheck(key, statement, signature, TAG_TERM))
    return tuple(checks)


TAG_TERM: Final = "tag service"


def _key_of(state: State, entry: Entry, slot: SignatureSlot) -> PublicKey:
    row = state.read(key_key(slot.key_id), KeyRow)
    if row is not None:
        return row.public_key
    for item in entry.objects:
        algorithm, public = item.fields.get("algorithm"), item.fields.get("public")
        if item.kind in KEY_OBJECTS and isinstance(algorithm, int) and isinstance(public, bytes):
            try:
                key = parse_public_key(algorithm, public)
            except InvalidKeyError:
                continue
            if key.key_id == slot.key_id:
                return key
    raise KeyUnknownError("the state knows no such key", term=slot.signer.term)


def verify_entry(entry: Entry, checks: Sequence[SignatureCheck]) -> VerifiedEntry:
    """Verify the signatures of an entry; pure, so any thread may do it.

    Args:
        entry: The entry.
        checks: What `resolve_signatures` gave for it.

    Raises:
        SignatureWrongError: A signature is not by its key over its message.
    """
    for check in checks:
        try:
            verify(check.key, check.message, check.signature)
        except BadSignatureError as error:
            if check.term == TAG_TERM:
                raise TagUnsignedError(
                    "a tag is not signed by its service", namespace=tagged_namespaces(entry)
                ) from error
            raise SignatureWrongError(
                f"the signature as {check.term!r} is wrong", term=check.term
            ) from error
    tag_keys = tuple([check.key.key_id for check in checks if check.term == TAG_TERM])
    return VerifiedEntry(entry, tag_keys)


def apply(state: State, verified: VerifiedEntry, block: BlockContext) -> Outcome:
    """Apply one entry.

    Args:
        state: Takes over what the entry writes; untouched if it is refused.
        verified: The entry with verified signatures.
        block: Height, index, time and network.

    Returns:
        The entry's outcome, leaf of the block's `outcomes_root`.

    Raises:
        RuleError: Why the entry is refused.
    """
    fork = state.fork()
    outcome = _apply(fork, verified, block)
    state.absorb(fork)
    return outcome


def rehearse(state: State, verified: VerifiedEntry, block: BlockContext) -> None:
    """Apply one entry to a guess of what comes: as `apply`, but nothing is made for the store.

    Args:
        state: A fork that is never stored; takes over what the entry writes.
        verified: The entry with verified signatures.
        block: Height, index, time and network.

    Raises:
        RuleError: Why the entry is refused.
    """
    fork = state.fork()
    _run(fork, verified, block)
    fork.leave_unsealed()
    state.absorb(fork)


def execute(
    state: State, entries: Sequence[VerifiedEntry | Entry], block: BlockContext
) -> Execution:
    """Apply the entries of a block in order; the first has the context's index.

    Args:
        state: Takes over what the block writes; untouched if an entry is refused.
        entries: Verified, or as parsed: then their signatures are verified here.
        block: Height, time and network; index of the first entry, usually 0.

    Raises:
        BlockRefusedError: Names the first entry that is refused; its cause says why.
    """
    fork = state.fork()
    outcomes: list[Outcome] = []
    for at, given in enumerate(entries):
        try:
            verified = (
                given
                if isinstance(given, VerifiedEntry)
                else verify_entry(given, resolve_signatures(fork, given))
            )
            outcomes.append(apply(fork, verified, block.at(block.index + at)))
        except RuleError as error:
            index = block.index + at
            raise BlockRefusedError(
                f"entry {index}: {error.code}: {error}", index=index, rule=error.code
            ) from error
    state.absorb(fork)
    return Execution(tuple(outcomes))


def _apply(state: State, verified: VerifiedEntry, block: BlockContext) -> Outcome:
    run = _run(state, verified, block)
    return Outcome(
        entry_digest=run.entry.entry_digest,
        registration_number=run.registration_number,
        changes=state.seal_writes(blind_seed(run.entry)),
        flags=tuple(run.touched_flags),
        warnings=tuple(run.warnings),
    )


def _run(state: State, verified: VerifiedEntry, block: BlockContext) -> Run:
    """Check an entry and let it write to the state; nothing is sealed yet."""
    entry = verified.entry
    kind = entry.head.type_name, entry.head.operation
    record_type, operation, owner_type = find_operation(state, kind, block.height)
    day = civil_date(block.time_ms)
    run = Run(state, entry, block, day, record_type, operation, owner_type)
    check_network(run)
    (load_side_act if operation.side else load_records)(run)
    check_head(run)
    _check_tag_keys(run, verified)
    if not operation.side:
        check_versions(run)
    check_objects(run)
    check_records(run)
    check_context(run)
    _check_office(run)
    _check_flags(run)
    if operation.late is not None:
        run.is_late_by = lateness(run)
    check_signers(run, policy_of(run))
    for call in operation.rules:
        RULES[call.name](run, call.arguments)
    _do_effects(run)
    return run


def _check_tag_keys(run: Run, verified: VerifiedEntry) -> None:
    """The tag keys that were verified are those in force now."""
    if verified.tag_keys or any(part.claims or part.matches for part in run.entry.records):
        now = tuple([key_id for key_id, *_rest in tag_checks(run.state, run.entry)])
        if now != verified.tag_keys:
            raise TagUnsignedError(
                "the tag service has changed its key", namespace=tagged_namespaces(run.entry)
            )


def _check_office(run: Run) -> None:
    """Where an officer or a custodian signs, the office is in force and may do this."""
    operation = run.operation
    if run.head.office is None:
        has_officers = any(
            term.name in OFFICER_TERMS for terms in operation.signers.alternatives for term in terms
        )
        if has_officers or run.records or operation.signers.text == CUSTODIAN_TERM:
            raise OfficeNotInForceError("the entry names no office")
        return
    run.agency = office_in_force(run.state, run.head.office, run.day).agency
    if operation.wait_free:
        _check_keeper(run)
    elif not operation.any_office:
        check_authority(run.state, run.head.office, run.task)


def _check_keeper(run: Run) -> None:
    """What owners do alone goes through the agency that keeps their record, while it is a member.

    Its custodian holds the body; of a companion that is about to be made, the agency of the record
    beside which it stands.
    """
    row = (run.subject.before or run.target) if run.records else None
    keeper = None if row is None else row.sealed_by
    if keeper in {None, run.agency}:
        return
    agency = run.state.read(agency_key(keeper), AgencyRow)
    if agency is not None and in_range(run.day, agency.from_date, agency.to_date):
        raise OtherKeeperError("another agency's custodian keeps this record")


def _check_flags(run: Run) -> None:
    flags = () if run.target is None else run.target.flags
    for flag in run.operation.blocked_by:
        if flag in flags and flag == POTENTIAL_DUPLICATE and run.target is not None:
            refuse_duplicate(found_before(run.target.engine))
        if flag in flags:
            raise BlockedError(f"the record is {flag}", flag=flag)


def _do_effects(run: Run) -> None:
    operation = run.operation
    if run.records:
        set_subject(run)
        settle_claims(run, run.subject)
        for record in run.records:
            check_matches(run, record)
    effects: list[tuple[Callable[[Run, tuple[str, ...]], None], tuple[str, ...]]] = [
        (ALL_EFFECTS[call.name], call.arguments) for call in operation.effects
    ]
    for effect, arguments in effects:
        effect(run, arguments)
    if operation.number is not None:
        subject = run.subject
        number = take_number(run, operation.number, subject.part.record_id)
        run.registration_number = subject.registration_number = number
        subject.registered = run.place
    for record in run.records:
        if record.record_type.statuses.get(record.status) == "ended":
            release_claims(run, record)
        count_standing(run, record)
        run.state.write(record_key(record.part.record_id), record_row(run, record))
        turn_certificates(run, record)
    if operation.side:
        remember_act(run)
    forget_acts(run)
