"""Evidence inside blocks is checked again by whoever replays a copy, as every node checks it."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from cli.audit_checkpoint import read_checkpoint, write_checkpoint
from cli.audit_replay import Audit
from cli.audit_signatures import SignatureQueue
from cli.chain_copies import open_copy
from cli.main import program
from consensus.evidence import Evidence, evidence_of
from consensus.messages import SignedVote, VoteType, vote_message
from consensus.wire import print_message
from tests.cli.real_chains import RealChain, new_town, validator_keys
from tests.cli.test_audit import raw_export, replay
from tests.networks import seed

GENESIS = new_town().genesis
CODE = "consensus.block_wrong_evidence"


def vote(validator: int, height: int, block: object, vote_type=VoteType.PREVOTE) -> SignedVote:
    block_id = None if block is None else seed("voted for", block)
    message = vote_message(GENESIS.network_id, vote_type, height, 0, block_id)
    signature = validator_keys(GENESIS)[validator].sign(message)
    return SignedVote(vote_type, height, 0, block_id, validator, signature)


def equivocation(validator: int = 2, height: int = 1, blocks=("a", None)) -> Evidence:
    return evidence_of(*(vote(validator, height, block) for block in blocks))


def chain_of(*evidence: tuple[Evidence, ...]) -> RealChain:
    """One block for each tuple, with these pieces in their order."""
    made = RealChain(GENESIS)
    for pieces in evidence:
        ordered = sorted(pieces, key=lambda piece: piece.sort_key)
        made.add([], made.tip.time_ms + 1, [print_message(piece) for piece in ordered])
    return made


def with_last(*pieces: bytes, before: int = 1) -> RealChain:
    made = chain_of(*[()] * before)
    made.add([], made.tip.time_ms + 1, pieces)
    return made


def test_good_evidence_holds_and_is_counted(tmp_path):
    made = chain_of((), (equivocation(1), equivocation(2)), (equivocation(2, height=3),))
    status, result = replay(made.export(tmp_path / "export"))
    assert (status, result["holds"], result["evidence"]) == (0, True, 3)
    words = CliRunner().invoke(program, ["audit", "replay", str(tmp_path / "export")]).stdout
    assert "3 pieces of evidence" in words


def forged() -> bytes:
    good = equivocation()
    assert isinstance(good.first, SignedVote)
    return print_message(Evidence(replace(good.first, signature=bytes(64)), good.second))


LIES = {
    "not signed": lambda: [forged()],
    "not evidence": lambda: [print_message(vote(1, 1, "a"))],
    "not a message": lambda: [b"rubbish"],
    "of a later height": lambda: [print_message(equivocation(height=3))],
    "out of order": lambda: [print_message(equivocation(at)) for at in (2, 1)],
    "of a stranger": lambda: [
        print_message(Evidence(*(replace(one, validator=60) for one in equivocation_votes())))
    ],
    "twice in one block": lambda: sorted(
        print_message(equivocation(blocks=blocks)) for blocks in (("a", None), ("b", None))
    ),
}


def equivocation_votes() -> tuple[SignedVote, SignedVote]:
    good = equivocation()
    assert isinstance(good.first, SignedVote)
    assert isinstance(good.second, SignedVote)
    return good.first, good.second


@pytest.mark.parametrize("lie", LIES)
def test_evidence_that_does_not_hold_is_found_though_all_agencies_signed_the_block(tmp_path, lie):
    folder = raw_export(with_last(*LIES[lie]()), tmp_path / "export")
    status, result = replay(folder)
    assert (status, result["difference"]["code"]) == (10, CODE)
    assert (result["difference"]["height"], result["height"]) == (2, 1)


def test_an_equivocation_that_stands_in_the_chain_may_not_come_again(tmp_path):
    made = chain_of((equivocation(),), (), (equivocation(blocks=("b", "c")),))
    status, result = replay(made.export(tmp_path / "export"))
    assert (status, result["difference"]["height"]) == (10, 3)
    assert "already" in result["difference"]["message"]


def test_evidence_may_be_ninety_nine_blocks_old_and_no_more(tmp_path):
    last = chain_of(*[()] * 99, (equivocation(),))
    assert replay(last.export(tmp_path / "last"))[0] == 0
    late = chain_of(*[()] * 100, (equivocation(),))
    status, result = replay(late.export(tmp_path / "late"))
    assert (status, result["difference"]["height"]) == (10, 101)


def audited_until(folder, blocks: int):
    """The checkpoint of an audit that stopped after some blocks."""
    with open_copy(folder) as copy, SignatureQueue() as queue:
        audit = Audit(copy, copy.trust(), queue)
        running = audit.blocks()
        for _ in range(blocks):
            next(running)
        audit.settle()
        return audit.checkpoint()


def test_an_audit_that_resumes_still_knows_what_evidence_came_before(tmp_path):
    made = chain_of((), (equivocation(),), (), (equivocation(1, height=2),), (equivocation(),))
    folder = made.export(tmp_path / "export")
    for blocks in range(1, 5):
        path = tmp_path / f"checkpoint-{blocks}"
        write_checkpoint(path, audited_until(folder, blocks))
        status, result = replay(folder, "--resume", path)
        assert (status, result["difference"]["height"]) == (10, 5), blocks


def test_a_checkpoint_with_another_set_or_of_another_copy_is_refused(tmp_path):
    folder = chain_of((), (equivocation(),), ()).export(tmp_path / "export")
    path = tmp_path / "checkpoint"
    good = audited_until(folder, 2)
    write_checkpoint(path, good)
    assert read_checkpoint(path) == good
    smaller = type(good.sets[1])(good.sets[1].validators[:3])
    for sets in ({**good.sets, 1: smaller}, {2: good.sets[2]}):
        write_checkpoint(path, replace(good, sets=sets))
        assert replay(folder, "--resume", path)[0] == 6
    other = chain_of((), (), ()).export(tmp_path / "other")
    write_checkpoint(path, good)
    assert replay(other, "--resume", path)[0] == 6
