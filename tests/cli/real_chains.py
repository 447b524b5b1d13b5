"""Whole chains whose every root is true: entries of the town in tests/registry, put into blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from keys.hashing import Digest
from keys.signing import SoftwareKey
from ledger import merkle
from ledger.blocks import Block, Header, build_block, outcomes_root
from ledger.chain import ChainTip, genesis_tip, tip_after
from ledger.entries import Entry
from ledger.export import ExportWriter
from ledger.genesis import Genesis
from ledger.quorum import QuorumCertificate, precommit_message, print_quorum_certificate
from ledger.trust import CertifiedHeader, make_trust
from registry.apply import BlockContext, apply, resolve_signatures, verify_entry
from registry.replay import Replayer
from tests.registry.town import AGENCIES, CALM, GENESIS_MS, Town, by, key

if TYPE_CHECKING:
    from ledger.outcomes import Outcome

VALID_UNTIL_MS = 4_000_000_000_000


@dataclass
class RealChain:
    """A chain in memory; `add` appends a block, changed on purpose if wanted."""

    genesis: Genesis

    def __post_init__(self) -> None:
        self.tip: ChainTip = genesis_tip(self.genesis.charter)
        self.replayer = Replayer(self.genesis, verify=verify_entry)
        self.blocks: list[tuple[Block, QuorumCertificate]] = []

    def add(self, entries: Sequence[Entry], time_ms: int, evidence: Sequence[bytes] = ()) -> None:
        """Append a block whose roots are those that replaying it gives; evidence as it comes."""
        header = self.header(entries, time_ms)
        state = self.replayer.state.fork()
        outcomes: list[Outcome] = []
        for index, entry in enumerate(entries):
            context = BlockContext(header.height, index, time_ms, header.network_id)
            verified = verify_entry(entry, resolve_signatures(state, entry))
            outcomes.append(apply(state, verified, context))
        header = replace(header, outcomes_root=outcomes_root(outcomes))
        block = build_block(header, entries, evidence)
        root = self._root_after(block)
        block = build_block(replace(block.header, state_root=root), entries, evidence)
        self.seal(block)

    def header(self, entries: Sequence[Entry], time_ms: int) -> Header:
        """A header that follows the tip; `outcomes_root` and `state_root` are to be filled in."""
        tip = self.tip
        log = tip.log.extend([merkle.leaf_hash(entry.log_leaf) for entry in entries])
        return Header(
            network_id=tip.network_id,
            height=tip.height + 1,
            round=0,
            time_ms=time_ms,
            parent=tip.parent,
            headers_root=tip.headers.root(),
            entries_root=merkle.EMPTY_ROOT,
            entries_count=0,
            outcomes_root=merkle.EMPTY_ROOT,
            log_size=log.size,
            log_root=log.root(),
            state_root=Digest(bytes(32)),
            validators=tip.validators.digest,
            next_validators=tip.validators.digest,
            proposer=(tip.height + 1) % len(tip.validators),
            evidence_root=merkle.EMPTY_ROOT,
        )

    def seal(self, block: Block) -> None:
        """Append a block with a certificate over it, whatever its roots say."""
        certificate = self.certificate(block)
        self.blocks.append((block, certificate))
        self.tip = tip_after(self.tip, block, self.tip.validators)

    def certificate(self, block: Block, signers: int = 3) -> QuorumCertificate:
        height, digest = block.header.height, block.header.digest
        message = precommit_message(self.genesis.network_id, height, 0, digest)
        signed = [
            (index, one.sign(message))
            for index, one in enumerate(validator_keys(self.genesis)[:signers])
        ]
        return QuorumCertificate(height, 0, digest, tuple(signed))

    def export(self, folder: Path, pairs: Sequence[tuple[Block, QuorumCertificate]] = ()) -> Path:
        """Write an export of these blocks, or of the chain's own."""
        with ExportWriter.open(folder, self.genesis.raw) as writer:
            for block, certificate in pairs or self.blocks:
                writer.append(block.raw, print_quorum_certificate(certificate))
            writer.finish(self.trust())
        return folder

    def trust(self):
        newest = CertifiedHeader(self.blocks[-1][0].header, self.blocks[-1][1])
        return make_trust(self.genesis.charter, [], newest, VALID_UNTIL_MS)

    def _root_after(self, block: Block) -> Digest:
        """Apply a block for good, and return the root after it."""
        from registry.errors import StateDiffersError  # noqa: PLC0415

        try:
            self.replayer.replay_block(block)
        except StateDiffersError as error:
            return Digest(bytes.fromhex(str(error.details["found"])))
        raise AssertionError("a state root of zeros")


def validator_keys(genesis: Genesis) -> list[SoftwareKey]:
    """The consensus keys of the town's agencies, in the order of the set."""
    by_id = {key(name, "consensus").public.key_id: key(name, "consensus") for name in AGENCIES}
    return [by_id[one.key.key_id] for one in genesis.validator_set.validators]


def town_chain(town: Town) -> RealChain:
    """The chain of all that happened in a town."""
    chain = RealChain(town.genesis)
    for height, time_ms, entries in town.blocks:
        while chain.tip.height + 1 < height:
            chain.add([], chain.tip.time_ms + 1)
        chain.add(entries, time_ms)
    return chain


def new_town() -> Town:
    """A town whose first block is later than its genesis."""
    return Town(parameters={**CALM, "development": True}, time_ms=GENESIS_MS + 1_000)


def small_town() -> Town:
    """Adults with keys, a birth, a title that is sold, a contact that is updated."""
    town = new_town()
    anna, binh = town.adult("anna"), town.adult("binh")
    town.accept(town.contact(anna, by("subject", "anna")))
    title = town.title({anna: "anna"})
    town.accept(town.sale(title, ["anna"], {binh: "binh"}))
    town.accept(town.birth(mother=anna))
    return town
