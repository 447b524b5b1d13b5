"""What liars can make a node verify, log and keep is bounded; honest peers are never blamed.

The other nodes are keys in the test's hand: each flood is made of messages that really are signed.
"""

import random
from dataclasses import replace

import pytest

from consensus.evidence import evidence_of
from consensus.messages import Phase, SignedProposal, Status, VoteType, proposal_message
from consensus.proofs import SignedPolkaProof, SignedRoundProof
from consensus.wire import print_message
from keys.errors import BadSignatureError
from keys.hashing import sha256
from ledger.errors import InvalidDataError
from ledger.vault import Vault
from node import intake
from node.block_exchange import BLOCK_PATH
from node.evidence_pool import WAITING_OF_ONE_MAX
from node.gossip import pack_parcels, parse_parcel
from node.intake import FAR_BURST, STATUS_BURST, UNEXPLAINED_BURST
from node.peer_entries import is_shameful
from node.public_entries import BAD_SIGNATURE_TOKENS, cost_of
from node.submissions import Admitted, Submission
from tests.node.public_town import open_door, town_at
from tests.node.test_world import Setting
from tests.node.town_chain import pooled

LIAR = 3
HONEST, VICTIM = 1, 0


@pytest.fixture
def setting(tmp_path):
    made = Setting(tmp_path)
    yield made
    made.close()


@pytest.fixture
def checks(monkeypatch):
    """Counts signature checks of votes and proposals."""
    seen: list[object] = []
    for name in ("open_vote", "open_proposal"):
        real = getattr(intake, name)

        def counted(message, *more, real=real):
            seen.append(message)
            return real(message, *more)

        monkeypatch.setattr(intake, name, counted)
    return seen


def frames(setting):
    return len(setting.disk.frames)


@pytest.mark.parametrize("height", [1, 2, 3])
def test_a_flood_of_votes_of_far_rounds_costs_a_bounded_number_of_checks_and_frames(
    height, setting, checks
):
    setting.start()
    before = frames(setting)
    for number in range(3 * FAR_BURST):
        setting.give(LIAR, setting.vote(LIAR, VoteType.PREVOTE, None, height, 10 + number))
    assert len(checks) <= FAR_BURST
    assert frames(setting) - before <= FAR_BURST
    assert setting.network.blamed == [], "its own votes are its own business"


def test_a_flood_of_one_validator_takes_no_budget_of_another_one(setting, checks):
    setting.start()
    for number in range(2 * FAR_BURST):
        setting.give(LIAR, setting.vote(LIAR, VoteType.PREVOTE, None, 1, 10 + number))
    checks.clear()
    for index in (0, 2):
        setting.give(index, setting.vote(index, VoteType.PREVOTE, None, 1, 7))
    assert len(checks) == 2
    assert setting.driver.state.round == 7, "a third of the weight is there: it skips"


def test_forged_far_votes_of_an_honest_validator_spend_the_forgers_credit_and_not_its_budget(
    setting,
):
    setting.start()
    for number in range(FAR_BURST + 9):
        forged = setting.vote(0, VoteType.PREVOTE, None, 1, 10 + number, key=setting.keys[LIAR])
        with pytest.raises(BadSignatureError):
            setting.give(LIAR, forged)
    genuine = setting.vote(0, VoteType.PREVOTE, None, 1, 10_000)
    setting.give(0, genuine)
    assert setting.driver.is_known(genuine)


def test_later_heights_that_do_not_verify_are_checked_a_few_times_and_then_dropped(setting, checks):
    setting.start()
    for number in range(4 * UNEXPLAINED_BURST):
        forged = setting.vote(0, VoteType.PREVOTE, None, 2, number, key=setting.keys[LIAR])
        setting.give(LIAR, forged)
    assert len(checks) == UNEXPLAINED_BURST
    assert setting.network.blamed == []
    setting.give(0, setting.vote(0, VoteType.PREVOTE, None, 2, 0))
    assert len(checks) == UNEXPLAINED_BURST + 1, "another peer is heard as before"
    setting.clock.time_ms += 2_000
    setting.give(LIAR, setting.vote(LIAR, VoteType.PREVOTE, None, 2, 0))
    assert len(checks) == UNEXPLAINED_BURST + 2, "and the liar again after a while"


