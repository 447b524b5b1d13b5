"""Acting on the ledger from a program: bulk, retries, and refusals by the nodes themselves."""

import asyncio
import itertools
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.acting import Actor, Order
from cli.client import Client
from cli.errors import NoNetworkError, RemoteRefusalError
from cli.exit_codes import ExitCode, exit_code_of
from cli.packages import Package, Way, print_submission, read_results, submit_all
from cli.remote_state import RemoteState
from keys.errors import CivregError
from keys.hashing import Digest
from keys.signing import SoftwareKey
from ledger.canonical import decode, encode
from ledger.entries import KeySigner
from ledger.fields import read_array
from ledger.ids import RecordId
from ledger.parts import Evidence, ObjectPart
from ledger.state_keys import key_bytes
from registry.acts import Act, RecordContent
from registry.signer_plan import Hands

_NUMBERS = itertools.count(500)
TODAY = datetime.now(timezone(timedelta(hours=7))).date().isoformat()
DIGEST = Digest(bytes(range(32)))
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def actor(network):
    with Actor.open(network.folder) as opened:
        yield opened


def test_who_closes_a_client_leaves_nothing_running():
    """Else Python complains of each task when the program ends, after the last word was said."""
    ended = []

    async def wait():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    async def both_begun():
        await asyncio.sleep(0)

    with Client(bytes(32)) as client:
        for _number in range(2):
            client.start(wait())
        client.run(both_begun())
    assert ended == [True, True]


def officers(actor, office="police", other="justice"):
    def sign_key(name):
        return next(
            key_id
            for key_id in actor.ring
            if (path := actor.ring.path_of(key_id)) is not None and path.stem == f"{name}-sign"
        )

    return Hands(
        officers={
            "officer(register)": sign_key(f"{office}-1"),
            "second_officer(approve)": sign_key(f"{office}-2"),
            "other_agency(approve)": sign_key(f"{other}-2"),
        }
    )


def new_identity(actor, year=1980):
    number = f"0010{year % 100:02}{next(_NUMBERS):06}"
    content = RecordContent(
        member={"birth_date": f"{year}-05-06"},
        sealed={
            "name.family": "Nguyễn",
            "name.given": "An",
            "sex": "male",
            "nationality": "VN",
            "residence": "Xã Tân Lập",
            "personal_number": number,
        },
    )
    act = Act(
        kind="identity/create",
        event_date=TODAY,
        records=(content,),
        evidence=Evidence(sufficient=True, official=False, digests=()),
    )
    office = actor.network.office("police").office_id
    return Order(act=act, hands=officers(actor), office=office)


def enrolment(actor, identity, key, before):
    act = Act(
        kind="identity/enrol_key",
        event_date=TODAY,
        records=(before,),
        objects=(
            ObjectPart(
                "key",
                {"algorithm": 1, "public": key.public.public, "purpose": "sign"},
            ),
        ),
    )
    actor.ring.add(key)
    hands = officers(actor)
    return Order(
        act=act,
        hands=Hands(officers=hands.officers, new_keys=(key.public.key_id,)),
        office=actor.network.office("police").office_id,
        target=identity,
    )


def contact(actor, identity, signer, phone="0901234567", target=None):
    act = Act(
        kind="identity/update_contact",
        event_date=TODAY,
        records=(RecordContent(sealed={"phone": phone}),),
    )
    return Order(
        act=act,
        signers=(KeySigner("subject", None, signer.public.key_id),),
        office=actor.network.office("police").office_id,
        target=target or identity,
    )


@pytest.fixture(scope="module")
def owner(actor):
    """An identity with a signing key of its own."""
    order = new_identity(actor)
    package = actor.make_entry(order)
    actor.submit([package])[0].check()
    key = SoftwareKey.generate()
    identity = package.record_id
    actor.submit([actor.make_entry(enrolment(actor, identity, key, order.act.records[0]))])[
        0
    ].check()
    actor.refresh()
    return identity, key


@slow
def test_many_entries_are_made_and_committed_at_once_in_their_order(actor):
    orders = [new_identity(actor) for _ in range(40)]
    packages = [made for made in actor.make_entries(orders) if isinstance(made, Package)]
    assert len(packages) == 40
    results = actor.submit(packages, ordered=False)
    assert [result.entry_digest for result in results] == [
        package.entry.entry_digest for package in packages
    ]
    assert all(result.committed for result in results)
    assert len({(result.height, result.index) for result in results}) == 40


@slow
def test_a_refused_order_stands_in_the_place_of_its_entry(actor):
    good, bad = new_identity(actor), new_identity(actor)
    content = RecordContent(
        member=bad.act.records[0].member,
        sealed={**bad.act.records[0].sealed, "name.given": "R2-D2"},
    )
    wrong = Order(
        act=Act(kind="identity/create", event_date=TODAY, records=(content,)),
        hands=bad.hands,
        office=bad.office,
    )
    made = actor.make_entries([good, wrong, bad])
    assert [isinstance(one, Package) for one in made] == [True, False, True]
    assert isinstance(made[1], CivregError)
    assert made[1].code == "registry.office_rule"


@slow
def test_a_node_that_does_not_answer_is_passed_over(actor, network):
    package = actor.make_entry(new_identity(actor))
    way = Way(addresses=["http://127.0.0.1:1", network.nodes[1].address])
    (result,) = actor.client.run(submit_all(actor.client, [package], way))
    assert result.committed


