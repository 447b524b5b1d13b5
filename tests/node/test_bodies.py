"""Sealed bodies before a prevote and after a decision, on a real vault."""

import pytest

from keys.hashing import domain, hash_with
from ledger.vault import Vault
from node.bodies import SEALED_PATH, Bodies
from node.body_backlog import read_mark
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES


def digest_of(body):
    return hash_with(domain("body"), body)


@pytest.fixture
def vault(tmp_path):
    opened = Vault.open(tmp_path / "vault")
    yield opened
    opened.close()


def make(vault, served=()):
    network, timers = InventedNetwork(AGENCIES), InventedTimers()
    for peer, body in served:
        network.served[peer, f"{SEALED_PATH}{digest_of(body).hex()}"] = body
    return Bodies(vault, network, timers), network, timers


def test_bodies_that_are_here_are_held_at_once(vault):
    vault.put_body(digest_of(b"one"), b"one")
    bodies, network, _timers = make(vault)
    done = []
    bodies.want([digest_of(b"one")], None, lambda: done.append(1))
    bodies.want([], None, lambda: done.append(2))
    assert done == [1, 2]
    assert network.asked == []


def test_a_block_waits_for_the_last_of_its_bodies(vault):
    owner = AGENCIES[2]
    bodies, network, timers = make(vault, [(owner, b"one")])
    done = []
    digests = [digest_of(b"one"), digest_of(b"two")]
    bodies.want(digests, owner, lambda: done.append(1))
    network.answer_all()
    assert done == []
    assert bodies.missing == 1
    network.served[AGENCIES[0], f"{SEALED_PATH}{digest_of(b'two').hex()}"] = b"two"
    timers.fire_all()
    network.answer_all()
    assert done == [1]
    assert [vault.body(digest) for digest in digests] == [b"one", b"two"]


def test_a_body_with_another_digest_is_blamed_and_not_kept(vault):
    digest = digest_of(b"one")
    bodies, network, _timers = make(vault)
    network.served[AGENCIES[0], f"{SEALED_PATH}{digest.hex()}"] = b"lie"
    bodies.want([digest], AGENCIES[0], lambda: None)
    network.answer_all()
    assert [peer for peer, _reason in network.blamed] == [AGENCIES[0]]
    assert vault.body(digest) is None


def test_a_purged_body_is_not_waited_for(vault):
    digest = digest_of(b"one")
    vault.purge([digest])
    bodies, network, _timers = make(vault)
    done = []
    bodies.want([digest], None, lambda: done.append(1))
    bodies.keep([digest])
    assert done == [1]
    assert network.asked == []


def test_what_is_missing_after_a_decision_is_fetched(vault):
    bodies, network, _timers = make(vault, [(AGENCIES[1], b"one")])
    bodies.keep([digest_of(b"one")])
    network.answer_all()
    assert vault.body(digest_of(b"one")) == b"one"
    assert bodies.missing == 0


@pytest.mark.parametrize("raw", [b"", b"x", b"-4", b"1.5", b"\xff", b"9" * 30])
def test_a_mark_that_does_not_read_is_the_beginning(raw, tmp_path):
    path = tmp_path / "bodies"
    assert read_mark(path) == 0
    path.write_bytes(raw)
    assert read_mark(path) == 0
    path.write_bytes(b"17\n")
    assert read_mark(path) == 17
