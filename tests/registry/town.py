"""A town with four agencies whose state machine tests talk to directly: no node, no disk.

Keys and ids follow from names. `Town.entry` composes and signs; `Town.accept` applies an entry in a
block of its own; `Town.refuse` asks for the code of the refusal and that the state is untouched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from itertools import count
from typing import Any

from keys.hashing import Digest
from keys.signing import Algorithm, KeyId, SoftwareKey
from ledger import genesis, merkle
from ledger.canonical import Value, decode
from ledger.entries import (
    AttestedRule,
    Claim,
    Context,
    CustodySigner,
    Entry,
    Evidence,
    Head,
    Holder,
    KeySigner,
    Match,
    ObjectPart,
    RecordPart,
    Seal,
    Signer,
    compose,
    sort_claims,
    sort_rules,
    sort_signers,
)
from ledger.ids import ActId, AgencyId, OfficeId, RecordId, derived_id, record_id
from ledger.outcomes import Outcome
from ledger.parts import About
from registry import catalogue
from registry.apply import (
    BlockContext,
    VerifiedEntry,
    apply,
    resolve_signatures,
    verify_entry,
)
from registry.certification import certified_fields
from registry.civil_calendar import add_days, civil_date
from registry.code_tables import record_type
from registry.entry_checks import find_operation
from registry.errors import RuleError
from registry.genesis_state import initial_state
from registry.officer_keys import appointed, new_officer_keys, office_key_of
from registry.record_checks import companion_id
from registry.rows import RecordRow
from registry.rule_pack import PACK_DIGEST
from registry.signer_plan import sign_key_of
from registry.state import State
from registry.state_key_names import record_key
from registry.tags import TagStatement, inner_tag, outer_tag, prove_tag

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
GENESIS_MS = 1_767_225_600_000 + 2 * HOUR_MS
"""2026-01-01, nine o'clock in the morning there."""
AGENCIES = ("justice", "police", "land", "tax")
ROLES = ("register", "approve", "declare")
TAG_KEYS = (bytes([1]) * 32, bytes([2]) * 32)
LAWS = ("60/2014/QH13 art. 16.2",)
SEEN = Evidence(sufficient=True, official=False, digests=(Digest(sha256(b"scan").digest()),))
CALM: dict[str, Value] = {
    "founding_officer_days": 100_000,
    "import_wait_days": 0,
    "key_provisional_days": 0,
    "officer_number_claim": 0,
}
"""Parameters of a town in which nobody waits."""


def seed(*names: object) -> bytes:
    return sha256("/".join(map(str, names)).encode()).digest()


def identifier(*names: object) -> Any:
    return seed("id", *names)[:16]


@cache
def key(*names: object) -> SoftwareKey:
    made = SoftwareKey.from_private_bytes(Algorithm.P256, seed("key", *names))
    KEYS[made.public.key_id] = made
    return made


KEYS: dict[KeyId, SoftwareKey] = {}
"""Every key that a name was given to."""


@dataclass(frozen=True)
class Hand:
    """One signer of an entry to be: the term and the key, or the officers of a custody form."""

    term: str
    keys: tuple[SoftwareKey, ...]
    acting_for: bytes | None = None
    form: bytes | None = None

    @property
    def signer(self) -> Signer:
        acting_for = None if self.acting_for is None else RecordId(self.acting_for)
        if self.form is None:
            return KeySigner(self.term, acting_for, self.keys[0].public.key_id)
        officers = tuple(sorted(one.public.key_id for one in self.keys))
        return CustodySigner(self.term, acting_for, officers, Digest(self.form))


def by(term: str, *names: object, acting_for: bytes | None = None) -> Hand:
    """The person or officer with this key signs."""
    return Hand(term, (key(*names),), acting_for)


def form(term: str, *officers: tuple[object, ...], acting_for: bytes | None = None) -> Hand:
    """Officers attest that someone without a key signed a form."""
    keys = tuple(key(*names) for names in officers)
    return Hand(term, keys, acting_for, seed("form", term, *officers))


def officer(role: str, agency: str = "justice", term: str = "officer") -> Hand:
    """The founding officer of an agency who has this role."""
    return by(f"{term}({role})", agency, role)


def two_officers(agency: str = "justice") -> list[Hand]:
    return [officer("register", agency), officer("approve", agency, "second_officer")]


