"""Sealed bodies before a prevote and after a decision, on a real vault."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import encode
from ledger.errors import InvalidDataError
from ledger.vault import Vault
from node.bodies import BATCH_MAX, answer_question, parse_answer
from tests.node.invented_world import AGENCIES
from tests.node.named_bodies import block_of, digest_of, make, serve


@pytest.fixture
def vault(tmp_path):
    opened = Vault.open(tmp_path / "vault")
    yield opened
    opened.close()


def test_bodies_that_are_here_are_held_at_once(vault):
    vault.put_bodies({digest_of(b"one"): b"one"})
    bodies, network, _timers = make(vault)
    done = []
    bodies.want(block_of([digest_of(b"one")]), None, lambda: done.append(1))
    bodies.want(block_of([]), None, lambda: done.append(2))
    assert done == [1, 2]
    assert network.asked == []


def test_a_block_waits_for_the_last_of_its_bodies(vault):
    owner = AGENCIES[2]
    bodies, network, timers = make(vault, [(owner, b"one")])
    done = []
    digests = [digest_of(b"one"), digest_of(b"two")]
    bodies.want(block_of(digests), owner, lambda: done.append(1))
    assert network.asked == []
    timers.fire_all()
    network.answer_all()
    assert done == []
    assert bodies.missing == 1
    serve(network, AGENCIES[0], {digest_of(b"two"): b"two"})
    timers.fire_all()
    network.answer_all()
    assert done == [1]
    assert [vault.body(digest) for digest in digests] == [b"one", b"two"]


def test_a_body_with_another_digest_is_blamed_and_not_kept(vault):
    digest = digest_of(b"one")
    bodies, network, timers = make(vault)
    serve(network, AGENCIES[0], {digest: b"lie"})
    bodies.want(block_of([digest]), AGENCIES[0], lambda: None)
    timers.fire_all()
    network.answer_all()
    assert [peer for peer, _reason in network.blamed] == [AGENCIES[0]]
    assert vault.body(digest) is None


def test_a_purged_body_is_not_waited_for(vault):
    digest = digest_of(b"one")
    vault.purge([digest])
    bodies, network, _timers = make(vault)
    done = []
    bodies.want(block_of([digest]), None, lambda: done.append(1))
    bodies.keep([digest])
    assert done == [1]
    assert network.asked == []


def test_what_is_missing_after_a_decision_is_fetched(vault):
    bodies, network, timers = make(vault, [(AGENCIES[1], b"one")])
    bodies.keep([digest_of(b"one")])
    timers.fire_all()
    network.answer_all()
    assert vault.body(digest_of(b"one")) == b"one"
    assert bodies.missing == 0


def test_a_thousand_missing_bodies_take_a_few_questions(vault):
    bodies, network, timers = make(vault)
    named = {digest_of(b"%d" % number): b"%d" % number for number in range(1_000)}
    serve(network, AGENCIES[1], named)
    done = []
    bodies.want(block_of(named), AGENCIES[1], lambda: done.append(1))
    timers.fire_all()
    network.answer_all()
    assert done == [1]
    assert len(network.asked) == -(-1_000 // BATCH_MAX)
    assert all(vault.body(digest) == body for digest, body in named.items())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_question_or_an_answer_or_refused(raw):
    for read in (lambda: answer_question(raw, lambda _digest: None), lambda: parse_answer(raw, 2)):
        with contextlib.suppress(InvalidDataError):
            assert read()


def test_an_answer_stops_when_it_is_full():
    large = bytes(250_000)
    raw = answer_question(encode((bytes(32),) * 100), lambda _digest: large)
    answer = parse_answer(raw, 100)
    assert answer[0] == large
    assert answer[-1] is None


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_a_body_that_gossip_brings_meanwhile_is_enough(is_asked_for, vault):
    bodies, network, timers = make(vault)
    done = []
    bodies.want(block_of([digest_of(b"one")]), None, lambda: done.append(1))
    if is_asked_for:
        timers.fire_all()
    vault.put_bodies({digest_of(b"one"): b"one"})
    bodies.recheck()
    assert done == [1]
    assert bodies.missing == 0
    asked = len(network.asked)
    timers.fire_all()
    network.answer_all()
    assert len(network.asked) == asked or is_asked_for
