"""How many entries one core replays in a second: `python -m tests.bench.audit`.

The standard entry is `identity/update_contact`: the owner's signature and the custodian's, one
record with a seal. A chain of such entries, each of another person, is written as an export, and
then audited as `civreg audit replay` does it, in one process: canonical form, links, roots, quorum
certificates, both signatures, all rules, the state root. What is measured is processor time.

The last line is one JSON object: name, value, unit, parameters. `breakdown_us` is the processor
time of an entry by what it is spent on; `verifications_an_entry` the same time as a multiple of one
P-256 verification on this machine, which compares with other machines (`tests.bench.yardsticks`).
"""

import argparse
import cProfile
import json
import os
import platform
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.audit_replay import Audit, few_collections
from cli.audit_signatures import SignatureQueue
from cli.chain_copies import ChainCopy, open_copy
from ledger.blocks import parse_block
from ledger.entries import Entry
from registry.apply import apply
from tests.bench.yardsticks import in_verifications, yardsticks
from tests.cli.real_chains import RealChain, new_town, town_chain
from tests.registry.town import Town, by

if TYPE_CHECKING:
    from ledger.export import ExportedBlock


def make_chain(entries: int, block_entries: int) -> tuple[RealChain, int]:
    """Return a chain with so many updates, and how many blocks stand before the first of them."""
    town = new_town()
    identities = [town.adult(f"person {number}") for number in range(entries)]
    before = len(town.blocks)
    for first in range(0, entries, block_entries):
        numbers = range(first, min(first + block_entries, entries))
        made = [town.contact(identities[at], by("subject", f"person {at}")) for at in numbers]
        accept_together(town, made)
    return town_chain(town), before


def accept_together(town: Town, entries: list[Entry]) -> None:
    """Apply entries in one block."""
    for index, entry in enumerate(entries):
        apply(town.state, town.verified(entry), town.block().at(index))
    town.close_block(entries)


class Stopwatch:
    """Processor time by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - started


def measure(copy: ChainCopy, before: int) -> tuple[float, int]:
    """Return the processor seconds of auditing the blocks after the first, and their entries."""
    with SignatureQueue() as queue:
        audit = Audit(copy, copy.trust(), queue)
        blocks = audit.blocks()
        for _ in range(before):
            next(blocks)
        audit.settle()
        done = audit.entries
        with few_collections():
            started = time.process_time()
            for _ in blocks:
                pass
            seconds = time.process_time() - started
        assert audit.difference is None, audit.difference
        return seconds, audit.entries - done


def breakdown(copy: ChainCopy, before: int) -> dict[str, float]:
    """Return microseconds an entry by what they are spent on, measured one by one."""
    watch, entries = Stopwatch(), 0

    class Watched(SignatureQueue):
        def _send(self) -> None:
            with watch.measure("signatures"):
                super()._send()

    blocks: list[ExportedBlock] = list(copy.blocks())
    with few_collections(), watch.measure("parse"):
        for exported in blocks[before:]:
            entries += len(parse_block(exported.block).entries)
    with Watched() as queue:
        audit = Audit(copy, copy.trust(), queue)
        audited = audit.blocks()
        for _ in range(before):
            next(audited)
        audit.settle()
        watch.seconds["signatures"] = 0.0
        with few_collections(), watch.measure("all"):
            for _ in audited:
                pass
    spent = watch.seconds
    spent["rules and roots"] = spent["all"] - spent["signatures"] - spent["parse"]
    return {name: round(seconds / entries * 1e6, 1) for name, seconds in spent.items()}


def main() -> None:
    """Measure several times and print the median."""
    parser = argparse.ArgumentParser(description="entries replayed a second and core")
    parser.add_argument("--entries", type=int, default=2_000)
    parser.add_argument("--block-entries", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    arguments = parser.parse_args()
    chain, before = make_chain(arguments.entries, arguments.block_entries)
    with tempfile.TemporaryDirectory() as folder:
        exported = chain.export(Path(folder) / "chain")
        with open_copy(exported) as copy:
            if arguments.profile:
                profile = cProfile.Profile()
                profile.runcall(measure, copy, before)
                pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(40)
            rates = []
            for run in range(arguments.runs):
                seconds, entries = measure(copy, before)
                rates.append(entries / seconds)
                sys.stderr.write(f"run {run + 1}: {rates[-1]:,.0f} entries/s\n")
            spent = breakdown(copy, before)
    machine_us = yardsticks()
    rate = statistics.median(rates)
    parameters = {
        "kind": "identity/update_contact",
        "entries": arguments.entries,
        "signatures": 2,
        "block_entries": arguments.block_entries,
        "runs": arguments.runs,
        "lowest": round(min(rates)),
        "highest": round(max(rates)),
        "breakdown_us": spent,
        "machine_us": machine_us,
        "verifications_an_entry": in_verifications(rate, machine_us["p256_verify"]),
        "python": platform.python_version(),
        "cores_of_machine": os.cpu_count(),
    }
    line = {
        "name": "audit.replay",
        "value": round(rate),
        "unit": "entries/s/core",
        "parameters": parameters,
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
