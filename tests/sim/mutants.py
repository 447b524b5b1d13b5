"""Deliberate mistakes in the machine and its shell: a simulator that misses them is blind.

A mutant is a context manager that patches production code while it is open, in this process only;
`caught_at` runs seeds under it until an invariant fails. To add one: write a function below with
the decorator `mutant(what is wrong)`, a generator that patches and yields. `test_mutants` asks that
each is caught within `SEEDS_MAX` seeds, and that the table in docs/simulator.md names all of them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

from consensus import machine
from consensus.machine import PolkaForNil, RoundState, Rule, Transition
from ledger.validators import ValidatorSet
from ledger.wal import WriteAheadLog
from tests.sim.checks import ViolationError
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


@mutant("the log is written and never synced, so messages leave before they are on disk")
def broadcast_before_fsync() -> Iterator[None]:
    with patch.object(WriteAheadLog, "sync", lambda _self: None):
        yield