@cache
def founding(parameters: tuple[tuple[str, Value], ...]) -> genesis.Genesis:
    attachments = dict(catalogue.genesis_attachments())
    agencies = [
        genesis.Agency(
            AgencyId(identifier("agency", name)),
            name,
            name,
            1,
            (genesis.Mandate(("*",), ("*",), ("*",), "2026-01-01", None, "Law 60/2014"),),
        )
        for name in AGENCIES
    ]
    first, second = (AgencyId(identifier("agency", name)) for name in ("justice", "police"))
    template = genesis.Template(
        name="town",
        time_ms=GENESIS_MS,
        parameters=dict(parameters),
        agencies=tuple(agencies),
        namespaces=(
            genesis.Namespace("birth.name", first, second),
            genesis.Namespace("identity.name", first, second),
            genesis.Namespace("person.number", first, second),
        ),
        attachments=(),
    )
    template_raw = genesis.compose_template(template, attachments)
    parts = []
    for name in AGENCIES:
        raw = genesis.print_part(founding_part(name))
        signers = [key(name, "govern", number) for number in range(2)]
        parts.append((raw, [genesis.sign_part(template_raw, raw, one) for one in signers]))
    return genesis.merge_genesis(template_raw, parts, attachments)


def founding_part(name: str) -> genesis.FoundingPart:
    purposes = ("consensus", "peer", "custodian", "tag")
    keys = {purpose: key(name, purpose).public for purpose in purposes}
    keys["checkpoint"] = SoftwareKey.from_private_bytes(
        Algorithm.ED25519, seed("checkpoint", name)
    ).public
    keys["seal"] = SoftwareKey.from_private_bytes(
        Algorithm.MLKEM768_X25519, seed("seal", name)
    ).public
    return genesis.FoundingPart(
        agency_id=AgencyId(identifier("agency", name)),
        governance_k=2,
        governance_keys=tuple(key(name, "govern", number).public for number in range(3)),
        keys=keys,
        peer_address=f"https://{name}.example:7443",
        office=genesis.Office(
            OfficeId(identifier("office", name)), name, "00070", "2025-07-01", "commune"
        ),
        officers=tuple(
            genesis.FoundingOfficer(
                RecordId(identifier("officer", name, role)),
                (genesis.Role(role, ("*",), "2026-01-01", None),),
                key(name, role).public,
                key(name, role, "auth").public,
            )
            for role in ROLES
        ),
    )