@slow
def test_an_entry_that_was_committed_by_an_unheard_answer_counts_as_committed(actor, network):
    """A first try may come through although its answer is lost; the second is then a replay."""
    package = actor.make_entry(new_identity(actor))
    actor.submit([package])[0].check()
    address = network.nodes[0].address
    way = Way(addresses=["http://127.0.0.1:1", address])
    (result,) = actor.client.run(submit_all(actor.client, [package], way))
    assert (result.status, result.height is not None) == ("committed", True)
    (again,) = actor.submit([package], address=address)
    assert again.code == "registry.replayed", "without a failed try it is what it is"


@slow
def test_entries_that_build_on_each_other_pass_in_one_submission(actor, owner):
    identity, key = owner
    first = actor.make_entry(contact(actor, identity, key))
    target = actor.target(identity)
    later = type(target)(target.record_id, target.row, first.target().row)
    second = actor.make_entry(contact(actor, identity, key, "0900000002", later))
    results = actor.submit([first, second])
    assert [result.status for result in results] == ["committed", "committed"]
    actor.refresh()


@slow
def test_every_node_refuses_a_replay_a_stale_version_and_a_foreign_key(actor, owner, network):
    """Sent to each node as bytes, past every check of this program."""
    identity, key = owner
    stranger = SoftwareKey.generate()
    actor.ring.add(stranger)
    actor.refresh()
    target = actor.target(identity, companion=True)
    first = actor.make_entry(contact(actor, identity, key, "0901", target))
    stale = actor.make_entry(contact(actor, identity, key, "0902", target))
    with pytest.raises(CivregError):
        actor.make_entry(contact(actor, identity, stranger, "0903", target))
    actor.submit([first])[0].check()
    head = network.nodes
    for node in head:
        wait_for(actor, node.address, first)
        codes = [actor.submit([one], address=node.address)[0].code for one in (first, stale)]
        assert codes == ["registry.replayed", "registry.stale_version"]
    assert exit_code_of("registry.stale_version") is ExitCode.CONFLICT
    actor.refresh()


@slow
def test_a_change_by_another_key_is_refused_by_every_node_without_the_custodian(
    actor, owner, network
):
    """The custodian would not sign it; a forged custodian's signature does not help either."""
    identity, key = owner
    actor.refresh()
    target = actor.target(identity, companion=True)
    draft = actor.draft(contact(actor, identity, key, "0904", target))
    stranger = SoftwareKey.generate()
    slots = [stranger.sign(draft.entry.sign_message) for _ in draft.entry.head.signers]
    bodies = tuple(item.body for item in draft.bodies if item is not None)
    forged = Package(draft.entry.signed(slots), bodies)
    for node in network.nodes:
        (result,) = actor.submit([forged], address=node.address)
        assert result.code == "registry.bad_signature"


def wait_for(actor, address, package):
    """Wait until a node has an entry: submitting it there says where it stands."""
    for _ in range(200):
        (result,) = actor.submit([package], address=address)
        if result.code == "registry.replayed":
            return
    raise AssertionError("the node never learned of the entry")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below),
    max_leaves=8,
)


@given(json_values)
def test_no_answer_of_a_node_makes_anything_but_results_or_a_refusal(document):
    """Invariant: whatever JSON comes, each entry has a result or the answer is refused."""
    try:
        results = read_results(document, [DIGEST])
    except NoNetworkError:
        return
    assert [result.entry_digest for result in results] == [DIGEST]


@given(
    st.fixed_dictionaries(
        {"entry": st.just(DIGEST.hex()), "status": st.sampled_from(["refused", "committed", 7])},
        optional={
            "code": st.text(max_size=20) | st.integers(),
            "detail": json_values,
            "height": json_values,
            "registration_no": json_values,
            "message": json_values,
        },
    )
)
def test_a_result_with_odd_members_is_read_or_refused(row):
    try:
        (result,) = read_results({"results": [row]}, [DIGEST])
    except NoNetworkError:
        return
    assert (result.status == "refused") == (result.error is not None)
    if result.error is not None:
        with pytest.raises(RemoteRefusalError):
            result.check()


def test_an_entry_refused_at_the_door_is_known_by_its_place_among_many():
    """A node answers null for what it refuses before it knows its digest."""
    stands = {"entry": DIGEST.hex(), "status": "committed", "height": 3, "index": 0}
    refused = {"entry": None, "status": "refused", "code": "registry.date_order"}
    one, two = read_results({"results": [stands, refused]}, [DIGEST, Digest(bytes(32))])
    assert (one.committed, two.status, two.code) == (True, "refused", "registry.date_order")
    for row in ({**refused, "status": "committed"}, {**refused, "entry": DIGEST.hex()}):
        with pytest.raises(NoNetworkError):
            read_results({"results": [row]}, [Digest(bytes(32))])


@given(st.binary(max_size=64))
def test_bytes_that_are_no_state_are_refused(answer):
    remote = RemoteState(lambda _request: answer)
    with pytest.raises(NoNetworkError):
        remote.read(key_bytes(("record", bytes(16))))


def test_the_state_is_asked_for_once_and_again_after_a_refresh():
    asked = []

    def ask(request):
        _version, keys = read_array(decode(request, len(request)), "request", 2)
        assert isinstance(keys, tuple)
        asked.append(keys)
        return encode((1, 7, tuple([None for _ in keys])))

    remote = RemoteState(ask)
    keys = [("record", RecordId(number.to_bytes(16))) for number in range(300)]
    remote.prefetch(keys)
    assert [len(batch) for batch in asked] == [256, 44]
    assert remote.height == 7, "of the block after which it was read"
    for key in keys:
        assert remote.read(key_bytes(key)) is None
    assert len(asked) == 2
    remote.refresh()
    remote.read(key_bytes(keys[0]))
    assert len(asked) == 3


def test_an_empty_submission_has_one_form():
    assert decode(print_submission([]), 64) == (1, ())
