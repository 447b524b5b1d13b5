"""Measure updates and proofs of the state tree; prints one JSON line for each figure.

Example:
    python -m tests.bench.state_tree --keys 1000000 --updates 1000
"""

import argparse
import hashlib
import json
import time

from ledger.state_tree import prove, update


def _hash(purpose: str, number: int) -> bytes:
    return hashlib.sha256(f"{purpose}{number}".encode()).digest()


def _print(name: str, value: float, unit: str, **parameters: int) -> None:
    line = {"name": name, "value": round(value, 3), "unit": unit, "parameters": parameters}
    print(json.dumps(line))  # noqa: T201  # the output of this program


def main() -> None:
    """Build a tree, update it, prove keys of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--updates", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    keys, updates, runs = arguments.keys, arguments.updates, arguments.runs
    pages: dict[bytes, bytes] = {}

    def apply(changes: dict[bytes, bytes | None]) -> float:
        started = time.perf_counter()
        result = update(pages.get, changes)
        seconds = time.perf_counter() - started
        for key, page in result.pages.items():
            if page is None:
                del pages[key]
            else:
                pages[key] = page
        return seconds

    chunk = 100_000
    for first in range(0, keys, chunk):
        apply({_hash("k", n): _hash("v", n) for n in range(first, min(first + chunk, keys))})
    stored = sum(len(key) + len(page) for key, page in pages.items())
    _print("state_tree.bytes_per_key", stored / keys, "bytes", keys=keys)
    times = [
        apply({_hash("k", (n * 7919 + run) % keys): _hash("w", n) for n in range(updates)})
        for run in range(runs)
    ]
    _print("state_tree.update", min(times) * 1000, "ms", keys=keys, updates=updates, runs=runs)
    inserts = [
        apply({_hash(f"new{run}.", n): _hash("w", n) for n in range(updates)})
        for run in range(runs)
    ]
    _print("state_tree.insert", min(inserts) * 1000, "ms", keys=keys, updates=updates, runs=runs)
    started = time.perf_counter()
    for n in range(updates):
        prove(pages.get, _hash("k", n))
    seconds = time.perf_counter() - started
    _print("state_tree.prove", seconds / updates * 1e6, "us", keys=keys, proofs=updates)


if __name__ == "__main__":
    main()