@dataclass
class Town:
    """The network as the state machine knows it.

    `draft` keyword arguments of `entry`: kind, hands, records, objects, about, office, event_date,
    received_on, basis, reason, evidence, act, not_after_ms, network_id, rules, schema_version.
    """

    parameters: Mapping[str, Value] = field(default_factory=lambda: CALM)
    time_ms: int = GENESIS_MS
    height: int = 0

    def __post_init__(self) -> None:
        document = founding(tuple(sorted(self.parameters.items())))
        self.genesis = document
        self.network_id = document.network_id
        stored = stored_genesis(document)
        self.state = State(stored.get)
        self.blocks: list[tuple[int, int, list[Entry]]] = []
        self._acts = count()

    # --- blocks ---------------------------------------------------------------------------------

    def wait(self, days: int = 1) -> None:
        """Let days go by without a block."""
        self.time_ms += days * DAY_MS

    @property
    def day(self) -> str:
        return civil_date(self.time_ms)

    def block(self, index: int = 0) -> BlockContext:
        return BlockContext(self.height + 1, index, self.time_ms, self.network_id)

    def verified(self, entry: Entry) -> VerifiedEntry:
        return verify_entry(entry, resolve_signatures(self.state, entry))

    def accept(self, entry: Entry) -> Outcome:
        """Apply an entry in a block of its own."""
        outcome = apply(self.state, self.verified(entry), self.block())
        self.close_block([entry])
        return outcome

    def close_block(self, entries: list[Entry]) -> None:
        self.blocks.append((self.height + 1, self.time_ms, entries))
        self.height += 1
        self.time_ms += 1_000

    def refuse(self, entry: Entry) -> str:
        """Return the code of the refusal; the state must be as before."""
        return self.refusal(entry).code

    def refusal(self, entry: Entry) -> RuleError:
        before = self.state.tree_changes()
        try:
            apply(self.state, self.verified(entry), self.block())
        except RuleError as error:
            assert self.state.tree_changes() == before
            return error
        raise AssertionError("the entry was accepted")

    def row(self, identity: Any) -> RecordRow:
        found = self.state.read(record_key(RecordId(identity)), RecordRow)
        assert found is not None
        return found

    # --- entries --------------------------------------------------------------------------------

    def new_act(self) -> ActId:
        return ActId(identifier("act", next(self._acts)))

    def created_id(self, hands: Iterable[Hand], act: ActId) -> RecordId:
        """The id of the record that an entry with these signers and this act id creates."""
        first = sort_signers(hand.signer for hand in hands)[0]
        key_id = first.key_id if isinstance(first, KeySigner) else first.officers[0]
        return record_id(self.network_id, key_id, act)

    def head(self, kind: str, hands: Sequence[Hand], **given) -> Head:
        type_name, name = kind.split("/")
        operation_type = find_operation(self.state, (type_name, name), self.height + 1)[2]
        return Head(
            network_id=given.get("network_id", self.network_id),
            kind=kind,
            schema_version=given.get("schema_version", operation_type.version),
            act_id=given.get("act") or self.new_act(),
            about=given.get("about"),
            office=given.get("office", office()),
            event_date=given.get("event_date", self.day),
            received_on=given.get("received_on"),
            not_after_ms=given.get("not_after_ms", self.time_ms + HOUR_MS),
            legal_basis=given.get("basis", LAWS),
            signers=sort_signers(hand.signer for hand in hands),
        )

    def context(self, kind: str, **given) -> Context:
        type_name, name = kind.split("/")
        operation = find_operation(self.state, (type_name, name), self.height + 1)[1]
        names = given.get("rules", operation.attested)
        return Context(
            rules=sort_rules(AttestedRule(rule, PACK_DIGEST, warned=False) for rule in names),
            evidence=given.get("evidence", SEEN),
            court_order=None,
            reason=given.get("reason"),
        )

    def entry(self, kind: str, hands: Sequence[Hand], records=(), objects=(), **given) -> Entry:
        """Compose an entry and sign it; the custodian of the office's agency is added if needed."""
        agency = given.get("agency", "justice")
        sealed = any(record.seal is not None for record in records)
        if sealed and not given.get("no_custodian"):
            hands = [*hands, by("custodian", agency, "custodian")]
        given.setdefault("office", office(agency))
        records = [self.tagged(kind, part, hands) for part in records]
        head = self.head(kind, hands, **given)
        parts = len(records) + len(objects) + 2
        unsigned = compose(
            head,
            records,
            objects,
            self.context(kind, **given),
            [seed("blind", head.act_id, number)[:16] for number in range(parts)],
        )
        return unsigned.signed(self.slots(head, hands, unsigned.sign_message))

    def tagged(self, kind: str, part: RecordPart, hands: Sequence[Hand]) -> RecordPart:
        """What indexes its record brings a match tag; of the record id, unless given.

        Registrations of births bring their own.
        """
        type_name, name = kind.split("/")
        operation = find_operation(self.state, (type_name, name), self.height + 1)[1]
        takes = any(call.name == "match" for call in operation.effects)
        officers = [hand for hand in hands if hand.term.startswith("officer(")]
        brings = kind in {"birth/declare", "birth/register"} or part.type_name != type_name
        if not takes or brings or part.matches or not officers:
            return part
        namespace = f"{type_name}.name"
        tag = self.tag(namespace, part.record_id.hex(), part.record_id, officers[0])
        return replace(part, matches=(Match(*tag),))

    def slots(self, head: Head, hands: Sequence[Hand], message: bytes):
        signed = {hand.signer: hand for hand in hands}
        slots = []
        for signer in head.signers:
            hand = signed[signer]
            by_id = {one.public.key_id: one.sign(message) for one in hand.keys}
            slots.append(
                by_id[signer.key_id]
                if isinstance(signer, KeySigner)
                else tuple(by_id[key_id] for key_id in signer.officers)
            )
        return slots

    def part(self, type_name: str, record: Any, **given) -> RecordPart:
        """A record part; after version 1 what is not given is restated from the state."""
        row = self.state.read(record_key(RecordId(record)), RecordRow)
        own = record_type(self.state, type_name, self.height + 1)
        links = {} if row is None else row.links
        kept = {name: to for name, to in links.items() if name not in own.engine_fields}
        version = given.get("version", 1 if row is None else row.version + 1)
        digests = [Digest(seed("seal", record, version, number)) for number in range(4)]
        sealed = given.get("sealed", bool(own.sealed_paths))
        return RecordPart(
            type_name=type_name,
            record_id=RecordId(record),
            record_version=version,
            previous_entry=given.get("previous", None if row is None else row.last_entry),
            member=given.get("member", {} if row is None else row.member),
            holders=given.get("holders", () if row is None else row.holders),
            links=given.get("links", kept),
            claims=sort_claims(given.get("claims", ())),
            matches=tuple(given.get("matches", ())),
            seal=Seal(*digests) if sealed else None,
        )

    def tag(self, namespace: str, value: str, record: Any, asked_by: Hand, **given):
        """A tag with the signature of its service: `(namespace, epoch, tag, proof)`."""
        tag = outer_tag(TAG_KEYS[1], namespace, inner_tag(TAG_KEYS[0], namespace, value))
        statement = TagStatement(
            network_id=self.network_id,
            namespace=namespace,
            epoch=1,
            tag=tag,
            commitment_leaf=merkle.leaf_hash(b"leaf"),
            record_id=RecordId(record),
            officer_key_id=asked_by.keys[0].public.key_id,
            expiry_ms=given.get("expiry_ms", self.time_ms + HOUR_MS),
        )
        service = given.get("service", key("police", "tag"))
        return namespace, 1, tag, prove_tag(statement, service)

    def consents(self, roles: Sequence[ObjectPart], agency: str) -> list[Hand]:
        """Who agrees to be an officer: with the own key, that of an office, or by a form."""
        named = [item.fields for item in roles]
        hands = [Hand("new_key", (KEYS[one],)) for one in new_officer_keys(self.state, named)]
        for person in appointed(named):
            found = sign_key_of(self.state, person, self.day) or office_key_of(
                self.state, person, self.day, frozenset(KEYS)
            )
            if found is None:
                other = "tax" if agency == "police" else "police"
                hands.append(form("appointee", (agency, "declare"), (other, "declare")))
            else:
                hands.append(Hand("appointee", (KEYS[found],)))
        return hands

    # --- acts -----------------------------------------------------------------------------------

    def create_identity(self, born: str = "1990-05-05", **given) -> RecordId:
        """Register an adult from abroad, say; returns the identity's id."""
        entry = self.identity_entry(born, **given)
        self.accept(entry)
        return entry.records[0].record_id

    def identity_entry(self, born: str = "1990-05-05", **given) -> Entry:
        """The entry that creates an identity; `name` is that of which a match tag is made."""
        hands = two_officers(given.get("agency", "justice"))
        act = self.new_act()
        identity = self.created_id(hands, act)
        claims: tuple[Claim, ...] = ()
        if "number" in given:
            claims = (Claim(*self.tag("person.number", given["number"], identity, hands[0])),)
        matches: tuple[Match, ...] = ()
        if "name" in given:
            matches = (Match(*self.tag("identity.name", given["name"], identity, hands[0])),)
        member = {"birth_date": born}
        part = self.part("identity", identity, member=member, claims=claims, matches=matches)
        more = {name: given[name] for name in ("objects", "reason") if name in given}
        agency = given.get("agency", "justice")
        return self.entry("identity/create", hands, [part], act=act, agency=agency, **more)

    def enrol_entry(self, identity: Any, name: str, **given) -> Entry:
        """The entry by which a person enrols keys: for signing and sealing, unless `keys` says."""
        keys = given.get("keys", {name: "sign", f"{name} seal": "seal"})
        proofs = [one for one, purpose in keys.items() if purpose != "seal"]
        if "proof" in given or given.get("no_proof"):
            proofs = [given["proof"]] if "proof" in given else []
        hands = [
            *given.get("officers", two_officers()),
            officer("approve", given.get("third", "police"), "other_agency"),
            *(by("new_key", one) for one in proofs),
        ]
        objects = [key_object(one, purpose) for one, purpose in keys.items()]
        part = self.part("identity", identity)
        place = {"office": given["office"]} if "office" in given else {}
        agency = given.get("agency", "justice")
        return self.entry(
            "identity/enrol_key", hands, [part], objects,
            act=given.get("act"), agency=agency, **place,
        )  # fmt: skip

    def adult(self, name: str, born: str = "1990-05-05", **given) -> RecordId:
        """An adult with an enrolled key, which is `key(name)`."""
        identity = self.create_identity(born, **given)
        self.accept(self.enrol_entry(identity, name))
        return identity

    def birth(self, kind: str = "birth/register", **given) -> Entry:
        """A birth that is declared, or registered from nothing or from a declaration."""
        registers = not kind.endswith("declare")
        hands = list(given.get("hands") or self.birth_hands(kind))
        act = given.get("act") or self.new_act()
        birth = given.get("birth") or self.created_id(hands, act)
        event_date = given.get("event_date", self.day)
        member = {"event_date": event_date, "place_unit": "00070", **given.get("member", {})}
        links = {role: RecordId(given[role]) for role in ("mother", "father") if given.get(role)}
        officer_hand = next(hand for hand in hands if hand.term.startswith("officer"))
        match = Match(*self.tag("birth.name", given.get("name", birth.hex()), birth, officer_hand))
        matches = given.get("matches", (match,))
        version = given.get("version", {})
        part = self.part("birth", birth, member=member, links=links, matches=matches, **version)
        records = [part]
        if registers:
            records.append(self.child_part(part, officer_hand, given))
        given = {**given, "act": act, "event_date": event_date}
        given.pop("hands", None)
        return self.entry(kind, hands, records, **given)

    def birth_hands(self, kind: str = "birth/register") -> list[Hand]:
        informant = form("informant", ("justice", "register"), ("justice", "approve"))
        if kind.endswith("declare"):
            return [officer("declare"), informant]
        return [*two_officers(), informant]

    def child_part(self, birth: RecordPart, asked_by: Hand, given: Mapping[str, Any]) -> RecordPart:
        child = given.get("child") or child_id(birth.record_id, birth.record_version)
        claims = given.get("claims")
        if claims is None:
            number = given.get("number", birth.record_id.hex())
            claims = [Claim(*self.tag("person.number", number, child, asked_by))]
        member = {"birth_date": birth.member["event_date"]}
        name = given.get("child_name", child.hex())
        match = Match(*self.tag("identity.name", name, child, asked_by))
        matches = given.get("child_matches", (match,))
        return self.part("identity", child, member=member, claims=claims, matches=matches)

    def title_entry(self, owners: Mapping[RecordId, str], **given) -> Entry:
        """The first registration of a land title, equal shares unless `holders` says otherwise."""
        hands = [
            *two_officers("land"),
            *(by("new_owners", name) for name in owners.values()),
        ]
        act = self.new_act()
        title = self.created_id(hands, act)
        holders = given.get("holders") or shares(owners, [(1, len(owners))] * len(owners))
        member = land_member(given.get("serial", title.hex()[:10]), given.get("parcel", "1"))
        member = {**member, **given.get("member", {})}
        part = self.part(
            "land_title", title, member=member, holders=holders, claims=land_claims(member)
        )
        return self.entry("land_title/first_register", hands, [part], act=act, agency="land")

    def title(self, owners: Mapping[RecordId, str], **given) -> RecordId:
        entry = self.title_entry(owners, **given)
        self.accept(entry)
        return entry.records[0].record_id

    def sale(self, title: Any, sellers: Iterable[str], buyers: Mapping[RecordId, str], **given):
        """The sale of a whole title to one or more buyers."""
        hands = [
            *two_officers("land"),
            *(by("owners", name) for name in sellers),
            *(by("new_owners", name) for name in buyers.values()),
            *given.pop("more", ()),
        ]
        holders = given.pop("holders", None) or shares(buyers, [(1, len(buyers))] * len(buyers))
        member = {**self.row(title).member, **given.pop("member", {})}
        part = self.part("land_title", title, holders=holders, member=member)
        return self.entry("land_title/transfer", hands, [part], agency="land", **given)

    def mortgage(self, title: Any, owners: Iterable[str], lender: Any, name: str, **given):
        hands = [
            *two_officers("land"),
            *(by("owners", one) for one in owners),
            by("links", name),
        ]
        objects = [ObjectPart("encumbrance", {"holder": lender})]
        part = self.part("land_title", title, **given)
        return self.entry("land_title/mortgage", hands, [part], objects, agency="land")

    def release(self, title: Any, number: int, lender: Any, name: str) -> Entry:
        hands = [*two_officers("land"), by("links", name)]
        objects = [ObjectPart("release", {"number": number, "holder": lender})]
        part = self.part("land_title", title)
        return self.entry("land_title/release", hands, [part], objects, agency="land")

    def certificate(self, record: Any, *hands: Hand, **given) -> Entry:
        """A certify entry about a record's current version; `fields` are those of the object."""
        row = self.row(record)
        kind, agency = f"{row.type_name}/certify", given.get("agency", "justice")
        record_type = find_operation(self.state, (row.type_name, "certify"), self.height + 1)[0]
        fields: dict[str, Any] = {
            **(given.pop("certified", None) or certified_fields(record_type, row)),
            "certificate_id": identifier("certificate", next(self._acts)),
            "form": "copy",
            "language": "vi",
            "office": given.get("office", office(agency)),
            "expires_on": add_days(self.day, 365),
            **given.pop("fields", {}),
        }
        stated = [
            ObjectPart("stated", {"name": name, "value": value})
            for name, value in given.pop("stated", {}).items()
        ]
        hands = hands or (officer("declare"), officer("approve", "justice", "second_officer"))
        given.setdefault("reason", "own_file")
        given.setdefault("about", about(record, row.version))
        objects = given.pop("objects", None) or [ObjectPart("certificate", fields), *stated]
        return self.entry(kind, hands, objects=objects, **given)

    def contact(self, identity: Any, *hands: Hand, **given) -> Entry:
        """The owner's own update of phone and address."""
        links = {"identity": RecordId(identity)}
        part = self.part("identity_contact", companion_id(RecordId(identity)), links=links)
        return self.entry("identity/update_contact", hands, [part], **given)


