"""What the custodian had prepared, once blocks are decided: kept, where it is the only copy.

The body of an entry that is in a block may lie nowhere but with what was prepared for it. It is
kept then. Where the disk refuses, it stays prepared, past its time too, and is tried again with
every block, until the node stops: a new start does not know any more which entries are in blocks.
What else is over goes all the same.
"""

from collections.abc import Callable

from keys.hashing import Digest
from ledger.errors import DiskRefusedError, PurgedError
from ledger.vault import Vault
from node.application import Committed
from node.logs import Log
from node.pending_bodies import PendingBodies


class BodyRescue:
    """Keeps bodies of decided blocks, and drops what was prepared and is over.

    Args:
        vault: Where bodies are kept.
        pending: What was prepared.
        log: Takes notes.
    """

    def __init__(self, vault: Vault, pending: PendingBodies, log: Log) -> None:
        self._vault = vault
        self._pending = pending
        self._log = log
        self._decided: dict[Digest, Digest] = {}  # wraps and body, prepared, in a block by now

    def committed(self, committed: Committed) -> None:
        """Look through a block that is stored; no refusal of the disk leaves this."""
        for entry in committed.block.entries:
            for record in entry.records:
                seal = record.seal
                if seal is not None and seal.wraps_digest in self._pending:
                    self._decided[seal.wraps_digest] = seal.body_digest
        time_ms = committed.block.header.time_ms
        self._attempt(self._keep)
        self._attempt(lambda: self._pending.drop_expired(time_ms, self._decided))

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except DiskRefusedError as error:
            self._log.warning("vault_refused", code=error.code)

    def _keep(self) -> None:
        """Keep the bodies that lie here alone: nobody can make them again."""
        lost: dict[Digest, bytes] = {}
        for wraps_digest, body_digest in self._decided.items():
            is_lacking = self._is_lacking(body_digest)
            prepared = self._pending.get(wraps_digest) if is_lacking else None
            if prepared is not None:
                lost[body_digest] = prepared.body
        if lost:
            self._vault.put_bodies(lost)
            self._log.warning("bodies_rescued", count=len(lost))
        self._pending.drop(self._decided)
        self._decided.clear()

    def _is_lacking(self, digest: Digest) -> bool:
        """Tell whether a body is neither here nor purged, without a look at its bytes."""
        try:
            return self._vault.body_size(digest) is None
        except PurgedError:
            return False
