"""Who is asked what a key has signed, how many must answer, and under which set that is judged."""

from typing import Any

import pytest

from keys.signing import SoftwareKey
from ledger.canonical import encode
from ledger.ids import AgencyId
from ledger.validators import Validator, ValidatorSet
from node.interrogation import Interrogation
from node.logs import SilentLog
from node.startup import STATUS_PATH, LatestVotes
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES, VALIDATORS

OWN = AGENCIES[0]
NEW = [AgencyId(bytes([number]) * 16) for number in range(4, 8)]
NEW_KEYS = [SoftwareKey.generate() for _ in NEW]


def members(*agencies):
    """A set in which each weighs one."""
    keys = dict(zip(NEW, NEW_KEYS, strict=True))
    known = {one.agency_id: one for one in VALIDATORS.validators}
    known |= {agency: Validator(agency, keys[agency].public, 1) for agency in NEW}
    return ValidatorSet(tuple(known[agency] for agency in sorted(agencies)))


class Asking:
    """An interrogation whose set and network change as its test says."""

    def __init__(self, network, validators=VALIDATORS, *, is_skipped=False):
        self.validators, self.network, self.timers = validators, network, InventedTimers()
        self.answers: list[Any] = []
        self.more: list[Any] = []
        self.interrogation = Interrogation(
            OWN,
            lambda: self.validators,
            network=network,
            timers=self.timers,
            log=SilentLog(),
            done=lambda answers: self.answers.append(dict(answers)),
        )
        self.interrogation.on_more = lambda answers: self.more.append(dict(answers))
        if is_skipped:
            self.interrogation.skip()
        else:
            self.interrogation.start()

    def ask_again(self):
        self.timers.fire_all()
        self.network.answer_all()


def start(network, validators=VALIDATORS):
    asking = Asking(network, validators)
    return asking.interrogation, asking.timers, asking.answers


def serving(*agencies, tip=4):
    network = InventedNetwork([*AGENCIES[1:], *NEW])
    for peer in agencies:
        network.served[peer, STATUS_PATH] = LatestVotes().answer(tip)
    return network


def test_more_than_two_thirds_are_waited_for_and_then_it_ends_once():
    network = InventedNetwork(AGENCIES[1:])
    for peer in AGENCIES[1:]:
        network.served[peer, STATUS_PATH] = LatestVotes().answer(4)
    del network.served[AGENCIES[1], STATUS_PATH]
    del network.served[AGENCIES[2], STATUS_PATH]
    _interrogation, timers, answers = start(network)
    network.answer_all()
    assert answers == []
    network.served[AGENCIES[2], STATUS_PATH] = LatestVotes().answer(4)
    timers.fire_all()
    network.answer_all()
    assert len(answers) == 1
    timers.fire_all()
    network.answer_all()
    assert len(answers) == 1


def test_a_single_validator_does_not_wait_for_anybody():
    alone = ValidatorSet(VALIDATORS.validators[:1])
    _interrogation, _timers, answers = start(InventedNetwork([]), alone)
    assert answers == [{}]


def test_an_operator_can_end_the_wait():
    interrogation, _timers, answers = start(InventedNetwork(AGENCIES[1:]))
    interrogation.end()
    interrogation.end()
    assert answers == [{}]


@pytest.mark.parametrize("raw", [b"", encode([1, 2]), encode([2, 0, []])])
def test_a_peer_that_answers_nonsense_is_blamed_and_not_counted(raw):
    network = InventedNetwork(AGENCIES[1:])
    for peer in AGENCIES[1:]:
        network.served[peer, STATUS_PATH] = raw
    _interrogation, _timers, answers = start(network)
    network.answer_all()
    assert answers == []
    assert [peer for peer, _reason in network.blamed] == sorted(AGENCIES[1:])