def office(agency: str = "justice") -> OfficeId:
    return OfficeId(identifier("office", agency))


def officer_id(agency: str, role: str) -> RecordId:
    return RecordId(identifier("officer", agency, role))


def child_id(birth: Any, version: int = 1) -> RecordId:
    return derived_id(RecordId(birth), version, "create_identity", 0)


def key_object(name: str, purpose: str) -> ObjectPart:
    public = key(name).public
    return ObjectPart(
        "key",
        {"algorithm": int(public.algorithm), "public": public.public, "purpose": purpose},
    )


def shares(owners: Iterable[RecordId], fractions: Iterable[tuple[int, int]]) -> tuple[Holder, ...]:
    return tuple(
        Holder((RecordId(owner),), *fraction)
        for owner, fraction in zip(owners, fractions, strict=True)
    )


def land_member(serial: str, parcel: str) -> dict[str, Any]:
    return {
        "parcel": {"unit": "00070", "map_sheet_no": "7", "parcel_no": parcel},
        "area": 1_000,
        "land_use": ("ODT",),
        "geometry_digest": seed("geometry", parcel),
        "certificate_serial": serial,
        "form_of_use": "private",
        "obligation_open": False,
    }


def land_claims(member: Mapping[str, Any]) -> list[Claim]:
    """The claims of a title in their one spelling, as the ledger computes them."""
    parcel = member["parcel"]
    texts = [parcel["map_sheet_no"], parcel["parcel_no"]]
    return [
        Claim("land.parcel", 0, "/".join([parcel["unit"], *map(one_spelling, texts)]), None),
        Claim("land.serial", 0, one_spelling(member["certificate_serial"]), None),
    ]


LOOKALIKES = str.maketrans("Ð\u2013\u2014", "Đ--")


def one_spelling(text: str) -> str:
    bare = text.replace(" ", "").upper().translate(LOOKALIKES).replace("~", "~0").replace("/", "~1")
    return (bare.lstrip("0") or "0") if bare.isdecimal() else bare


def about(record: Any, version: int = 1) -> About:
    return About(RecordId(record), version)


def plain_value(raw: bytes) -> Any:
    """What bytes say, for tests that change it."""
    return decode(raw, len(raw))


_STORED: dict[bytes, dict[bytes, bytes]] = {}


def stored_genesis(document: genesis.Genesis) -> dict[bytes, bytes]:
    known = _STORED.get(document.network_id)
    if known is None:
        changes = initial_state(document).changes()
        known = {one: value for one, value in changes.items() if value is not None}
        _STORED[document.network_id] = known
    return known
