"""A validator whose consensus key is not here says so; it does not claim to vote."""

from typing import Any

import pytest

from consensus.schedule import round_robin
from consensus.state import Identity
from keys.signing import Algorithm, SoftwareKey
from ledger.ids import AgencyId
from ledger.validators import Validator, ValidatorSet
from node.driver import Driver
from node.health import Level
from node.key_watch import KeyWatch
from node.logs import SilentLog
from node.machine_findings import check_key, check_log_made, check_vault_made

OWN, OTHER = AgencyId(bytes(16)), AgencyId(bytes([1]) * 16)
KEYS = [SoftwareKey.from_private_bytes(Algorithm.P256, bytes([one]) * 32) for one in (1, 2, 3)]


class Holder:
    def __init__(self, *keys):
        self.held = {one.public for one in keys}

    def holds(self, key):
        return key in self.held


class Lines(SilentLog):
    def __init__(self):
        self.errors = []
        self.told = []

    def info(self, event, **_values):
        self.told.append(event)

    def error(self, event, **values):
        self.errors.append((event, values["height"], values["key"]))


def set_of(own):
    members = [Validator(OTHER, KEYS[2].public, 1)]
    return ValidatorSet((*([Validator(OWN, own.public, 1)] if own else []), *members))


@pytest.mark.parametrize("signer", [None, Holder(), Holder(KEYS[1])])
def test_a_key_that_the_set_names_and_that_is_not_here_is_missing_and_told_once(signer):
    log = Lines()
    watch = KeyWatch(OWN, signer, lambda: set_of(KEYS[0]), log)
    for height in (5, 6, 7):
        watch.look(height)
    assert watch.missing() == KEYS[0].public
    assert log.errors == [("consensus_key_missing", 5, KEYS[0].public.key_id)]


@pytest.mark.parametrize(
    ("agency", "signer", "own"),
    [(OWN, Holder(KEYS[0]), KEYS[0]), (OWN, None, None), (None, None, KEYS[0])],
)
def test_who_has_the_key_or_is_not_in_the_set_lacks_nothing(agency, signer, own):
    log = Lines()
    watch = KeyWatch(agency, signer, lambda: set_of(own), log)
    watch.look(5)
    assert watch.missing() is None
    assert log.errors == []


@pytest.mark.parametrize(
    ("agency", "signer", "told"),
    [(OWN, Holder(KEYS[0]), True), (OWN, Holder(KEYS[1]), False), (None, None, False)],
)
def test_only_who_holds_the_key_of_the_set_says_that_it_votes_again(agency, signer, told):
    log = Lines()
    unused: Any = None
    identity = Identity(agency, round_robin)
    driver = Driver(identity, bytes(32), signer, journal=unused, clock=unused, log=log)
    driver.tell("voting_resumed", set_of(KEYS[0]))
    assert log.told == ["voting_resumed"] * told


def test_another_key_is_told_anew():
    log, wanted = Lines(), [KEYS[0]]
    watch = KeyWatch(OWN, Holder(KEYS[1]), lambda: set_of(wanted[0]), log)
    watch.look(5)
    wanted[0] = KEYS[1]
    watch.look(6)
    wanted[0] = KEYS[0]
    watch.look(7)
    assert [height for _event, height, _key in log.errors] == [5, 7]


def test_a_missing_key_is_bad_and_a_lost_log_or_a_new_vault_a_warning():
    assert check_key(None) is None
    found = check_key("ab" * 16)
    assert found is not None
    assert (found.code, found.level) == ("consensus_key_missing", Level.BAD)
    assert check_log_made(None) is None
    lost = check_log_made(7)
    assert lost is not None
    assert (lost.code, lost.level) == ("log_missing", Level.WARN)
    assert check_vault_made(0, 0) is None
    assert check_vault_made(9, 9) is None
    made = check_vault_made(9, 8)
    assert made is not None
    assert (made.code, made.level) == ("vault_made", Level.WARN)
