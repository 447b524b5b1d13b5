"""Custodian, tag services and held drafts of a node, over HTTP, with real seals."""

from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest

from keys.hashing import Digest
from keys.signing import Purpose
from ledger.canonical import encode, encode_opaque
from ledger.errors import DiskRefusedError, InvalidDataError
from ledger.ids import ActId, AgencyId
from ledger.parts import About, ObjectPart
from ledger.vault import Vault
from node.errors import ConfigError, PeerUnreachableError
from node.metrics import Metrics
from node.pending_bodies import PendingBodies, Prepared
from node.public_errors import (
    ForbiddenError,
    TagServiceError,
    TooManyRequestsError,
)
from node.shelf_shares import Holder
from node.tag_limits import OfficerShares, WindowedTagLimits
from node.tag_secret import create_tag_secret, load_tag_secret
from node.tag_service import (
    INNER_PATH,
    TagPorts,
    TagService,
)
from registry.acts import Act, RecordContent
from registry.drafting import Target
from registry.drafts import finish_draft, parse_draft, print_draft
from registry.rows import RecordRow
from registry.sealed import BodyPlace, open_body
from registry.signer_plan import Hands
from registry.state_key_names import record_key
from registry.tags import inner_tag
from registry.wraps import Wrap, open_wraps
from tests.node.drafted import SEALED_IDENTITY, Bureau, identity_act
from tests.node.public_town import HandClock, plain, served, submission
from tests.node.town_chain import service_key
from tests.registry.town import (
    by,
    identifier,
    key,
    key_object,
    officer,
    seed,
    two_officers,
)

pytestmark = pytest.mark.asyncio
_ACTS = count()
JUSTICE, POLICE = (AgencyId(identifier("agency", name)) for name in ("justice", "police"))


class Note:
    """Remembers what was logged."""

    def __init__(self):
        self.lines = []

    def info(self, event, **values):
        self.lines.append((event, values))

    debug = warning = error = info


SECRET = seed("tag secret")


def _never(_agency):
    return False


def tag_service(api, own=JUSTICE, limits=None, secret=SECRET, note=None):
    ports = TagPorts(
        clock=HandClock(api.node.clock.now_ms()),
        log=note or Note(),
        metrics=Metrics(),
        limits=WindowedTagLimits(_never) if limits is None else limits,
    )
    signer = service_key("justice" if own == JUSTICE else "police", Purpose.TAG)
    return TagService(own, secret, signer, api.side.access, api.node.genesis.network_id, ports)


def connect_tags(api, service=None):
    """Let the node's custodian ask the other agency's service, as over the peers' listener."""
    other = service or tag_service(api)

    async def ask(agency, path, body):
        assert agency == JUSTICE
        return (other.inner if path == INNER_PATH else other.outer)(POLICE, body)

    api.side._custodian._tags._ask = ask


def only_seal(entry):
    (seal,) = [part.seal for part in entry.records if part.seal is not None]
    return seal


async def submit(api, draft):
    bodies = {body.body: body for body in draft.bodies if body is not None}
    entry = finish_draft(draft)
    answer = await api.post("/v1/entries", encode((1, ((entry.raw, tuple(bodies)),))))
    assert answer.status == 202, answer.body
    api.commit()
    assert api.node.application.store.locate(entry.entry_digest) is not None
    return entry


async def submit_side_act(api, kind, record_id, version, agency="police", role="register"):
    """An officer puts something about a record into the chain."""
    town = api.town
    town.state, town.height = api.node.application.state(), api.node.application.tip_height
    logged = ObjectPart("logged", {"digest": seed("why")})
    hands = [officer(role, agency)]
    given = {"objects": [logged], "about": About(record_id, version), "agency": agency}
    entry = town.entry(kind, hands, act=ActId(seed("act", kind, next(_ACTS))[:16]), **given)
    answer = await api.post("/v1/entries", submission(entry))
    assert answer.status == 202, answer.body
    api.commit()
    return entry