def test_the_set_that_is_judged_by_is_the_one_to_which_the_chain_has_grown_meanwhile():
    """Two of the four it knew are gone for good; under the old set it would wait for ever."""
    network = serving(AGENCIES[3], *NEW)
    asking = Asking(network)
    network.answer_all()
    asking.ask_again()
    assert asking.answers == [], "two of four are no quorum"
    asked = {peer for peer, _path in network.asked}
    assert asked == set(AGENCIES[1:]), "who is in no set is not asked"
    asking.validators = members(OWN, AGENCIES[3], *NEW)
    asking.ask_again()
    assert [set(one) for one in asking.answers] == [{AGENCIES[3], *NEW[:3]}], "five of six"


def test_answers_of_those_who_were_removed_meanwhile_do_not_count():
    network = serving(AGENCIES[1])
    asking = Asking(network)
    network.answer_all()
    asking.validators = members(OWN, *NEW)
    network.served[AGENCIES[2], STATUS_PATH] = LatestVotes().answer(4)
    asking.ask_again()
    asking.ask_again()
    assert asking.answers == [], "three of the old four have answered, of the new five only we"
    for peer in NEW[:3]:
        network.served[peer, STATUS_PATH] = LatestVotes().answer(4)
    asking.ask_again()
    assert len(asking.answers) == 1


def test_nobody_is_asked_again_where_those_who_answered_decide_in_the_later_set_too():
    network = serving(*AGENCIES[1:])
    asking = Asking(network)
    network.answer_all()
    asking.validators = members(*AGENCIES, NEW[0])
    called: list[str] = []
    assert asking.interrogation.may_return(lambda: called.append("later"))
    assert (called, asking.more) == ([], [])


def test_after_a_change_of_the_set_it_asks_the_new_ones_before_it_goes_back_to_voting():
    network = serving(*AGENCIES[1:])
    asking = Asking(network)
    network.answer_all()
    assert len(asking.answers) == 1
    asking.validators = members(OWN, AGENCIES[1], *NEW)
    called: list[str] = []
    assert not asking.interrogation.may_return(lambda: called.append("later"))
    assert not asking.interrogation.is_over
    asking.ask_again()
    assert called == []
    for peer in NEW[:3]:
        network.served[peer, STATUS_PATH] = LatestVotes().answer(9)
    asking.ask_again()
    assert called == ["later"]
    assert [set(one) for one in asking.more] == [{*AGENCIES[1:], *NEW[:3]}]
    assert len(asking.answers) == 1, "it begins once only"
    asking.ask_again()
    assert called == ["later"]
    assert asking.interrogation.may_return(lambda: called.append("again"))


def test_who_began_unasked_asks_when_it_has_become_a_member():
    network = serving(*AGENCIES[1:])
    asking = Asking(network, members(*AGENCIES[1:]), is_skipped=True)
    called: list[str] = []
    assert asking.interrogation.may_return(lambda: called.append("never")), "it may not vote anyway"
    network.answer_all()
    assert asking.more == [], "nobody was asked"
    asking.validators = VALIDATORS
    assert not asking.interrogation.may_return(lambda: called.append("later"))
    network.answer_all()
    assert (called, len(asking.more), asking.answers) == (["later"], 1, [])


def test_who_is_no_validator_any_more_or_whose_operator_ended_the_wait_goes_back_at_once():
    network = serving(*AGENCIES[1:])
    asking = Asking(network)
    network.answer_all()
    asking.validators = members(*NEW)
    assert asking.interrogation.may_return(lambda: None)
    ended = Asking(serving())
    ended.interrogation.end()
    ended.validators = members(OWN, *NEW)
    assert ended.interrogation.may_return(lambda: None)


def test_an_operator_can_end_the_second_wait_as_well():
    network = serving(*AGENCIES[1:])
    asking = Asking(network)
    network.answer_all()
    asking.validators = members(OWN, *NEW)
    called: list[str] = []
    assert not asking.interrogation.may_return(lambda: called.append("later"))
    asking.interrogation.end()
    assert called == ["later"]
