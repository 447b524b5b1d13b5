"""The act `validator/ready` in blocks of a real chain: its header is looked up, in replays too."""

import pytest

from consensus.parameters import DEFAULT
from ledger.parts import ObjectPart
from node.application import Turn
from node.directory import make_directory, state_members
from node.readiness import ReadyPlan, make_ready_entry
from registry.code_tables import record_type
from registry.errors import RuleViolatedError
from registry.replay import Replayer
from tests.node.town_chain import certificate, make_application, make_town, pooled
from tests.registry.test_membership import admission, agency
from tests.registry.town import by, identifier, key

SPARE_HEIGHTS = 3


class Chain:
    """Blocks with one entry each, until the set changes; rows of a replay in the middle."""

    def __init__(self, folder):
        self.town = make_town()
        self.application = make_application(folder, self.town)
        self.replayer = Replayer(self.town.genesis)
        self.headers = {}

    def extend(self, *entries):
        application, height = self.application, self.application.tip_height + 1
        draft = application.begin_draft()
        time_ms = self.town.time_ms + height
        for entry in entries:
            verified = pooled(application, entry.raw).verified
            application.try_entry(draft, verified, time_ms)
        turn = Turn(round=0, proposer=height % 4, time_ms=time_ms)
        block = application.finish_draft(draft, turn)
        application.commit(block, certificate(self.town, height, block.header.digest))
        self.headers[height] = block.header.digest
        return block

    def govern(self, kind, name, item):
        hands = [by("agency", name, "govern", number) for number in range(2)]
        return self.town.entry(kind, hands, objects=[item], office=None)

    def decide(self, action, fields):
        ballot = ObjectPart("ballot", {"action": action, "fields": fields})
        opened = self.govern("ballot/open", "justice", ballot)
        vote = ObjectPart("vote", {"ballot": opened.created_record_id, "yes": True})
        self.extend(opened)
        self.extend(*(self.govern("ballot/vote", name, vote) for name in ("police", "land")))

    def ready(self, height):
        application = self.application
        header = application.header_digest(height)
        assert header is not None
        plan = ReadyPlan(
            network_id=self.town.network_id,
            record_type=record_type(application.state(), "validator", height + 1),
            height=height,
            header=header,
            day=self.town.day,
            now_ms=self.town.time_ms,
        )
        return make_ready_entry(plan, key("bank", "consensus"))


@pytest.fixture
def chain(tmp_path):
    made = Chain(tmp_path)
    made.decide("admit", admission(made.town))
    for _ in range(SPARE_HEIGHTS):
        made.extend()
    return made


def test_a_ready_validator_is_in_the_set_two_heights_later_and_both_heights_are_known(chain):
    height = chain.application.tip_height
    chain.extend(chain.ready(height))
    now = chain.application.tip_height
    sets = [chain.application.validators_at(now + ahead) for ahead in (1, 2)]
    assert [len(one) for one in sets] == [4, 5]
    following = chain.extend()
    assert following.header.next_validators == sets[1].digest


def test_a_replay_from_the_middle_needs_the_newest_headers(chain):
    height = chain.application.tip_height
    chain.extend(chain.ready(height - 1))
    blocks = [chain.application.store.block(at) for at in range(1, height + 2)]
    whole = Replayer(chain.town.genesis)
    for block in blocks[:-1]:
        whole.replay_block(block)
    rows = dict(whole.rows)
    replayed = whole.replay_block(blocks[-1])
    assert replayed.block is blocks[-1]
    again = Replayer(chain.town.genesis, rows, headers=chain.headers)
    again.replay_block(blocks[-1])
    assert again.state_root == whole.state_root
    with pytest.raises(RuleViolatedError) as caught:
        Replayer(chain.town.genesis, rows).replay_block(blocks[-1])
    assert caught.value.details["rule"] == "registry.not_ready"


def test_consensus_durations_change_by_ballot_at_their_height(chain):
    before = chain.application.parameters_at(chain.application.tip_height + 1)
    fields = {"name": "consensus", "value": DEFAULT.to_value()}
    chain.decide("parameter", fields)
    passed = chain.application.tip_height
    assert chain.application.parameters_at(passed + 1) == before
    assert chain.application.parameters_at(passed + 2) == DEFAULT


def test_the_directory_follows_the_state(chain):
    own = identifier("agency", "tax")

    def read():
        return make_directory(state_members(chain.application), own, {})[0]

    assert agency("bank") in {node.agency_id for node in read().nodes}
    assert own not in {node.agency_id for node in read().nodes}
    assert read().own_key == key("tax", "peer").public.key_id
    place = ObjectPart("place", {"peer_address": "moved.example:7400"})
    chain.extend(chain.govern("agency/move", "land", place))
    land = next(node for node in read().nodes if node.agency_id == agency("land"))
    assert str(land.address) == "moved.example:7400"
    nowhere = ObjectPart("place", {"peer_address": "nowhere.example:99999"})
    chain.extend(chain.govern("agency/move", "land", nowhere))
    directory, problems = make_directory(state_members(chain.application), own, {})
    assert agency("land") not in {node.agency_id for node in directory.nodes}
    assert [problem.partition(":")[0] for problem in problems] == [f"peers.{agency('land').hex()}"]