async def test_an_officer_who_uses_no_tag_gets_no_more_until_one_stands_in_the_chain(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        ports = api.side._custodian._ports
        shares = OfficerShares(lambda: False, ports.clock, 1, 4)  # an identity has two tags
        api.side._custodian._ports = replace(ports, shares=shares)
        bureau = Bureau(api, "police")
        draft = await bureau.draft(bureau.seal(identity_act(api)))
        await bureau.draft(bureau.seal(identity_act(api)))
        request = bureau.seal(identity_act(api))
        with pytest.raises(AssertionError, match="too_many_requests"):
            await bureau.draft(request)
        await submit(api, bureau.finished(draft, await bureau.sign(draft)))
        await bureau.draft(request)


async def test_an_identity_is_prepared_tagged_signed_and_registered(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        draft = await bureau.draft(bureau.seal(identity_act(api)))
        (claim,) = draft.entry.records[0].claims
        assert (claim.namespace, claim.epoch) == ("person.number", 1)
        entry = await submit(api, bureau.finished(draft, await bureau.sign(draft)))
        part = entry.records[0]
        path = f"/v1/records/{part.record_id.hex()}"
        await submit_side_act(api, "identity/access", part.record_id, 1)
        body = (await api.get(path + "/body", signer=bureau.auth)).body
        _version, wraps = plain((await api.get(path + "/keys", signer=bureau.auth)).body)
        place = BodyPlace(entry.head.network_id, part.record_id, 1)
        unsealer = service_key("police", Purpose.SEAL)
        data_key = open_wraps([Wrap(*wrap) for wrap in wraps], place, unsealer, part.seal.key_check)
        paths = tuple(bureau.find_type("identity").sealed_paths)
        values = open_body(place, paths, body, part.seal, data_key).values
        assert {path: values[path] for path in SEALED_IDENTITY} == SEALED_IDENTITY
        assert len(api.side._custodian._ports.pending) == 0


async def signed_identity(api):
    """An identity that all have signed, the custodian too, and its bodies; not submitted."""
    connect_tags(api)
    bureau = Bureau(api, "police")
    draft = await bureau.draft(bureau.seal(identity_act(api)))
    entry = finish_draft(bureau.finished(draft, await bureau.sign(draft)))
    return entry, tuple(body.body for body in draft.bodies if body is not None)


async def test_the_only_copy_of_a_decided_body_is_kept_from_what_was_prepared(tmp_path):
    async with served(tmp_path) as api:
        entry, bodies = await signed_identity(api)
        digest = only_seal(entry).body_digest
        answer = await api.post("/v1/entries", encode((1, ((entry.raw, bodies),))))
        assert answer.status == 202
        vault = api.node.storage.vault
        vault.drop_expired(entry.head.not_after_ms + 1)
        assert vault.body(digest) is None
        api.commit()
        assert vault.body(digest) == bodies[0]
        assert vault.keep_bodies([digest]) == ()
        assert len(api.side._custodian._ports.pending) == 0


async def test_a_full_disk_loses_no_decided_body_and_holds_up_nothing_that_is_over(
    tmp_path, monkeypatch
):
    """Invariant: the only copy of a decided body stays until it is kept, and what is over goes."""
    async with served(tmp_path) as api:
        entry, bodies = await signed_identity(api)
        digest = only_seal(entry).body_digest
        await api.post("/v1/entries", encode((1, ((entry.raw, bodies),))))
        vault, pending = api.node.storage.vault, api.side._custodian._ports.pending
        vault.drop_expired(entry.head.not_after_ms + 1)
        pending.put(Digest(seed("over")), Prepared(b"body", b"wraps", (), ()), 1_000, CLERK)
        with monkeypatch.context() as full:
            full.setattr(vault, "put_bodies", refuse)
            api.commit()
        assert vault.body(digest) is None
        assert Digest(seed("over")) not in pending
        pending.drop_expired(entry.head.not_after_ms + 1, {only_seal(entry).wraps_digest})
        assert len(pending) == 1, "its entry's time is over, and it is the only copy"
        api.side._custodian.committed(empty_block(entry.head.not_after_ms + 1))
        assert vault.body(digest) == bodies[0], "tried again with the next block"
        assert len(pending) == 0


async def test_a_disk_that_takes_no_deletion_stops_no_block(tmp_path, monkeypatch):
    async with served(tmp_path) as api:
        entry, bodies = await signed_identity(api)
        await api.post("/v1/entries", encode((1, ((entry.raw, bodies),))))
        vault, pending = api.node.storage.vault, api.side._custodian._ports.pending
        with monkeypatch.context() as full:
            full.setattr(vault, "drop_prepared", refuse)
            api.commit()
        assert api.node.application.store.locate(entry.entry_digest) is not None
        assert len(pending) == 1
        api.side._custodian.committed(empty_block(1))
        assert len(pending) == 0


def refuse(*_given):
    raise DiskRefusedError("no space left on device")


def empty_block(time_ms):
    block = SimpleNamespace(entries=(), header=SimpleNamespace(time_ms=time_ms))
    return SimpleNamespace(block=block, outcomes=())


async def test_a_body_that_was_purged_before_its_block_came_stops_no_block(tmp_path):
    async with served(tmp_path) as api:
        entry, bodies = await signed_identity(api)
        digest = only_seal(entry).body_digest
        answer = await api.post("/v1/entries", encode((1, ((entry.raw, bodies),))))
        assert answer.status == 202
        vault = api.node.storage.vault
        vault.purge([digest])
        api.commit()
        assert api.node.application.store.locate(entry.entry_digest) is not None
        assert vault.is_purged(digest)


async def test_bodies_wait_for_the_time_of_the_chain_and_not_for_that_of_the_clock(tmp_path):
    """A block that many have prevoted keeps its time and may be decided hours later."""
    async with served(tmp_path) as api:
        entry, bodies = await signed_identity(api)
        await api.post("/v1/entries", encode((1, ((entry.raw, bodies),))))
        vault, digest = api.node.storage.vault, only_seal(entry).body_digest
        api.node.clock = HandClock(entry.head.not_after_ms + 10_000)
        api.side.drop_expired()
        assert vault.body_size(digest) is not None
        assert len(api.node.pool) == 0
        vault.drop_expired(entry.head.not_after_ms + 1)
        assert vault.body_size(digest) is None


async def test_the_same_number_gets_the_same_tag_and_is_taken(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        drafts = [await bureau.draft(bureau.seal(identity_act(api))) for _ in range(2)]
        first, second = (draft.entry.records[0].claims[0].value for draft in drafts)
        assert first == second
        await submit(api, bureau.finished(drafts[0], await bureau.sign(drafts[0])))
        later = finish_draft(bureau.finished(drafts[1], await bureau.sign(drafts[1])))
        bodies = (drafts[1].bodies[0].body,)
        answer = await api.post("/v1/entries", encode((1, ((later.raw, bodies),))))
        assert (answer.status, answer.code) == (409, "registry.taken")


async def enrolled(api):
    """Return the identity of An, who has keys."""
    town = api.town
    identity = town.create_identity(agency="police")
    other = officer("approve", "justice", "other_agency")
    hands = [*two_officers("police"), other, by("new_key", "an"), by("new_key", "an auth")]
    objects = [
        key_object("an", "sign"),
        key_object("an seal", "seal"),
        key_object("an auth", "auth"),
    ]
    part = town.part("identity", identity)
    enrol = town.entry("identity/enrol_key", hands, [part], objects, agency="police")
    create = town.blocks[0][2][0]
    answer = await api.post("/v1/entries", submission(create, enrol, bodies=town.bodies))
    assert [one["status"] for one in answer.json["results"]] == ["pending"] * 2, answer.body
    api.commit()
    return identity


async def test_an_owner_has_no_tags_made_in_the_name_of_officers_who_have_not_signed(tmp_path):
    """Or each citizen could test numbers, and use up what the agency registers with."""
    async with served(tmp_path) as api:
        connect_tags(api)
        identity = await enrolled(api)
        bureau = Bureau(api, "police")
        row = bureau.state.read(record_key(identity), RecordRow)
        act = identity_act(api, personal_number="001190000999")
        act = replace(act, kind="identity/correct", reason="clerical")
        hands = replace(bureau.hands, persons={identity: key("an").public.key_id})
        sealed = bureau.seal(act, hands, Target(identity, row))
        refused = await bureau.prepare(sealed, key("an auth"))
        assert (refused.status, refused.code) == (403, "node.forbidden")
        assert (await bureau.prepare(sealed)).status == 200


async def test_an_owner_has_an_own_update_sealed_and_signed(tmp_path):
    async with served(tmp_path) as api:
        town, identity = api.town, await enrolled(api)
        bureau = Bureau(api, "police")
        row = bureau.state.read(record_key(identity), RecordRow)
        content = RecordContent(sealed={"phone": "+84 24 1"}, links={"identity": identity})
        act = Act(kind="identity/update_contact", event_date=town.day, records=(content,))
        alone = Hands(custodian=bureau.hands.custodian)
        sealed = bureau.seal(act, alone, Target(identity, row))
        auth = key("an auth")
        stranger = key("land", "register", "auth")
        assert (await bureau.prepare(sealed, stranger)).code == "node.forbidden"
        draft = await bureau.draft(sealed, auth, [key("an")])
        entry = await submit(api, bureau.finished(draft, await bureau.sign(draft, auth)))
        record = entry.records[0].record_id
        answer = await api.get(f"/v1/records/{record.hex()}/keys", signer=auth)
        _version, wraps = plain(answer.body)
        assert [wrap[0] for wrap in wraps] == [key("an seal").public.key_id]
        assert (await api.get(f"/v1/records/{record.hex()}", signer=auth)).status == 200


async def test_whom_the_custodian_does_not_serve(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        sealed = bureau.seal(identity_act(api))
        assert (await bureau.prepare(sealed, key("land", "register", "auth"))).status == 403
        other = Bureau(api, "land")
        answer = await other.prepare(other.seal(identity_act(api)))
        assert answer.code == "node.forbidden"
        over = bureau.seal(identity_act(api), not_after_ms=1)
        assert (await bureau.prepare(over)).code == "registry.expired"
        far = bureau.seal(identity_act(api), not_after_ms=10**13)
        assert (await bureau.prepare(far)).code == "registry.not_after_too_far"


async def test_the_custodian_signs_last_and_only_what_it_prepared(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        draft = await bureau.draft(bureau.seal(identity_act(api)))
        early = replace(draft, signatures={})
        assert (await bureau.sign(early)).code == "registry.signer_missing"
        api.side._custodian._ports.pending.drop([draft.entry.records[0].seal.wraps_digest])
        assert (await bureau.sign(draft)).code == "node.not_found"
        broken = await bureau.draft(bureau.seal(identity_act(api)))
        first = next(iter(broken.signatures))
        signatures = {**broken.signatures, first: bytes(64)}
        answer = await bureau.sign(replace(broken, signatures=signatures))
        assert answer.code == "registry.bad_signature"


async def test_what_the_custodian_signed_is_not_verified_again_when_it_comes(tmp_path, monkeypatch):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        draft = await bureau.draft(bureau.seal(identity_act(api)))
        signed = bureau.finished(draft, await bureau.sign(draft))
        monkeypatch.setattr("node.admission.verify_entry", None)
        await submit(api, signed)


async def test_what_the_custodian_signed_is_verified_when_it_comes_with_another_signature(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        draft = await bureau.draft(bureau.seal(identity_act(api)))
        signed = bureau.finished(draft, await bureau.sign(draft))
        for key_id in signed.signatures:
            forged = replace(signed, signatures={**signed.signatures, key_id: bytes(64)})
            packed = encode((1, ((finish_draft(forged).raw, (draft.bodies[0].body,)),)))
            answer = await api.post("/v1/entries", packed)
            assert answer.code == "registry.bad_signature"
        await submit(api, signed)


async def test_a_field_that_does_not_fit_is_refused_without_its_value(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        answer = await bureau.prepare(bureau.seal(identity_act(api, residence=None)))
        assert (answer.status, answer.code) == (400, "registry.bad_body")
        assert answer.json["path"] == "residence"
        assert SEALED_IDENTITY["personal_number"].encode() not in answer.body


async def test_without_the_other_agency_there_is_no_tag(tmp_path):
    async with served(tmp_path) as api:

        async def nobody(*_question):
            raise PeerUnreachableError("nobody answers")

        api.side._custodian._tags._ask = nobody
        bureau = Bureau(api, "police")
        answer = await bureau.prepare(bureau.seal(identity_act(api)))
        assert (answer.status, answer.code) == (503, "node.tag_service")
        assert int(answer.headers["Retry-After"]) > 0


# --- tag services ---


def question(word, *items):
    return encode_opaque((1, word, tuple(items)))


async def test_a_tag_needs_both_secrets_and_depends_on_each(tmp_path):
    async with served(tmp_path) as api:
        ask = question("tag-inner", ("person.number", "001190000123"))
        halves = [tag_service(api, secret=seed(name)).inner(POLICE, ask) for name in ("one", "two")]
        assert halves[0] != halves[1]
        assert halves[0] == tag_service(api, secret=seed("one")).inner(POLICE, ask)
        (half,) = plain(halves[0])[1]
        assert half != inner_tag(seed("one"), "person.number", "001190000123")


async def test_a_tag_service_answers_for_its_own_half_only(tmp_path):
    async with served(tmp_path) as api:
        ask = question("tag-inner", ("person.number", "1"))
        with pytest.raises(ForbiddenError):
            tag_service(api, own=POLICE).inner(POLICE, ask)
        with pytest.raises(ForbiddenError):
            tag_service(api).inner(POLICE, question("tag-inner", ("no.such", "1")))
        with pytest.raises(InvalidDataError):
            tag_service(api).inner(POLICE, question("tag-outer", ("person.number", "1")))
        with pytest.raises(TagServiceError):
            tag_service(api, secret=None).inner(POLICE, ask)


async def test_a_tag_service_notes_who_asked_how_much_and_never_a_value(tmp_path):
    async with served(tmp_path) as api:
        note = Note()
        service = tag_service(api, limits=WindowedTagLimits(_never, 1, 3), note=note)
        ask = question("tag-inner", *[("person.number", f"00119000012{n}") for n in range(3)])
        service.inner(POLICE, ask)
        with pytest.raises(TooManyRequestsError):
            service.inner(POLICE, question("tag-inner", ("person.number", "1")))
        assert note.lines == [
            ("tags_made", {"asker": POLICE, "half": "inner", "count": 3}),
            ("tags_refused", {"asker": POLICE, "half": "inner", "count": 1}),
        ]


async def test_the_secret_is_made_once_and_read_only_if_it_is_ours_alone(tmp_path):
    path = tmp_path / "tag.secret"
    assert load_tag_secret(path) is None
    secret = create_tag_secret(path)
    assert load_tag_secret(path) == secret
    with pytest.raises(FileExistsError):
        create_tag_secret(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError):
        load_tag_secret(path)
    path.chmod(0o600)
    path.write_bytes(secret[:-1])
    with pytest.raises(ConfigError):
        load_tag_secret(path)


# --- prepared bodies and drafts ---

CLERK = Holder(seed("clerk")[:16], is_own=True)


async def test_prepared_bodies_survive_a_restart_and_go_when_their_time_is_over(tmp_path):
    vault = Vault.open(tmp_path / "vault")
    pending = PendingBodies(vault)
    first, second = (
        Prepared(b"body", b"wraps", (), ()),
        Prepared(b"other", b"wraps", (b"s" * 64,), (b"1990-02-02", b"")),
    )
    pending.put(Digest(seed("a")), first, 1_000, CLERK)
    pending.put(Digest(seed("b")), second, 2_000, CLERK)
    vault.put_prepared(Digest(seed("c")), b"rubbish")
    vault.close()
    vault = Vault.open(tmp_path / "vault")
    again = PendingBodies(vault)
    assert (len(again), again.get(Digest(seed("a")))) == (2, first)
    again.drop_expired(1_001)
    assert (again.get(Digest(seed("a"))), again.get(Digest(seed("b")))) == (None, second)
    assert [digest for digest, _ in vault.all_prepared()] == [seed("b")]
    vault.close()


async def test_a_draft_is_held_found_by_its_signers_signed_and_taken(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        full = await bureau.draft(bureau.seal(identity_act(api)))
        draft = replace(full, signatures={})
        name = full.entry.entry_digest.hex()
        held = await api.post("/v1/drafts", print_draft(draft), bureau.auth)
        assert (held.status, len(held.json["missing"])) == (200, 3)
        second, stranger = key("police", "approve", "auth"), key("land", "approve", "auth")
        listed = (await api.get("/v1/drafts", signer=second)).json["drafts"]
        assert [one["entry"] for one in listed] == [name]
        assert (await api.get("/v1/drafts", signer=stranger)).json == {"drafts": []}
        assert (await api.get(f"/v1/drafts/{name}", signer=stranger)).code == "node.not_found"
        for key_id, signature in full.signatures.items():
            body = encode((key_id, signature))
            held = await api.post(f"/v1/drafts/{name}/signatures", body, second)
        assert held.json["custodian_next"] is True
        taken = parse_draft((await api.get(f"/v1/drafts/{name}", signer=second)).body)
        assert taken.signatures == full.signatures
        await submit(api, bureau.finished(taken, await bureau.sign(taken)))
        assert (await api.get("/v1/drafts", signer=second)).json == {"drafts": []}


async def test_drafts_that_are_not_held(tmp_path):
    async with served(tmp_path) as api:
        connect_tags(api)
        bureau = Bureau(api, "police")
        draft = await bureau.draft(bureau.seal(identity_act(api)))
        stranger = key("land", "register", "auth")
        assert (await api.post("/v1/drafts", print_draft(draft), stranger)).status == 403
        first = next(iter(draft.signatures))
        wrong = replace(draft, signatures={**draft.signatures, first: bytes(64)})
        answer = await api.post("/v1/drafts", print_draft(wrong), bureau.auth)
        assert answer.code == "keys.bad_signature"
        await api.post("/v1/drafts", print_draft(draft), bureau.auth)
        body = encode((bytes(16), bytes(64)))
        path = f"/v1/drafts/{draft.entry.entry_digest.hex()}/signatures"
        assert (await api.post(path, body, bureau.auth)).code == "registry.key_unknown"
        api.side.shelf.drop_expired(draft.entry.head.not_after_ms + 1)
        assert (await api.post(path, body, bureau.auth)).code == "node.not_found"
