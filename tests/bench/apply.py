"""Measure the state machine on the standard entry: one owner's update of an own contact.

Signatures are verified beforehand; what is measured is the processor time of `registry.apply.apply`
and nothing else. Prints one JSON line.

Example:
    python -m tests.bench.apply --entries 2000
"""

import argparse
import cProfile
import gc
import json
import pstats
import time

from ledger.entries import parse_entry
from registry.apply import VerifiedEntry, apply
from tests.registry.town import Town, by


def prepare(town: Town, entries: int) -> list[VerifiedEntry]:
    """Return updates of as many different people, parsed from bytes and verified."""
    prepared = []
    identities = [town.adult(f"person {number}") for number in range(entries)]
    for number, identity in enumerate(identities):  # signed when all are there: time goes on
        entry = parse_entry(town.contact(identity, by("subject", f"person {number}")).raw)
        prepared.append(town.verified(entry))
    return prepared


def measure(town: Town, prepared: list[VerifiedEntry]) -> float:
    """Return the microseconds that one entry costs, in blocks of at most 1,024."""
    started = time.process_time()
    for first in range(0, len(prepared), 1_024):
        block = town.state.fork()
        context = town.block()
        for index, verified in enumerate(prepared[first : first + 1_024]):
            apply(block, verified, context.at(index))
        town.state.absorb(block)
    return (time.process_time() - started) / len(prepared) * 1e6


def main() -> None:
    """Apply distinct updates once; with --profile also say where the time goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entries", type=int, default=1_000)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    town = Town()
    prepared = prepare(town, arguments.entries)
    gc.freeze()  # as a node does with what it holds for long
    keys = len(apply(town.state.fork(), prepared[0], town.block()).changes)
    if arguments.profile:
        profile = cProfile.Profile()
        profile.runcall(measure, town, prepared)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    value = round(measure(town, prepared), 1)
    parameters = {
        "entries": arguments.entries,
        "kind": "identity/update_contact",
        "signatures": 2,
        "state_keys": keys,
    }
    line = {"name": "registry.apply", "value": value, "unit": "us", "parameters": parameters}
    print(json.dumps(line))  # noqa: T201  # the output of this program


if __name__ == "__main__":
    main()