def test_a_flood_of_far_proposals_is_bounded_too(setting, checks):
    setting.start()
    for number in range(2 * FAR_BURST):
        round_number = 2 + 4 * (number + 3)  # rounds in which it is the liar's turn
        unsigned = SignedProposal(1, round_number, sha256(b"%d" % number), -1, 5, LIAR, b"")
        signature = setting.keys[LIAR].sign(proposal_message(setting.town.network_id, unsigned))
        setting.give(LIAR, replace(unsigned, signature=signature))
    assert 0 < len(checks) <= FAR_BURST
    assert len(setting.driver.state.proposals) <= 2


def test_a_replay_of_one_vote_is_verified_and_logged_once(setting, checks):
    setting.start()
    vote = setting.vote(LIAR, VoteType.PREVOTE, None)
    setting.give(LIAR, vote)
    before = frames(setting)
    setting.give(LIAR, *[vote] * 1_000)
    assert (len(checks), frames(setting)) == (1, before)


def test_a_liar_that_contradicts_itself_without_end_fills_a_few_places_and_is_told_on_as_often(
    setting,
):
    setting.start()
    for number in range(5 * WAITING_OF_ONE_MAX):
        one, other = (
            setting.vote(LIAR, VoteType.PREVOTE, value, 1, number) for value in (None, bytes(32))
        )
        setting.give(2, evidence_of(one, other))
    assert len(setting.world.evidence) == WAITING_OF_ONE_MAX
    assert len(setting.network.messages) <= WAITING_OF_ONE_MAX + 4
    one, other = (setting.vote(0, VoteType.PREVOTE, value, 1, 0) for value in (None, bytes(32)))
    setting.give(2, evidence_of(one, other))
    assert len(setting.world.evidence) == WAITING_OF_ONE_MAX + 1, "room for another liar"


def test_status_messages_are_taken_a_few_at_a_time(setting):
    setting.start()
    heard = []
    setting.world.sync.status = lambda _peer, status: heard.append(status)
    for number in range(500):
        setting.give(LIAR, Status(1, number, Phase.PROPOSE, number))
    assert len(heard) == STATUS_BURST
    setting.clock.time_ms += 1_000
    setting.give(LIAR, Status(1, 0, Phase.PROPOSE, 0))
    assert len(heard) == STATUS_BURST + 1


# --- nobody makes an honest peer look bad ---


