"""Nodes that have a long chain already, as if they had made it: store, guard and an empty log."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from keys.signing import Purpose
from ledger.quorum import precommit_message
from ledger.wal import WriteAheadLog
from node.clock import SystemClock
from node.signer import GuardedSigner, GuardFile, Place, SignedKind
from node.storage import GUARD_FILE, WAL_FILE
from tests.node.grown_chain import grow_chain
from tests.node.town_chain import SealedTown, make_town, service_key

BLOCK_MS = 1_000


def give_history(folder: Path, town: SealedTown, homes: Sequence[Path], heights: int) -> None:
    """Put the same chain of empty blocks into homes; its last block is a minute old.

    The first three validators have signed it all, so their guards say so; give it to these.

    Args:
        folder: Where the chain is made, new.
        town: Whose nodes they are; only its genesis is asked.
        homes: In the order of the validators, never started.
        heights: How many blocks.
    """
    first_ms = SystemClock().now_ms() - 60_000 - heights * BLOCK_MS
    application = grow_chain(folder, make_town(), heights, 0, first_ms)
    tip = application.header_digest(heights)
    application.close()
    message = precommit_message(town.network_id, heights, 0, tip)
    for home in homes:
        shutil.copytree(folder / "chain", home / "data" / "chain")
        key = service_key(home.name, Purpose.CONSENSUS)
        signer = GuardedSigner(key, GuardFile(home / "data" / GUARD_FILE))
        signer.sign(Place(heights, 0, SignedKind.PRECOMMIT), message)
        WriteAheadLog.open(home / "data" / WAL_FILE).close()
