"""What clients of a network saw, and whether one register for each record can explain it.

A history is data: who wrote or read which record at which node, when that began, when the answer
came, and what it said. `check_history` is a pure function of it and of the chain. A record is a
register: its value is the entry that wrote it last, and the chain puts its writes in one order.

* An acknowledged write stands in the chain, once; a refused one does not; nothing else is there.
* Writes keep real time: one that was acknowledged before another began comes first.
* The reads at one node are those of one register: each returns the last write, or one that was
  under way; none goes back, none misses a write that this node had acknowledged, none is of the
  future. To another node a write may come late, however long ago it was acknowledged: nodes answer
  from what they have. With one node this is linearizability.

    python -m tests.chaos.history FILE        checks a history that a test has kept
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum, unique
from pathlib import Path

FOREVER_NS = 2**63


@unique
class Kind(StrEnum):
    """What a client asked for."""

    WRITE = "write"
    READ = "read"


@unique
class Outcome(StrEnum):
    """How it ended: UNKNOWN is a write of which nobody knows, or a read without an answer."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One write or read of a record.

    Attributes:
        client: Who asked.
        record: Which register.
        kind: Write or read.
        value: The entry that was written or read; None: the record was not there.
        node: Who answered; -1 where nobody did.
        invoked_ns: When it began, on the clock of all clients.
        returned_ns: When the answer came; not read where the outcome is unknown.
        outcome: How it ended.
    """

    client: str
    record: str
    kind: Kind
    value: str | None
    node: int
    invoked_ns: int
    returned_ns: int
    outcome: Outcome


class HistoryViolationError(AssertionError):
    """No register explains a history; `rule` says which rule it breaks."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Step:
    """An operation as a register sees it: its place among the writes, and when it may have been.

    Attributes:
        place: The number of the write, from 1, or of the write that was read; 0: before them all.
        is_write: Whether it is the write itself.
        invoked_ns: It was not before.
        returned_ns: It was not after.
    """

    place: int
    is_write: bool
    invoked_ns: int
    returned_ns: int


def check_history(history: Iterable[Operation], chain: Mapping[str, Sequence[str]]) -> None:
    """Check what clients saw against what the chain holds.

    Args:
        history: In any order.
        chain: For each record its writes in the order of the chain, oldest first.

    Raises:
        HistoryViolationError: A rule is broken; the first that is found.
    """
    by_record: dict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        by_record[operation.record].append(operation)
    for record in sorted(by_record.keys() | chain.keys()):
        check_record(by_record[record], chain.get(record, ()))


def check_record(operations: Sequence[Operation], order: Sequence[str]) -> None:
    """Check all operations on one record.

    Raises:
        HistoryViolationError: As `check_history`.
    """
    check_presence(operations, order)
    check_order(write_steps(operations, order))
    for node in sorted({one.node for one in operations if is_answered_read(one)}):
        check_order(node_steps(operations, order, node))


def is_answered_read(operation: Operation) -> bool:
    """Tell whether an operation is a read that said something."""
    return operation.kind is Kind.READ and operation.outcome is Outcome.OK


def check_presence(operations: Sequence[Operation], order: Sequence[str]) -> None:
    """Check what is in the chain and what is not.

    Raises:
        HistoryViolationError: twice, invented, lost, refused_but_present or read_of_nothing.
    """
    for value, times in Counter(order).items():
        if times > 1:
            raise HistoryViolationError("twice", f"{value} stands in the chain {times} times")
    present = set(order)
    writes = [one for one in operations if one.kind is Kind.WRITE]
    for value in order:
        if not any(one.value == value for one in writes):
            raise HistoryViolationError("invented", f"nobody has written {value}")
    for one in writes:
        if one.outcome is Outcome.OK and one.value not in present:
            raise HistoryViolationError("lost", f"acknowledged, and not in the chain: {one}")
        if one.outcome is Outcome.FAIL and one.value in present:
            raise HistoryViolationError("refused_but_present", f"{one}")
    for one in operations:
        if is_answered_read(one) and one.value is not None and one.value not in present:
            raise HistoryViolationError("read_of_nothing", f"{one}")


def write_steps(operations: Iterable[Operation], order: Sequence[str]) -> list[Step]:
    """Return the writes in the chain; one without an answer may have been at any time since."""
    places = {value: number for number, value in enumerate(order, 1)}
    return [
        Step(
            places[one.value],
            is_write=True,
            invoked_ns=one.invoked_ns,
            returned_ns=one.returned_ns if one.outcome is Outcome.OK else FOREVER_NS,
        )
        for one in operations
        if one.kind is Kind.WRITE and one.value in places
    ]


def node_steps(operations: Sequence[Operation], order: Sequence[str], node: int) -> list[Step]:
    """Return the register of one node: its reads, and writes, which end here if it answered."""
    places: dict[str | None, int] = {value: number for number, value in enumerate(order, 1)}
    places[None] = 0
    own = [
        one if one.node == node else replace(one, outcome=Outcome.UNKNOWN)
        for one in operations
        if one.kind is Kind.WRITE
    ]
    reads = [
        Step(
            places[one.value],
            is_write=False,
            invoked_ns=one.invoked_ns,
            returned_ns=one.returned_ns,
        )
        for one in operations
        if is_answered_read(one) and one.node == node
    ]
    return write_steps(own, order) + reads


def check_order(steps: Iterable[Step]) -> None:
    """Check that each step can be given a moment within its time, in the order of places.

    That is so if no step that ended before another began belongs behind it: all of a place are
    together, its write is their first.

    Raises:
        HistoryViolationError: order.
    """
    begun = sorted(steps, key=lambda step: step.invoked_ns)
    ended = sorted(begun, key=lambda step: step.returned_ns)
    at, newest = 0, None
    for step in begun:
        while ended[at].returned_ns < step.invoked_ns:
            if newest is None or ended[at].place > newest.place:
                newest = ended[at]
            at += 1
        if newest is None or newest.place < step.place:
            continue
        if newest.place > step.place or step.is_write:
            raise HistoryViolationError("order", f"{newest} had ended when {step} began")


def print_history(history: Iterable[Operation], chain: Mapping[str, Sequence[str]]) -> str:
    """Return the text that `parse_history` reads: one JSON value a line, the chain first."""
    lines = [json.dumps({record: list(order) for record, order in chain.items()})]
    return "\n".join([*lines, *(json.dumps(asdict(one)) for one in history)]) + "\n"


def parse_history(text: str) -> tuple[list[Operation], dict[str, list[str]]]:
    """Return the history and the chain that were printed."""
    first, *lines = text.splitlines()
    found = []
    for line in lines:
        row = json.loads(line)
        kind, outcome = Kind(row.pop("kind")), Outcome(row.pop("outcome"))
        found.append(Operation(kind=kind, outcome=outcome, **row))
    return found, json.loads(first)


def main() -> None:
    """Check a history that a test has kept."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", type=Path)
    history, chain = parse_history(parser.parse_args().file.read_text())
    check_history(history, chain)
    print(f"{len(history)} operations: one register for each record explains them")  # noqa: T201


if __name__ == "__main__":
    main()