class Attacker:
    """One validator of four: signs what it likes, forges, replays, damages; by a seeded dice."""

    def __init__(self, setting, dice):
        self.setting = setting
        self.dice = dice
        self.seen: list[bytes] = []

    def message(self):
        made = self.dice.choice(
            (
                self.own_vote, self.forged_vote, self.equivocation, self.forged_evidence,
                self.polka, self.rounds, self.proposal, self.replay, self.damaged, self.junk,
                self.stand,
            )
        )()  # fmt: skip
        return made if isinstance(made, bytes) else print_message(made)

    def vote(self, index, key=None):
        return self.setting.vote(
            index,
            self.dice.choice(tuple(VoteType)),
            self.dice.choice((None, bytes(32), sha256(b"a block"))),
            self.dice.randrange(1, 5),
            self.dice.choice((0, 0, 1, 2, 9, 1_000)),
            key=key,
        )

    def own_vote(self):
        return self.vote(LIAR)

    def forged_vote(self):
        return self.vote(self.dice.randrange(4), key=self.setting.keys[LIAR])

    def _pair(self, key=None):
        one = self.vote(LIAR if key is None else HONEST, key)
        other = self.setting.vote(
            one.validator, one.type, sha256(b"another"), one.height, one.round, key=key
        )
        return evidence_of(one, other)

    def equivocation(self):
        return self._pair()

    def forged_evidence(self):
        return self._pair(self.setting.keys[LIAR])

    def signatures(self):
        listed = sorted(self.dice.sample(range(4), self.dice.randrange(1, 5)))
        return tuple((index, self.forged_vote().signature) for index in listed)

    def polka(self):
        height = self.dice.randrange(1, 4)
        return SignedPolkaProof(height, self.dice.randrange(3), bytes(32), self.signatures())

    def rounds(self):
        height = self.dice.randrange(1, 4)
        votes = tuple(
            replace(self.vote(index, self.setting.keys[LIAR]), height=height)
            for index in sorted(self.dice.sample(range(4), 3))
        )
        return SignedRoundProof(height, self.dice.randrange(1, 5), votes)

    def proposal(self):
        unsigned = SignedProposal(
            *(self.dice.randrange(1, 4), self.dice.randrange(8), sha256(b"a block"), -1),
            *(self.setting.clock.time_ms, self.dice.choice((LIAR, HONEST)), b""),
        )
        message = proposal_message(self.setting.town.network_id, unsigned)
        return replace(unsigned, signature=self.setting.keys[LIAR].sign(message))

    def replay(self):
        return self.dice.choice(self.seen) if self.seen else b""

    def damaged(self):
        raw = bytearray(self.replay() or print_message(self.own_vote()))
        raw[self.dice.randrange(len(raw))] ^= 1 << self.dice.randrange(8)
        return bytes(raw)

    def junk(self):
        return self.dice.randbytes(self.dice.randrange(90))

    def stand(self):
        return Status(self.dice.randrange(1, 9), 0, Phase.PROPOSE, self.dice.randrange(9))


def passed_on(sender, receiver, taken):
    """Give the receiver all that the sender has said since; it must never be held against it."""
    for raw in sender.network.messages[taken:]:
        receiver.give(sender.own, raw)  # raises what would be held against the sender
    for path, raw in sender.network.bulk:
        assert path == BLOCK_PATH
        receiver.world.exchange.take_short(sender.members[sender.own], raw)
    sender.network.bulk.clear()
    return len(sender.network.messages)


class Town:
    """Two honest nodes, an attacker who speaks with both, and a fourth who is silent."""

    def __init__(self, folder, seed):
        self.dice = random.Random(seed)
        self.nodes = []
        for own in (HONEST, VICTIM):
            (folder / str(own)).mkdir()
            self.nodes.append(Setting(folder / str(own), own))
            propose_something(self.nodes[-1])
        self.attacker = Attacker(self.nodes[0], self.dice)
        self.taken = [0, 0]
        self.faults = 0

    def attack(self):
        node = self.nodes[self.dice.randrange(2)]
        try:
            node.give(LIAR, self.attacker.message())
        except (InvalidDataError, BadSignatureError):
            self.faults += 1
        node.clock.time_ms += self.dice.choice((0, 1, 50))
        if self.dice.randrange(20) == 0:
            node.timers.fire_all()

    def talk(self):
        for which, node in enumerate(self.nodes):
            node.fire_soon()
            if self.dice.randrange(3) == 0:
                self.attacker.seen += node.network.messages[self.taken[which] :]
                self.taken[which] = passed_on(node, self.nodes[1 - which], self.taken[which])

    def talk_again(self):
        """Say everything once more, late."""
        for which, node in enumerate(self.nodes):
            passed_on(node, self.nodes[1 - which], 0)


def propose_something(node):
    node.town.create_identity()
    (entry,) = node.town.blocks[0][2]
    assert node.vault.put_bodies(node.town.bodies) == {}
    node.pool.add(pooled(node.application, entry.raw))
    node.start()


