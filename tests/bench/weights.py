"""How much an entry of a kind weighs: signatures to verify, state keys written."""

from pathlib import Path

from ledger.blocks import parse_block
from ledger.entries import Entry
from ledger.export import read_blocks, read_genesis
from registry.replay import Replayer


def weigh(folder: Path, kinds: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return signatures and written state keys per entry, averaged over all entries of each kind.

    Args:
        folder: An export of a chain; it is replayed.
        kinds: Which kinds of entry.
    """
    replayer = Replayer(read_genesis(folder))
    found: dict[str, list[tuple[int, int]]] = {kind: [] for kind in kinds}
    for exported in read_blocks(folder):
        replayed = replayer.replay_block(parse_block(exported.block))
        for entry, outcome in zip(replayed.block.entries, replayed.outcomes, strict=True):
            if entry.head.kind in found:
                found[entry.head.kind].append((signatures_of(entry), len(outcome.changes)))
    return {
        kind: {
            "signatures": round(sum(one for one, _ in samples) / len(samples), 2),
            "state_keys": round(sum(two for _, two in samples) / len(samples), 2),
        }
        for kind, samples in found.items()
        if samples
    }


def signatures_of(entry: Entry) -> int:
    """Return how many signatures an entry holds: of its signers, and of tag services."""
    slots = sum(len(slot) if isinstance(slot, tuple) else 1 for slot in entry.slots)
    tags = [claim.proof for part in entry.records for claim in part.claims]
    tags += [match.proof for part in entry.records for match in part.matches]
    return slots + sum(1 for proof in tags if proof is not None)
