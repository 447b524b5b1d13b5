"""Nobody fills a shelf: a share for each asker, and half of it for the agency's own officers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keys.hashing import Digest
from ledger.entries import compose
from ledger.ids import AgencyId
from ledger.parts import About, ObjectPart
from ledger.vault import Vault
from node.access import Access
from node.drafts import DraftShelf
from node.pending_bodies import PendingBodies, Prepared
from node.public_errors import UnavailableError
from node.request_auth import Asker, KnownKey
from node.shelf_shares import NOBODY, OTHER_SHARE, Holder, Room, ShelfShares, holder_of
from registry.acts import Act, RecordContent
from registry.drafting import Target
from registry.drafts import Draft, parse_draft, print_draft
from registry.signer_plan import Hands
from tests.node.drafted import Bureau, identity_act
from tests.node.public_town import served
from tests.node.test_wrap_keeper import Citizen
from tests.registry.town import Town, by, identifier, key, office, seed

WHOLE = Room(1_000, 64 * 1024 * 1024)
PREPARED = Prepared(b"body", b"wraps", (), ())
MIB = 1024 * 1024


def thing(*names) -> Digest:
    return Digest(seed("thing", *names))


def own(name="clerk") -> Holder:
    return Holder(identifier(name), is_own=True)


def other(name="citizen") -> Holder:
    return Holder(identifier(name), is_own=False)


def bring(shares, holder, count, size_bytes=1):
    """Bring up to `count` things; return for how many there was room."""
    for number in range(count):
        try:
            shares.check(thing(holder, number), holder, size_bytes)
        except UnavailableError:
            return number
        shares.take(thing(holder, number), holder, size_bytes)
    return count


def refusal(shares, digest, holder, size_bytes=1):
    with pytest.raises(UnavailableError) as caught:
        shares.check(digest, holder, size_bytes)
    details = caught.value.details
    return details["limit"], details["value"], details["maximum"]


# --- counting -------------------------------------------------------------------------------------


def test_a_person_has_room_for_sixty_four_things_and_others_have_theirs_still():
    shares = ShelfShares("drafts", WHOLE)
    assert bring(shares, other(), 1_000) == OTHER_SHARE.items == 64
    assert refusal(shares, thing("new"), other()) == ("drafts of one asker", 65, 64)
    assert bring(shares, other("neighbour"), 1_000) == 64


def test_a_person_has_room_for_sixteen_mebibytes():
    shares = ShelfShares("drafts", WHOLE)
    assert bring(shares, other(), 1_000, MIB) == 16
    limit = ("bytes of drafts of one asker", 17 * MIB, 16 * MIB)
    assert refusal(shares, thing("new"), other(), MIB) == limit
    shares.check(thing("neighbour's"), other("neighbour"), MIB)


def test_an_own_officer_has_a_quarter_and_colleagues_have_theirs_still():
    shares = ShelfShares("drafts", WHOLE)
    assert bring(shares, own(), 1_000) == 250
    assert refusal(shares, thing("new"), own()) == ("drafts of one officer", 251, 250)
    assert bring(shares, own("colleague"), 1_000) == 250


def test_all_strangers_together_leave_half_to_the_own_agency():
    shares = ShelfShares("drafts", WHOLE)
    assert sum(bring(shares, other(f"citizen {n}"), 64) for n in range(20)) == 500
    limit = ("drafts from outside the agency", 501, 500)
    assert refusal(shares, thing("new"), other("late")) == limit
    assert sum(bring(shares, own(f"clerk {n}"), 1_000) for n in range(3)) == 500
    assert refusal(shares, thing("new"), own("third")) == ("drafts", 1_001, 1_000)


def test_all_strangers_together_leave_half_of_the_bytes_to_the_own_agency():
    shares = ShelfShares("drafts", WHOLE)
    assert sum(bring(shares, other(f"citizen {n}"), 64, MIB) for n in range(20)) == 32
    assert sum(bring(shares, own(f"clerk {n}"), 1_000, MIB) for n in range(3)) == 32


def test_what_lies_there_already_takes_no_second_place():
    shares = ShelfShares("drafts", WHOLE)
    assert bring(shares, other(), 64) == 64
    shares.check(thing(other(), 0), other(), 2)
    shares.take(thing(other(), 0), other(), 2)
    assert refusal(shares, thing("new"), other())[1] == 65
    shares.free(thing(other(), 0))
    shares.check(thing("new"), other(), 1)


def test_what_is_replaced_counts_with_its_new_size():
    shares = ShelfShares("drafts", WHOLE)
    shares.take(thing("a"), other(), 15 * MIB)
    shares.check(thing("a"), other(), 16 * MIB)
    assert refusal(shares, thing("a"), other(), 16 * MIB + 1)[1] == 16 * MIB + 1
    shares.take(thing("a"), other(), MIB)
    shares.check(thing("b"), other(), 15 * MIB)


def test_what_a_stranger_brought_first_counts_as_the_agencys_once_an_own_officer_brings_it():
    shares = ShelfShares("drafts", WHOLE)
    assert bring(shares, other(), 64) == 64
    shares.take(thing(other(), 0), own(), 1)
    shares.check(thing("new"), other(), 1)
    shares.take(thing(other(), 0), other(), 1)
    assert shares.holder_of(thing(other(), 0), other()) == own()
    shares.take(thing("new"), other(), 1)
    assert refusal(shares, thing("newer"), other())[1] == 65


def test_what_is_nobodys_counts_as_from_outside_and_in_no_share():
    shares = ShelfShares("drafts", WHOLE)
    for number in range(500):
        shares.take(thing(number), NOBODY, 1)
    assert refusal(shares, thing("new"), other())[0] == "drafts from outside the agency"
    shares.check(thing("new"), own(), 1)


@pytest.mark.parametrize(("agency", "is_own"), [("police", True), ("land", False), (None, False)])
def test_a_thing_is_the_agencys_own_if_one_of_its_officers_brings_it(agency, is_own):
    whose = None if agency is None else AgencyId(identifier("agency", agency))
    known = KnownKey(key("auth").public, "auth", "officer", identifier("somebody"), whose)
    asker = Asker(key("auth").public.key_id, known)
    found = holder_of(asker, AgencyId(identifier("agency", "police")))
    assert found == Holder(identifier("somebody"), is_own=is_own)
    assert not holder_of(asker, None).is_own


# --- the shelves ----------------------------------------------------------------------------------


def test_prepared_bodies_count_by_asker_before_and_after_a_restart(tmp_path, monkeypatch):
    monkeypatch.setattr("node.pending_bodies.PENDING_MAX", 8)
    monkeypatch.setattr("node.shelf_shares.OTHER_SHARE", Room(1, MIB))
    vault = Vault.open(tmp_path / "vault")
    pending = PendingBodies(vault)
    for name, holder in (("a", own()), ("b", own()), ("c", other())):
        pending.put(thing(name), PREPARED, 1_000, holder)
    for shelf in (pending, PendingBodies(vault)):
        for holder in (own(), other()):
            with pytest.raises(UnavailableError):
                shelf.put(thing("d"), PREPARED, 1_000, holder)
        for name, holder in (("a", own()), ("c", other())):
            shelf.put(thing(name), PREPARED, 1_000, holder)
        assert len(shelf) == 3
    again = PendingBodies(vault)
    again.drop([thing("c")])
    again.put(thing("d"), PREPARED, 1_000, other())
    vault.close()


def draft_of(number: int, town: Town | None = None, citizen=None) -> Draft:
    town = town or Town()
    head = town.head(
        "identity/grant", [by("subject", "sign")], about=About(citizen or identifier("citizen"), 2),
        not_after_ms=town.time_ms + 60_000, office=office("police"), act=seed("act", number)[:16],
    )  # fmt: skip
    fields: dict[str, Any] = {
        "recipient": bytes(16),
        "wraps_digest": bytes(32),
        "until": "2099-01-01",
    }
    blinds = [seed("blind", number, part)[:16] for part in range(3)]
    made = compose(head, [], [ObjectPart("grant", fields)], town.context("identity/grant"), blinds)
    return Draft(made, (), {})


def shelf_in(folder: Path) -> DraftShelf:
    return DraftShelf(folder, lambda _entry: None)


def test_drafts_count_by_asker_before_and_after_a_restart(tmp_path, monkeypatch):
    monkeypatch.setattr("node.shelf_shares.OTHER_SHARE", Room(2, MIB))
    shelf, drafts = shelf_in(tmp_path), [draft_of(number) for number in range(4)]
    for draft in (*drafts[:2], drafts[0]):
        shelf.put(draft, other())
    for held in (shelf, shelf_in(tmp_path)):
        with pytest.raises(UnavailableError):
            held.put(drafts[2], other())
        assert len(held) == 2
    again = shelf_in(tmp_path)
    again.drop([drafts[0].entry.entry_digest])
    again.put(drafts[2], other())
    again.put(drafts[3], own())
    assert len(list(tmp_path.iterdir())) == len(shelf_in(tmp_path)) == 3


def test_a_draft_that_an_own_officer_takes_up_is_one_file_in_the_officers_share(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("node.shelf_shares.OTHER_SHARE", Room(1, MIB))
    shelf, draft = shelf_in(tmp_path), draft_of(0)
    shelf.put(draft, other())
    shelf.put(draft, own())
    assert [path.name for path in tmp_path.iterdir()] == [
        f"{draft.entry.entry_digest.hex()}.own-{own().name.hex()}"
    ]
    assert shelf.get(draft.entry.entry_digest) == draft
    shelf.put(draft_of(1), other())


def test_of_two_files_of_one_draft_after_a_crash_the_newer_stays_and_no_half_written_one(tmp_path):
    shelf, draft = shelf_in(tmp_path), draft_of(0)
    shelf.put(draft, other())
    newer = replace(draft, signatures={key("sign").public.key_id: bytes(64)})
    name = draft.entry.entry_digest.hex()
    (tmp_path / f"{name}.own-{own().name.hex()}").write_bytes(print_draft(newer))
    (tmp_path / f"{name}.new").write_bytes(print_draft(draft))
    again = shelf_in(tmp_path)
    assert (len(again), again.get(draft.entry.entry_digest)) == (1, newer)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_draft_of_a_release_that_named_no_holder_is_found_as_nobodys(tmp_path):
    draft = draft_of(0)
    (tmp_path / draft.entry.entry_digest.hex()).write_bytes(print_draft(draft))
    shelf = shelf_in(tmp_path)
    found = shelf.shelved(draft.entry.entry_digest)
    assert found is not None
    assert found.holder == NOBODY
    assert shelf.get(draft.entry.entry_digest) == parse_draft(print_draft(draft))
    shelf.drop([draft.entry.entry_digest])
    assert list(tmp_path.iterdir()) == []


def limits(answer):
    return [answer.json[name] for name in ("limit", "value", "maximum")]


@pytest.mark.asyncio
async def test_a_citizen_whose_share_of_drafts_is_full_hinders_no_office(tmp_path, monkeypatch):
    monkeypatch.setattr("node.shelf_shares.OTHER_SHARE", Room(1, 16 * MIB))
    async with served(tmp_path) as api:
        citizen = await Citizen(api).register()
        await citizen.enrol("sign", "auth", "seal")
        api.town.time_ms = api.node.clock.now_ms()
        first, second = (
            print_draft(draft_of(number, api.town, citizen.identity)) for number in range(2)
        )
        for raw in (first, first):
            assert (await api.post("/v1/drafts", raw, key("auth"))).status == 200
        answer = await api.post("/v1/drafts", second, key("auth"))
        assert answer.status == 503
        assert limits(answer) == ["drafts of one asker", 2, 1]
        bureau = Bureau(api, "police")
        held = await bureau.draft(bureau.seal(identity_act(api)))
        assert (await api.post("/v1/drafts", print_draft(held), bureau.auth)).status == 200


@pytest.mark.asyncio
async def test_a_citizen_who_has_much_prepared_hinders_no_office(tmp_path, monkeypatch):
    monkeypatch.setattr("node.shelf_shares.OTHER_SHARE", Room(2, 16 * MIB))
    async with served(tmp_path) as api:
        citizen = await Citizen(api).register()
        await citizen.enrol("sign", "auth", "seal")
        bureau = Bureau(api, "police")
        content = RecordContent(
            member={}, sealed={"phone": "+84 1"}, links={"identity": citizen.identity}
        )
        day = Access(api.node.application, api.node.clock).today
        act = Act(kind="identity/update_contact", event_date=day, records=(content,))
        hands = Hands(
            persons={citizen.identity: key("sign").public.key_id}, custodian=bureau.hands.custodian
        )
        body = bureau.request(bureau.seal(act, hands, Target(citizen.identity, citizen.row())))
        for _ in range(2):
            assert (await api.post("/v1/custodian/prepare", body, key("auth"))).status == 200
        answer = await api.post("/v1/custodian/prepare", body, key("auth"))
        assert answer.status == 503
        assert limits(answer) == ["prepared bodies of one asker", 3, 2]
        assert (await bureau.prepare(bureau.seal(identity_act(api)))).status == 200
