"""Things fetched by digest from peers that lack them, lie, or answer late."""

from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import sha256
from ledger.errors import InvalidDataError
from node.fetch import OPEN_MAX, Fetcher
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES

PATH = "/peer/v1/thing/"


def make(network=None):
    network = network or InventedNetwork(AGENCIES)
    timers, held = InventedTimers(), {}

    def accept(digest, raw):
        if sha256(raw) != digest:
            raise InvalidDataError("another thing")
        held[digest] = raw

    return Fetcher(network, timers, PATH, 100, accept), network, timers, held


def test_the_likeliest_peer_is_asked_first():
    fetcher, network, _timers, _held = make()
    fetcher.want(sha256(b"x"), AGENCIES[3], lambda: None)
    assert network.asked == [(AGENCIES[3], f"{PATH}{sha256(b'x').hex()}")]


@given(st.permutations(range(4)), st.integers(0, 3))
def test_it_comes_from_whoever_has_it_and_only_liars_are_blamed(order, liars):
    fetcher, network, timers, held = make()
    digest = sha256(b"x")
    liars, owner = order[:liars], order[3]
    for index in liars:
        network.served[AGENCIES[index], f"{PATH}{digest.hex()}"] = b"lie"
    network.served[AGENCIES[owner], f"{PATH}{digest.hex()}"] = b"x"
    came = []
    fetcher.want(digest, None, lambda: came.append(1))
    fetcher.want(digest, None, lambda: came.append(2))
    network.answer_all()
    assert came == [1, 2]
    assert held == {digest: b"x"}
    assert {peer for peer, _reason in network.blamed} <= {AGENCIES[index] for index in liars}
    assert len(fetcher) == 0
    assert timers.pending == []


def test_after_asking_all_in_vain_it_pauses_and_asks_again():
    fetcher, network, timers, _held = make()
    came = []
    fetcher.want(sha256(b"x"), None, lambda: came.append(1))
    network.answer_all()
    assert len(network.asked) == 4
    network.served[AGENCIES[2], f"{PATH}{sha256(b'x').hex()}"] = b"x"
    timers.fire_all()
    network.answer_all()
    assert came == [1]


def test_a_few_questions_are_open_at_once_and_all_things_come():
    fetcher, network, _timers, held = make()
    things = [bytes([number]) for number in range(100)]
    for thing in things:
        for peer in AGENCIES:
            network.served[peer, f"{PATH}{sha256(thing).hex()}"] = thing
        fetcher.want(sha256(thing), None, lambda: None)
    assert len(network.questions) == OPEN_MAX
    network.answer_all()
    assert len(held) == 100


def test_what_came_another_way_or_is_forgotten_is_not_waited_for():
    fetcher, network, timers, _held = make()
    came = []
    fetcher.want(sha256(b"x"), None, lambda: came.append("x"))
    fetcher.want(sha256(b"y"), None, lambda: came.append("y"))
    fetcher.came(sha256(b"x"))
    fetcher.forget(sha256(b"y"))
    network.answer_all()
    timers.fire_all()
    assert came == ["x"]
    assert len(fetcher) == 0


def test_without_peers_it_waits_for_some():
    fetcher, _network, timers, _held = make(InventedNetwork([]))
    fetcher.want(sha256(b"x"), None, lambda: None)
    timers.fire_all()
    assert fetcher.wants(sha256(b"x"))
