"""Deliberate mistakes in the machine and its shell: a simulator that misses them is blind.

A mutant is a context manager that patches production code while it is open, in this process only;
`caught_at` runs seeds under it until an invariant fails. To add one: write a function below with
the decorator `mutant(what is wrong)`, a generator that patches and yields. `test_mutants` asks that
each is caught within `SEEDS_MAX` seeds, and that the table in docs/simulator.md names all of them.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast
from unittest.mock import patch

from consensus import machine, rules
from consensus.events import CastVote, Event, VoteReceived
from consensus.evidence import Evidence
from consensus.machine import (
    FirstProposal,
    PolkaForNil,
    RepeatedProposal,
    RoundState,
    Rule,
    StartRound,
    Transition,
)
from consensus.messages import VoteType
from consensus.state import HeldProposal, State, facts_of
from keys.hashing import Digest
from keys.signing import PublicKey
from ledger import state_tree, wal
from ledger.canonical import Value
from ledger.ids import AgencyId
from ledger.membership import parse_application
from ledger.outcomes import Outcome
from ledger.quorum import QuorumCertificate
from ledger.snapshot_files import chunk_name, write_synced
from ledger.snapshot_restore import Restoration
from ledger.validators import ValidatorSet
from ledger.wal import WriteAheadLog
from node import application
from node.application import Application
from node.driver import Driver
from node.signer import GuardedSigner, Place
from node.snapshot_fetch import SnapshotFetch
from registry import ballots, committee, membership
from registry.apply import BlockContext, VerifiedEntry, apply
from registry.errors import RuleError
from registry.running import Run
from registry.state import State as RegistryState
from tests.sim.checks import ViolationError
from tests.sim.files import Rows
from tests.sim.simulation import simulate

SEEDS_MAX = 400
"""Within so many seeds each mutant must be caught."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake.

    Attributes:
        name: Of its function, in words.
        wrong: What it does, for the table.
        apply: Opens it.
    """

    name: str
    wrong: str
    apply: Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Caught:
    """Which seed caught a mutant, and by which invariant."""

    seed: int
    invariant: str


MUTANTS: list[Mutant] = []


def mutant(wrong: str) -> Callable[[Callable[[], Iterator[None]]], Callable[[], Iterator[None]]]:
    """List a function as a mutant."""

    def enlist(make: Callable[[], Iterator[None]]) -> Callable[[], Iterator[None]]:
        MUTANTS.append(Mutant(make.__name__.replace("_", " "), wrong, contextmanager(make)))
        return make

    return enlist


def caught_at(one: Mutant, seeds_max: int = SEEDS_MAX) -> Caught | None:
    """Return the first seed that catches a mutant and the name of the invariant; None if none."""
    with one.apply():
        for seed in range(seeds_max):
            try:
                simulate(seed)
            except ViolationError as error:
                return Caught(seed, str(error).partition(":")[0])
            except Exception as error:  # noqa: BLE001 - production code noticed by itself
                return Caught(seed, type(error).__name__)
    return None


@mutant("more than half of the weight is taken for a quorum")
def quorum_of_half() -> Iterator[None]:
    with patch.object(ValidatorSet, "is_quorum", lambda self, w: 2 * w > self.total_weight):
        yield


@mutant("a nil polka releases the lock, as some implementations do")
def unlock_on_nil() -> Iterator[None]:
    real = machine._count_or_answer

    def wrong(state: RoundState, rule: Rule) -> Transition:
        after, outputs = real(state, rule)
        if isinstance(rule, PolkaForNil):
            after = replace(after, locked_round=-1, locked_block=None)
        return after, outputs

    with patch.object(machine, "_count_or_answer", wrong):
        yield


@mutant("a proposal is prevoted whatever is locked")
def lock_ignored() -> Iterator[None]:
    def wrong(state: RoundState, rule: FirstProposal | RepeatedProposal) -> Transition:
        choice = rule.block_id if rule.acceptable else None
        return machine._vote(state, VoteType.PREVOTE, choice)

    with patch.object(machine, "_answer_proposal", wrong):
        yield


@mutant("what is prevoted is precommitted at once, without a polka")
def precommit_without_polka() -> Iterator[None]:
    real = machine._answer_proposal

    def wrong(state: RoundState, rule: FirstProposal | RepeatedProposal) -> Transition:
        after, (prevote,) = real(state, rule)
        assert isinstance(prevote, CastVote), "an answer is a vote"
        after, (precommit,) = machine._vote(after, VoteType.PRECOMMIT, prevote.block_id)
        return after, (prevote, precommit)

    with patch.object(machine, "_answer_proposal", wrong):
        yield


@mutant("the once-flags of a round are kept in the next one")
def once_flags_kept() -> Iterator[None]:
    real = machine._start_round

    def wrong(state: RoundState, rule: StartRound) -> Transition:
        after, outputs = real(state, rule)
        flags = {
            name: getattr(state, name)
            for name in ("polka_handled", "prevote_timer_set", "precommit_timer_set")
        }
        return replace(after, **flags), outputs

    with patch.object(machine, "_start_round", wrong):
        yield


@mutant("a repeated proposal is answered without the polka that it names")
def polka_of_proposals_not_asked() -> Iterator[None]:
    real = rules._answer

    def wrong(state: State, held: HeldProposal) -> Rule | None:
        signed, facts = held.proposal.signed, facts_of(state, held.proposal.signed.block_id)
        if signed.pol_round >= 0 and facts.verdict is not None and facts.bodies_held:
            return RepeatedProposal(signed.block_id, signed.pol_round, acceptable=True)
        return real(state, held)

    with patch.object(rules, "_answer", wrong):
        yield


@mutant("first proposals are prevoted whatever their time")
def time_not_judged() -> Iterator[None]:
    with patch.object(rules, "is_timely", lambda *_given: True):
        yield


@mutant("the log is written and never synced, so messages leave before they are on disk")
def broadcast_before_fsync() -> Iterator[None]:
    with patch.object(WriteAheadLog, "sync", lambda _self: None):
        yield


@mutant("what a killed process left in the log is acted on without a sync")
def log_read_without_sync() -> Iterator[None]:
    with patch.object(wal, "_make_durable", lambda _path: None):
        yield


@mutant("holes before whole pages are damage to be repaired, as in format 1 of the log")
def holes_are_damage() -> Iterator[None]:
    def wrong(raw: bytes, at: int) -> int:
        is_page_behind = not any(raw[at : at + 20]) and any(raw[at + 20 :])
        return at + 1 if is_page_behind else 0

    with patch.object(wal, "_synced_behind", wrong):
        yield


@mutant("votes of others are not in the log, so a restart knows no lock")
def lock_not_in_the_log() -> Iterator[None]:
    real = Driver._replay

    def wrong(self: Driver, events: Sequence[Event | bytes]) -> None:
        def is_foreign(event: Event | bytes) -> bool:
            if not isinstance(event, VoteReceived):
                return False
            start: Any = events[0]
            return bool(start.validators[event.vote.validator].agency_id != self.own)

        real(self, [one for one in events if not is_foreign(one)])

    with patch.object(Driver, "_replay", wrong):
        yield


@mutant("the guard signs whatever it is asked to")
def guard_not_consulted() -> Iterator[None]:
    def wrong(
        self: GuardedSigner, place: Place, message: bytes, by: PublicKey | None = None
    ) -> bytes:
        del place
        key = self._key if by is None else self._keys[by.key_id]
        return key.sign(message)

    with patch.object(GuardedSigner, "sign", wrong):
        yield


@mutant("a block is stored without waiting for the disk")
def store_not_synchronous() -> Iterator[None]:
    real = Rows.write_batch

    def wrong(self: Rows, *, transaction: bool = False, sync: bool = False) -> Any:
        del sync
        return real(self, transaction=transaction, sync=False)

    with patch.object(Rows, "write_batch", wrong):
        yield


@mutant("sync stores blocks without a look at their certificates")
def sync_without_certificates() -> Iterator[None]:
    real = QuorumCertificate.check

    def wrong(self: QuorumCertificate, network_id: Digest, validators: ValidatorSet) -> None:
        caller = inspect.stack()[1].function
        if caller not in {"open_certified", "check_ahead", "check_certificate"}:
            real(self, network_id, validators)

    with patch.object(QuorumCertificate, "check", wrong):
        yield


@mutant("certificates and votes are checked under the set of genesis for ever")
def wrong_set() -> Iterator[None]:
    def wrong(self: Application, height: int) -> ValidatorSet:
        del height
        return self.store.genesis.validator_set

    with patch.object(Application, "validators_at", wrong):
        yield


@mutant("evidence of peers is believed unseen")
def evidence_not_verified() -> Iterator[None]:
    with patch.object(Evidence, "check", lambda *_given: None):
        yield


@mutant("an entry of the chain is executed a second time")
def entries_executed_twice() -> Iterator[None]:
    real = apply

    def wrong(state: RegistryState, verified: VerifiedEntry, block: BlockContext) -> Outcome:
        try:
            return real(state, verified, block)
        except RuleError:
            number = f"00001/2026/{block.index + 1_000 * block.height}"
            return Outcome(entry_digest=verified.entry.entry_digest, registration_number=number)

    with patch.object(application, "apply", wrong):
        yield


@mutant("a node that lost its guard votes at once")
def lost_guard_forgotten() -> Iterator[None]:
    with patch("tests.sim.process.is_guard_made_up", lambda _config: False):
        yield


@mutant("what an entry of height h changes counts from h + 1 on")
def set_one_height_early() -> Iterator[None]:
    with ExitStack() as stack:
        for module in (ballots, committee, membership):
            stack.enter_context(patch.object(module, "IN_FORCE_AFTER_HEIGHTS", 1))
        yield


@mutant("who is admitted votes without having said that it is ready")
def ready_not_needed() -> Iterator[None]:
    real = membership.admit

    def wrong(run: Run, fields: dict[str, Value], from_height: int) -> None:
        real(run, fields, from_height)
        part = parse_application(
            bytes(cast("bytes", fields["application"])), run.block.network_id
        ).part
        put = committee.put(part.agency_id, part.keys["consensus"], 1)
        committee.change_sets(run, from_height, put)

    with patch.dict(ballots._DO, {"admit": wrong}):
        yield


@mutant("a weight of zero leaves the validator in the set")
def who_leaves_stays() -> Iterator[None]:
    def wrong(_agency: AgencyId, _weight: int) -> Callable[[committee.Members], None]:
        return lambda _members: None

    with patch.object(membership, "weigh", wrong):
        yield


@mutant("a node signs with its first key after it was replaced")
def first_key_for_ever() -> Iterator[None]:
    real = GuardedSigner.sign

    def wrong(
        self: GuardedSigner, place: Place, message: bytes, by: PublicKey | None = None
    ) -> bytes:
        del by
        return real(self, place, message)

    with patch.object(GuardedSigner, "sign", wrong):
        yield


@mutant("the rows of a snapshot are not compared with the certified state root")
def snapshot_state_not_compared() -> Iterator[None]:
    real = Restoration.finish

    def wrong(self: Restoration) -> None:
        newest = self._manifest.trust.newest
        assert newest is not None, "check_manifest saw to it"
        with patch.object(state_tree, "root_of", lambda _read: newest.header.state_root):
            real(self)

    with patch.object(Restoration, "finish", wrong):
        yield


@mutant("chunks of a snapshot are taken without a look at their digests")
def snapshot_digests_not_checked() -> Iterator[None]:
    def wrong(self: SnapshotFetch, digest: Digest, raw: bytes) -> None:
        write_synced(self._folder / chunk_name(digest), raw)
        self._came += 1

    with patch.object(SnapshotFetch, "_accept", wrong):
        yield
