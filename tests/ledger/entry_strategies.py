"""Strategies for entries: every value that the format allows, in the order that it demands."""

from datetime import date

from hypothesis import strategies as st

from keys.hashing import Digest
from keys.signing import KeyId
from ledger import entries
from ledger.entries import (
    AttestedRule,
    Claim,
    Context,
    CustodySigner,
    Evidence,
    Head,
    Holder,
    KeySigner,
    Match,
    ObjectPart,
    RecordPart,
    Seal,
    TagProof,
)
from ledger.fields import INTEGER_MAX
from ledger.ids import ActId, OfficeId, RecordId
from tests.ledger.values import table_texts, values

digests = st.binary(min_size=32, max_size=32).map(Digest)
ids = st.binary(min_size=16, max_size=16).map(RecordId)
key_ids = st.binary(min_size=16, max_size=16).map(KeyId)
positive = st.integers(1, INTEGER_MAX)
natural = st.integers(0, INTEGER_MAX)
names = table_texts.filter(bool)
dates = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(date.isoformat)
signatures = st.binary(min_size=64, max_size=64)
ascending_ids = st.lists(key_ids, min_size=1, max_size=3, unique=True).map(sorted).map(tuple)
kinds = st.from_regex(r"[a-z0-9_.-]{1,64}/[a-z0-9_.-]{1,64}", fullmatch=True)
terms = st.sampled_from(["officer(register)", "owners", "subject", "custodian"]) | names

signers = st.one_of(
    st.builds(KeySigner, terms, st.none() | ids, key_ids),
    st.builds(CustodySigner, terms, st.none() | ids, ascending_ids, digests),
)
heads = st.builds(
    Head,
    network_id=digests,
    kind=kinds,
    schema_version=natural,
    act_id=ids.map(ActId),
    about=st.none() | st.builds(entries.About, ids, positive),
    office=st.none() | ids.map(OfficeId),
    event_date=dates,
    received_on=st.none() | dates,
    not_after_ms=natural,
    legal_basis=st.lists(names, max_size=2).map(tuple),
    signers=st.lists(signers, min_size=1, max_size=4, unique=True).map(entries.sort_signers),
)
proofs = st.builds(TagProof, digests, key_ids, natural, signatures)
claims = st.one_of(
    st.builds(Claim, names, st.just(0), names, st.none()),
    st.builds(Claim, names, positive, digests, proofs),
)
matches = st.builds(Match, names, positive, digests, proofs)
maps = st.dictionaries(names, values(), max_size=3)
records = st.builds(
    RecordPart,
    type_name=names,
    record_id=ids,
    record_version=positive,
    previous_entry=st.none() | digests,
    member=maps,
    holders=st.lists(st.builds(Holder, ascending_ids, positive, positive), max_size=2).map(tuple),
    links=st.dictionaries(names, ids | st.lists(ids, max_size=2).map(tuple), max_size=2),
    claims=st.lists(claims, max_size=2, unique_by=lambda one: (one.namespace, one.value)).map(
        entries.sort_claims
    ),
    matches=st.lists(matches, max_size=2, unique_by=lambda one: (one.namespace, one.tag)).map(
        entries.sort_matches
    ),
    seal=st.none() | st.builds(Seal, digests, digests, digests, digests),
)
objects = st.builds(ObjectPart, names, maps)
contexts = st.builds(
    Context,
    rules=st.lists(
        st.builds(AttestedRule, names, digests, st.booleans()),
        max_size=2,
        unique_by=lambda one: one.rule,
    ).map(entries.sort_rules),
    evidence=st.builds(
        Evidence,
        st.booleans(),
        st.booleans(),
        st.lists(digests, max_size=2, unique=True).map(sorted).map(tuple),
    ),
    court_order=st.none() | ids,
    reason=st.none() | table_texts,
)


@st.composite
def unsigned_entries(draw):
    written = draw(st.lists(records, max_size=2, unique_by=lambda one: one.record_id))
    made = draw(st.lists(objects, max_size=1))
    count = len(written) + len(made) + 2
    blind = st.binary(min_size=16, max_size=16)
    blinds = draw(st.lists(blind, min_size=count, max_size=count, unique=True))
    return entries.compose(draw(heads), written, made, draw(contexts), blinds)


@st.composite
def signed_entries(draw):
    unsigned = draw(unsigned_entries())
    slots = []
    for signer in unsigned.head.signers:
        if isinstance(signer, KeySigner):
            slots.append(draw(signatures))
        else:
            slots.append(tuple(draw(signatures) for _officer in signer.officers))
    return unsigned.signed(slots)
