"""Unique claims and match tags: what a record may hold alone, and what is only found.

A claim stands in the entry that makes or changes it. In mode `value` the ledger computes the value
from the record's fields; in mode `tag` it believes the tag service's signature, which
`registry.apply.resolve_signatures` has had verified.

Source: records.md, section 2.3.
"""

from keys.hashing import Digest
from keys.signing import KeyId, PublicKey
from ledger.entries import Entry
from ledger.parts import Claim, Match, RecordPart, TagProof
from registry.authority_rows import AgencyRow, KeyRow
from registry.content_errors import ClaimWrongError, TagUnsignedError, TakenError
from registry.field_specs import spec_at
from registry.lookalikes import FOLDED
from registry.rows import ClaimRow, HeldClaim, IndexRow, NamespaceRow
from registry.running import CLAIMED_AT, NewRecord, Run
from registry.schema import RecordType, Unique
from registry.state import State
from registry.state_key_names import (
    agency_key,
    claim_key,
    key_key,
    match_key,
    namespace_key,
)
from registry.tags import TagStatement


def tag_checks(state: State, entry: Entry) -> list[tuple[KeyId, PublicKey, bytes, bytes]]:
    """Return key id, key, message and signature of each tag in an entry, in its order.

    Raises:
        TagUnsignedError: The namespace is unknown, or its second agency has no tag key.
    """
    found: list[tuple[KeyId, PublicKey, bytes, bytes]] = []
    for part in entry.records:
        for claim in part.claims:
            if claim.proof is not None and isinstance(claim.value, bytes):
                tag = Digest(claim.value)
                found.append(
                    _check(state, entry, part, (claim.namespace, claim.epoch, tag), claim.proof)
                )
        for match in part.matches:
            named = (match.namespace, match.epoch, match.tag)
            found.append(_check(state, entry, part, named, match.proof))
    return found


def tagged_namespaces(entry: Entry) -> str:
    """Return the namespaces of an entry's tags, in its order, as a refusal names them."""
    found: list[str] = []
    for part in entry.records:
        found += [claim.namespace for claim in part.claims if claim.proof is not None]
        found += [match.namespace for match in part.matches]
    return ", ".join(dict.fromkeys(found)) or "-"


def _check(
    state: State,
    entry: Entry,
    part: RecordPart,
    named: tuple[str, int, Digest],
    proof: TagProof,
) -> tuple[KeyId, PublicKey, bytes, bytes]:
    namespace, epoch, tag = named
    key_id = _tag_key(state, namespace)
    row = None if key_id is None else state.read(key_key(key_id), KeyRow)
    if key_id is None or row is None:
        raise TagUnsignedError("no tag service signs for this namespace", namespace=namespace)
    statement = TagStatement(
        network_id=entry.head.network_id,
        namespace=namespace,
        epoch=epoch,
        tag=tag,
        commitment_leaf=proof.commitment_leaf,
        record_id=part.record_id,
        officer_key_id=proof.officer_key_id,
        expiry_ms=proof.expiry_ms,
    )
    return key_id, row.public_key, statement.sign_message, proof.signature


def _tag_key(state: State, namespace: str) -> KeyId | None:
    row = state.read(namespace_key(namespace), NamespaceRow)
    agency = None if row is None else state.read(agency_key(row.second_agency), AgencyRow)
    return None if agency is None else agency.keys.get("tag")


def check_proof(run: Run, namespace: str, epoch: int, proof: TagProof) -> None:
    """Refuse a tag of another epoch, one that has expired, or one that another officer asked for.

    Raises:
        TagUnsignedError: Names the namespace.
    """
    row = run.state.read(namespace_key(namespace), NamespaceRow)
    if row is None or row.epoch != epoch:
        raise TagUnsignedError("the tag is of another epoch", namespace=namespace)
    if proof.expiry_ms < run.block.time_ms:
        raise TagUnsignedError("the tag's signature has expired", namespace=namespace)
    if proof.officer_key_id not in run.officer_keys():
        raise TagUnsignedError("the tag was made for another officer", namespace=namespace)


def settle_claims(run: Run, record: NewRecord) -> None:
    """Take the claims that a part makes, and give back those that it replaces.

    Raises:
        ClaimWrongError: A claim the type lacks, with a wrong value, missing, or not to be changed.
        TagUnsignedError: A tag without a valid proof.
        TakenError: Another record holds it.
    """
    given = {claim.namespace: claim for claim in record.part.claims}
    if len(given) != len(record.part.claims):
        named = [claim.namespace for claim in record.part.claims]
        twice = next(name for name in named if named.count(name) > 1)
        raise ClaimWrongError("a namespace is claimed twice", namespace=twice)
    for unique in record.record_type.unique:
        claim = given.pop(unique.namespace, None)
        _settle(run, record, unique, claim)
    for namespace in given:
        raise ClaimWrongError("the record type makes no such claim", namespace=namespace)


def _settle(run: Run, record: NewRecord, unique: Unique, claim: Claim | None) -> None:
    namespace = unique.namespace
    held = next((item for item in record.claims if item[0] == namespace), None)
    wanted = _wanted(run, record, unique, claim)
    if wanted is None:
        if held is None and unique.required and not _may_be_unknown(run, unique):
            raise ClaimWrongError("the record must claim this", namespace=namespace)
        return
    if held == wanted:
        return
    if claim is None:
        raise ClaimWrongError("the claim is missing", namespace=namespace)
    if not _may_take(run, record, unique, held):
        raise ClaimWrongError("this operation may not change the claim", namespace=namespace)
    take_claim(run, record, wanted)
    if unique.mode == "tag":
        _note_office(run, record, namespace)
    if held is not None:
        record.claims.remove(held)
        if unique.scope == "live":
            run.state.delete(claim_key(*held))


