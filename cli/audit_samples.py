"""Single blocks of a copy, judged by the second verifier, which shares no code with the node."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import verifier
from cli.exit_codes import ExitCode
from ledger.blocks import split_block
from ledger.export import ExportedBlock
from ledger.trust import TrustBundle
from verifier.headers import read_header

SAMPLE_BLOCKS: int = 16
"""Blocks that a second opinion is asked about; each has at most 5 MiB."""

_EXITS = {
    verifier.Word.GENUINE: ExitCode.OK,
    verifier.Word.FORGED: ExitCode.CHAIN_BROKEN,
    verifier.Word.UNREADABLE: ExitCode.CHAIN_BROKEN,
    verifier.Word.CANNOT_CHECK: ExitCode.CANNOT_CHECK,
}


@dataclass(frozen=True, slots=True)
class SampledBlock:
    """A block with the header before it, as bytes.

    Attributes:
        exported: The block.
        parent: The header before; None for the first.
    """

    exported: ExportedBlock
    parent: bytes | None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the second verifier says of a block.

    Attributes:
        height: Of the block.
        word: In one word.
        failures: Name of each failed check and why.
        exit_code: 0, 10 or 19.
    """

    height: int
    word: str
    failures: tuple[tuple[str, str], ...]
    exit_code: ExitCode


class Sampler:
    """Keeps a fair sample of blocks that pass by.

    Args:
        size: How many to keep at most.
        seed: The same seed draws the same heights from the same chain.
    """

    def __init__(self, size: int = SAMPLE_BLOCKS, seed: int = 0) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a fair draw, not a secret
        self._size = size
        self._seen = 0
        self._before: bytes | None = None
        self.kept: list[SampledBlock] = []

    def see(self, exported: ExportedBlock) -> None:
        """Let a block pass by; blocks come in the order of the chain."""
        sampled = SampledBlock(exported, self._before)
        self._seen += 1
        if len(self.kept) < self._size:
            self.kept.append(sampled)
        elif (place := self._dice.randrange(self._seen)) < self._size:
            self.kept[place] = sampled
        self._before = split_block(exported.block)[0]


def second_opinions(trust: TrustBundle, sampled: Iterable[SampledBlock]) -> list[Opinion]:
    """Return what the second verifier says of blocks, ascending by height."""
    theirs = verifier.read_trust(trust.to_bytes())
    return [_opinion(theirs, one) for one in sorted(sampled, key=lambda one: one.exported.height)]


def _opinion(trust: verifier.Trust, sampled: SampledBlock) -> Opinion:
    parent = None if sampled.parent is None else read_header(sampled.parent)
    exported = sampled.exported
    verdict = verifier.check_block(exported.block, exported.quorum_certificate, trust, parent)
    failures = [(one.name, str(one.failure)) for one in verdict.checks if one.failure is not None]
    return Opinion(exported.height, verdict.word.value, tuple(failures), _EXITS[verdict.word])
