"""Entries that can never come: dropped with the block that beat them, never brought back by peers.

Found in namespaces (`tests/chaos`): of two entries for one version of a record the loser stayed in
the pools until each node had failed three times to propose it, and nodes that gave it up at
different times told it each other again, for as long as it was valid.
"""

from dataclasses import replace
from typing import Any

import pytest

from keys.hashing import Digest
from ledger.vault import Vault
from node.mempool import PATIENCE_BLOCKS
from node.submissions import Admitted, Submission
from node.waiting import GivenUp, Place
from tests.networks import seed
from tests.node.public_town import open_door
from tests.registry.town import by

NAMES = ("an", "binh")


@pytest.fixture(name="door")
def _door(tmp_path):
    vault = Vault.open(tmp_path / "vault")
    door = open_door(tmp_path, vault)
    yield door
    door.application.close()
    vault.close()


@pytest.fixture(name="people")
def _people(door):
    """Two people with keys, in the chain."""
    people = {name: door.town.adult(name) for name in NAMES}
    for _height, _time_ms, entries in door.town.blocks:
        bring(door, *entries)
    door.commit()
    return people


def bring(door, *entries, trusted=False):
    """Submit entries, as a client or as a peer."""
    given = []
    for entry in entries:
        sealed = [record.seal for record in entry.records if record.seal is not None]
        bodies = tuple(door.town.bodies[seal.body_digest] for seal in sealed)
        given.append(replace(Submission(entry.raw, bodies), trusted=trusted))
    return door.admission.admit(given)


def update(door, people, name):
    return door.town.contact(people[name], by("subject", name))


def test_of_two_entries_for_one_version_the_loser_goes_with_the_block_that_beat_it(door, people):
    winner, loser = (update(door, people, "an") for _ in range(2))
    other = update(door, people, "binh")
    told: list[Any] = []
    (first,) = bring(door, winner)
    for entry in (loser, other):
        door.admission.waiting.add(entry.entry_digest, told.append)
    waiting = bring(door, loser, other, trusted=True)
    assert all(isinstance(one, Admitted) for one in (first, *waiting))
    door.commit()
    refused, place = sorted(told, key=lambda one: isinstance(one, Place))
    assert refused.code == "registry.stale_version"
    assert isinstance(place, Place)
    assert len(door.pool) == 0


def test_what_builds_on_the_winner_stays(door, people):
    first = update(door, people, "an")
    bring(door, first)
    door.town.accept(first)
    second = update(door, people, "an")
    door.commit()
    bring(door, second)
    door.commit()
    assert door.application.store.locate(second.entry_digest) is not None


def test_a_version_still_to_come_is_not_dropped_with_one_before_it(door, people):
    chain = []
    for _ in range(3):
        chain.append(update(door, people, "an"))
        door.town.accept(chain[-1])
    bring(door, *chain)
    one, *later = [door.pool.get(entry.entry_digest) for entry in chain]
    assert door.pool.drop_beaten([one.verified.entry]) == [one]
    assert [door.pool.get(entry.entry_digest) for entry in chain[1:]] == later


def test_a_peer_cannot_bring_back_what_was_given_up_and_a_client_has_it_examined_again(
    door, people
):
    lost = update(door, people, "an")
    beaten = update(door, people, "an")
    bring(door, lost)
    bring(door, beaten, trusted=True)
    door.commit()
    assert door.admission.is_settled(beaten.entry_digest)
    assert not door.admission.is_known(beaten.entry_digest)
    (again,) = bring(door, beaten, trusted=True)
    assert again.code == "registry.refused"
    (asked,) = bring(door, beaten)
    assert asked.code == "registry.stale_version"
    assert len(door.pool) == 0


def test_what_was_given_up_after_failing_and_fits_later_comes_back_with_a_client(door, people):
    first = update(door, people, "an")
    door.town.accept(first)
    second = update(door, people, "an")
    bring(door, second, trusted=True)
    for _ in range(PATIENCE_BLOCKS):
        door.commit()
    assert door.admission.is_settled(second.entry_digest)
    bring(door, first)
    (again,) = bring(door, second)
    assert isinstance(again, Admitted)
    assert not isinstance(bring(door, second, trusted=True)[0], Exception)
    door.commit()
    assert door.application.store.locate(second.entry_digest) is not None


def test_the_newest_are_remembered_and_no_more_than_that():
    given_up, names = GivenUp(3), [Digest(seed("entry", number)) for number in range(5)]
    given_up.remember(names[:3])
    given_up.remember(names[:1])  # the first is the newest now
    given_up.remember(names[3:])
    assert [name in given_up for name in names] == [True, False, False, True, True]
    given_up.forget(names[0])
    given_up.forget(names[1])
    assert len(given_up) == 2