def _note_office(run: Run, record: NewRecord, namespace: str) -> None:
    """Keep which office a tag is of, where another one made the record: it vouches for it."""
    known = record.engine.get(CLAIMED_AT, {})
    assert isinstance(known, dict), "only this function writes it"
    others = {name: office for name, office in known.items() if name != namespace}
    own = None if record.before is None else record.before.office
    if own is not None and own != run.head.office:
        others = dict(sorted({**others, namespace: run.head.office}.items()))
    if others != known:
        record.set_engine(CLAIMED_AT, others)


def _may_take(run: Run, record: NewRecord, unique: Unique, held: HeldClaim | None) -> bool:
    """Tell whether the entry may change a claim: new, of a writable field, or freed by an end."""
    before = record.before
    if before is None:
        return True
    was_freed = held is None and record.record_type.statuses.get(before.status) == "ended"
    return was_freed or any(
        run.operation.may_write(path.partition(".")[0]) for path in unique.fields
    )


def _wanted(run: Run, record: NewRecord, unique: Unique, claim: Claim | None) -> HeldClaim | None:
    """Return what the record shall hold: computed from its fields, or the tag that is proved."""
    if unique.mode == "value":
        value = claim_value(record.record_type, record.part, unique)
        if claim is not None and (claim.epoch, claim.value) != (0, value):
            raise ClaimWrongError("the claim is not the fields' value", namespace=unique.namespace)
        return None if value is None else (unique.namespace, 0, value)
    if claim is None:
        return None
    if claim.proof is None:
        raise TagUnsignedError("the claim must be a tag", namespace=unique.namespace)
    check_proof(run, unique.namespace, claim.epoch, claim.proof)
    return unique.namespace, claim.epoch, claim.value


def claim_value(record_type: RecordType, part: RecordPart, unique: Unique) -> str | None:
    """Return the value of a claim in clear: its fields joined by `/`; None if one is absent.

    A code stands as it is, a text in its one spelling (`one_spelling`).
    """
    found: list[str] = []
    for path in unique.fields:
        top, _, inner = path.partition(".")
        value = part.member.get(top)
        if inner and isinstance(value, dict):
            value = value.get(inner)
        if not isinstance(value, str):
            return None
        is_code = spec_at(record_type.fields, path).kind == "code"
        found.append(value if is_code else one_spelling(value))
    return "/".join(found)


def one_spelling(text: str) -> str:
    """Return a text as it is claimed: no second title, no second import by writing it another way.

    Without blanks, in upper case, lookalikes folded as `registry.lookalikes` says; a number without
    leading zeros; `~` and `/` as `~0` and `~1`.
    """
    bare = text.replace(" ", "").translate(FOLDED).replace("~", "~0").replace("/", "~1")
    return (bare.lstrip("0") or "0") if bare.isdecimal() else bare


def _may_be_unknown(run: Run, unique: Unique) -> bool:
    return any(path.partition(".")[0] in run.operation.may_be_unknown for path in unique.fields)


def take_claim(run: Run, record: NewRecord, claim: HeldClaim) -> None:
    """Write a claim for a record.

    Raises:
        TakenError: Another record holds it.
    """
    key = claim_key(*claim)
    row = run.state.read(key, ClaimRow)
    if row is not None and row.record_id != record.part.record_id:
        raise TakenError("another record holds this value", namespace=claim[0])
    run.state.write(key, ClaimRow(record.part.record_id))
    record.claims.append(claim)


def release_claims(run: Run, record: NewRecord) -> None:
    """Free the claims of scope `live` of a record that has ended."""
    scopes = {unique.namespace: unique.scope for unique in record.record_type.unique}
    for claim in list(record.claims):
        if scopes.get(claim[0]) == "live":
            run.state.delete(claim_key(*claim))
            record.claims.remove(claim)


def check_matches(run: Run, record: NewRecord) -> None:
    """Refuse match tags that no effect would take; a created record brings those of its type.

    Raises:
        ClaimWrongError: Names the namespace.
    """
    if record is run.subject:
        taken = [call.arguments[0] for call in run.operation.effects if call.name == "match"]
    else:
        taken = [match.namespace for match in record.record_type.match]
    for match in record.part.matches:
        if match.namespace not in taken:
            raise ClaimWrongError(
                "the operation takes no such match tag", namespace=match.namespace
            )


def found_by_match(run: Run, record_type: RecordType, matches: tuple[Match, ...]) -> IndexRow:
    """Return the records of a type that are indexed under one of these match tags.

    Raises:
        ClaimWrongError: Two tags of one namespace: each would lead to as many records again.
    """
    names = [match.namespace for match in record_type.match]
    given = [match for match in matches if match.namespace in names]
    found: list[bytes] = []
    for at, match in enumerate(given):
        if match.namespace in [other.namespace for other in given[:at]]:
            raise ClaimWrongError(
                "one match tag of this namespace is needed", namespace=match.namespace
            )
        row = run.state.read(match_key(match.namespace, match.epoch, match.tag), IndexRow)
        found += () if row is None else row.record_ids
    return IndexRow(tuple(sorted(dict.fromkeys(found))))  # type: ignore[arg-type]