@pytest.mark.parametrize("seed", range(6))
def test_no_sequence_of_an_attackers_messages_makes_two_honest_nodes_blame_each_other(
    seed, tmp_path
):
    town = Town(tmp_path, seed)
    for _step in range(250):
        town.attack()
        town.talk()
    town.talk_again()
    for node in town.nodes:
        honest = {node.members[HONEST], node.members[VICTIM]}
        assert [peer for peer, _code in node.network.blamed if peer in honest] == []
        node.close()
    assert town.faults > 30, "the attacker is seen through"
    assert any(len(node.world.evidence) for node in town.nodes), "and told on"


def test_the_property_can_fail_a_node_that_passes_on_what_it_has_not_checked_is_blamed(tmp_path):
    node = Setting(tmp_path)
    node.start()
    forged = node.vote(2, VoteType.PREVOTE, None, key=node.keys[LIAR])
    with pytest.raises(BadSignatureError):
        node.give(VICTIM, forged)
    node.close()


def changed(raw, dice):
    """The bytes with a bit changed, a piece cut out, or nothing changed."""
    at = dice.randrange(len(raw))
    flipped = raw[:at] + bytes([raw[at] ^ (1 << dice.randrange(8))]) + raw[at + 1 :]
    return dice.choice((raw, flipped, raw[:at], raw + b"\x00"))


def test_whatever_a_client_submits_what_one_node_passes_on_no_other_holds_against_it(tmp_path):
    """The honest node executes what it admits; the other one, ahead of it or behind, need not."""
    dice = random.Random(3)
    vaults = [Vault.open(make(tmp_path / name)) for name in ("vault-a", "vault-b")]
    town = town_at()
    one = open_door(tmp_path / "a", vaults[0], town)
    other = open_door(tmp_path / "b", vaults[1], town)
    before = len(town.blocks)
    for number in range(6):
        town.adult(f"person {number}")
    entries = [entry for _h, _t, made in town.blocks[before:] for entry in made]
    passed = refused = 0
    for _round in range(40):
        for entry in entries:
            bodies = tuple(changed(body, dice) for body in own_bodies(town, entry))
            (result,) = one.admission.admit([Submission(changed(entry.raw, dice), bodies)])
            if not isinstance(result, Admitted):
                refused += 1
                continue
            passed += 1
            known = one.pool.get(result.entry_digest)
            assert known is not None
            told = Submission(known.verified.entry.raw, own_bodies(town, entry), trusted=True)
            (answer,) = other.admission.admit(parse_parcel(next(iter(pack_parcels([told])))))
            assert not is_shameful(answer), answer
    assert passed >= len(entries)
    assert refused > 20
    for door, vault in zip((one, other), vaults, strict=True):
        door.application.close()
        vault.close()


def test_an_entry_with_a_damaged_signature_is_refused_for_good_and_shames_who_passes_it_on(
    tmp_path,
):
    """Through the real door: what it raises is what peers are blamed for and clients pay for."""
    vault = Vault.open(make(tmp_path / "vault"))
    door = open_door(tmp_path / "a", vault)
    before = len(door.town.blocks)
    door.town.adult("somebody")
    entry = door.town.blocks[before][2][0]
    bodies = own_bodies(door.town, entry)
    for at in range(1, 40):
        damaged = bytearray(entry.raw)
        damaged[-at] ^= 1
        (result,) = door.admission.admit([Submission(bytes(damaged), bodies, trusted=True)])
        assert is_shameful(result), result
        assert cost_of(result) == BAD_SIGNATURE_TOKENS
        assert door.admission._refusals.get(sha256(bytes(damaged))) is not None
    (result,) = door.admission.admit([Submission(entry.raw, bodies, trusted=True)])
    assert isinstance(result, Admitted)
    assert not is_shameful(result)
    door.application.close()
    vault.close()


def make(folder):
    folder.mkdir()
    return folder


def own_bodies(town, entry):
    return tuple(town.bodies[one.seal.body_digest] for one in entry.records if one.seal is not None)
